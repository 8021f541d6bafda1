import torch.nn as nn
from mmcv.cnn import build_activation_layer
from torch import Tensor

from .dropout import Dropout
from .linear import apply_linear


class Mlp(nn.Module):
    """The two-layer perceptron of a transformer layer.

    Args:
        dim (int): Channels of the input and of the output.
        hidden_dim (int): Channels of the hidden layer.
        act_cfg (dict): Activation between the two layers. Defaults to ``dict(type='GELU')``.
        drop (float): Dropout after the activation. Defaults to 0.
        rank (int, optional): Rank of the layers' weights, each a product of two matrices. Defaults to None, full.
    """

    def __init__(
        self, dim: int, hidden_dim: int, act_cfg: dict = dict(type='GELU'), drop: float = 0.0, rank: int | None = None
    ) -> None:
        super().__init__()
        self.fc1 = _linear(dim, hidden_dim, rank)
        self.act = build_activation_layer(act_cfg)
        self.fc2 = _linear(hidden_dim, dim, rank)
        self.drop = Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[..., dim]`` to ``[..., dim]``."""
        return apply_linear(self.fc2, self.drop(self.act(apply_linear(self.fc1, x))))


def _linear(in_dim: int, out_dim: int, rank: int | None) -> nn.Module:
    if rank is None:
        return nn.Linear(in_dim, out_dim)
    return nn.Sequential(nn.Linear(in_dim, rank, bias=False), nn.Linear(rank, out_dim))
