import torch.nn as nn
from mmcv.cnn import build_activation_layer
from torch import Tensor


class Mlp(nn.Module):
    """The two-layer perceptron of a transformer layer.

    Args:
        dim (int): Channels of the input and of the output.
        hidden_dim (int): Channels of the hidden layer.
        act_cfg (dict): Activation between the two layers. Defaults to ``dict(type='GELU')``.
        drop (float): Dropout after each layer. Defaults to 0.
    """

    def __init__(self, dim: int, hidden_dim: int, act_cfg: dict = dict(type='GELU'), drop: float = 0.) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.act = build_activation_layer(act_cfg)
        self.fc2 = nn.Linear(hidden_dim, dim)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[..., dim]`` to ``[..., dim]``."""
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))
