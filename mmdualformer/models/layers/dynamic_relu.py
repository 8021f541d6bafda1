import torch
import torch.nn as nn
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from .conv3d import runs_eagerly

_CACHED = 2**19  # numbers of an intermediate


def frame_means(x: Tensor) -> Tensor:
    """Average each frame: ``[B, C, T, H, W]`` to ``[B, T, C]``."""
    # flattened first: PyTorch's reduction over two axes of a channels-last map is 15 times as slow on a CPU
    return rearrange(x, 'B C T H W -> B T (H W) C').mean(2)


class DynamicReLU(nn.Module):
    """max(a1 * x, a2 * x) for each channel, the slopes computed from a token (Dynamic ReLU, arXiv:2003.10027).

    At the frame level the slopes of a frame are computed from its average features too (Video Mobile-Former,
    "Extension of Transformer from 2D to 3D").

    Args:
        channels (int): Channels of the features.
        token_dim (int): Width of the token.
        frame_level (bool): Whether the slopes of the frames differ. Defaults to True.
    """

    def __init__(self, channels: int, token_dim: int, frame_level: bool = True) -> None:
        super().__init__()
        self.frame_level = frame_level
        in_features = token_dim + channels if frame_level else token_dim
        self.fc1 = nn.Linear(in_features, in_features // 4)
        self.fc2 = nn.Linear(in_features // 4, 2 * channels)

    def forward(self, x: Tensor, token: Tensor, excitation: Tensor | None = None) -> Tensor:
        """Activate features.

        Args:
            x (Tensor): Features ``[B, C, T, H, W]``.
            token (Tensor): ``[B, T, token_dim]``, or ``[B, 1, token_dim]`` for all frames.
            excitation (Tensor, optional): Factors ``[B, 1, C]`` to multiply the features by first, at no cost.

        Returns:
            Tensor: ``[B, C, T, H, W]``.
        """
        context = token
        if self.frame_level:
            means = frame_means(x)
            means = means if excitation is None else means * excitation
            context = torch.cat([means, token.expand(-1, means.shape[1], -1)], dim=-1)
        steps = 2 * F.hardsigmoid(self.fc2(F.relu(self.fc1(context)))) - 1  # [B, T or 1, 2C] in [-1, 1]
        a1, a2 = steps.chunk(2, dim=-1)
        a1 = a1 + 1  # around ReLU: the slopes are (1, 0) where the steps are 0
        if excitation is not None:
            a1, a2 = a1 * excitation, a2 * excitation
        return piecewise_linear(x, a1, a2)


def piecewise_linear(x: Tensor, a1: Tensor, a2: Tensor) -> Tensor:
    """max(a1 * x, a2 * x) of ``[B, C, T, H, W]``, which inference overwrites, with slopes ``[B, T or 1, C]``."""
    frames = rearrange(x, 'B C T H W -> B T (H W) C')
    a1, a2 = a1.unsqueeze(2), a2.unsqueeze(2)
    if torch.is_grad_enabled() or not runs_eagerly(x):
        y = torch.maximum(frames * a1, frames * a2)
        return rearrange(y, 'B T (H W) C -> B C T H W', H=x.shape[3])
    # A few frames at a time, for intermediates that stay in the cache.
    step = max(1, _CACHED // frames[0, 0].numel())
    for clip, *slopes in zip(frames, a1.expand(*frames.shape[:2], 1, -1), a2.expand(*frames.shape[:2], 1, -1)):
        for part, p1, p2 in zip(clip.split(step), *(slope.split(step) for slope in slopes)):
            torch.maximum(part * p1, part * p2, out=part)
    return x
