from collections.abc import Iterator

import torch
import torch.nn as nn
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor
from torch.autograd.function import once_differentiable

from .tracing import runs_eagerly

_CACHED = 2**20  # numbers of an intermediate that stays in the cache


def frame_means(x: Tensor) -> Tensor:
    """Average each frame: ``[B, C, T, H, W]`` to ``[B, T, C]``."""
    if not runs_eagerly(x):
        return x.transpose(1, 2).mean((3, 4))
    # flattened first: PyTorch's reduction over two axes of a channels-last map is 15 times as slow on a CPU
    return rearrange(x, 'B C T H W -> B T (H W) C').mean(2)


class DynamicReLU(nn.Module):
    """max(a1 * x, a2 * x) for each channel, the slopes computed from a token (Dynamic ReLU, arXiv:2003.10027).

    At the frame level the slopes of a frame are computed from its average features too (Video Mobile-Former,
    "Extension of Transformer from 2D to 3D"). In inference on a CPU it works in place.

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
        means = frame_means(x) if self.frame_level else None
        a1, a2 = self.slopes(means, token, excitation)
        return piecewise_linear(x, a1, a2)

    def slopes(self, means: Tensor | None, token: Tensor, excitation: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compute the two slopes of each channel.

        Args:
            means (Tensor, optional): Average features of the frames ``[B, T, C]``; of use at the frame level only.
            token, excitation (Tensor): See :meth:`forward`.

        Returns:
            tuple[Tensor]: Two slopes ``[B, T or 1, C]``, the factors of ``excitation`` in them.
        """
        context = token
        if self.frame_level:
            assert means is not None
            means = means if excitation is None else means * excitation
            context = torch.cat([means, token.expand(-1, means.shape[1], -1)], dim=-1)
        steps = 2 * F.hardsigmoid(self.fc2(F.relu(self.fc1(context)))) - 1  # [B, T or 1, 2C] in [-1, 1]
        a1, a2 = steps.chunk(2, dim=-1)
        a1 = a1 + 1  # around ReLU: the slopes are (1, 0) where the steps are 0
        if excitation is not None:
            a1, a2 = a1 * excitation, a2 * excitation
        return a1, a2


def piecewise_linear(x: Tensor, a1: Tensor, a2: Tensor) -> Tensor:
    """max(a1 * x, a2 * x) of ``[B, C, T, H, W]``, which inference overwrites, with slopes ``[B, T or 1, C]``."""
    if not (runs_eagerly(x) and x.is_contiguous(memory_format=torch.channels_last_3d)):
        frames = x.transpose(1, 2)  # [B, T, C, H, W]
        a1, a2 = (slope[..., None, None] for slope in (a1, a2))
        return torch.maximum(frames * a1, frames * a2).transpose(1, 2)

    frames = rearrange(x, 'B C T H W -> (B T) (H W) C')
    a1, a2 = (slope.expand(-1, x.shape[2], -1).reshape(-1, 1, x.shape[1]) for slope in (a1, a2))  # [B*T, 1, C]
    if torch.is_grad_enabled():
        y = _PiecewiseLinear.apply(frames, a1, a2)
        return rearrange(y, '(B T) (H W) C -> B C T H W', B=x.shape[0], H=x.shape[3])
    for part, p1, p2 in _cached_parts(frames, a1, a2):
        torch.maximum(part * p1, part * p2, out=part)
    return x


class _PiecewiseLinear(torch.autograd.Function):
    """max(a1 * x, a2 * x) for frames ``[F, N, C]`` and slopes ``[F, 1, C]``, on a CPU."""

    @staticmethod
    def forward(ctx, x: Tensor, a1: Tensor, a2: Tensor) -> Tensor:
        ctx.save_for_backward(x, a1, a2)
        y = torch.empty_like(x)
        for part, p1, p2, out in _cached_parts(x, a1, a2, y):
            torch.maximum(part * p1, part * p2, out=out)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, a1, a2 = ctx.saved_tensors
        grad_x = torch.empty_like(x)
        grad_a1, grad_a2 = torch.empty_like(a1), torch.empty_like(a2)
        for g, part, p1, p2, *out in _cached_parts(grad, x, a1, a2, grad_x, grad_a1, grad_a2):
            first = (part * (p1 - p2) >= 0).to(part.dtype)  # 1 where a1 * x is the greater one
            torch.mul(g, torch.addcmul(p2, p1 - p2, first), out=out[0])
            both = g * part
            torch.sum(both * first, 1, keepdim=True, out=out[1])
            torch.sub(both.sum(1, keepdim=True), out[1], out=out[2])
        return grad_x, grad_a1, grad_a2


def _cached_parts(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Views of a few frames at a time of tensors ``[F, ...]``, so that intermediates stay in the cache."""
    step = max(1, _CACHED // tensors[0][0].numel())
    return zip(*(tensor.split(step) for tensor in tensors))
