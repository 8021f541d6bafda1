"""The attention of VidTr (Sections 3.1 and 3.2): joint, separable, and that of compact VidTr, which shortens the clip.

Tokens are a grid, ``[B, n1, n2, ..., C]``, as in :mod:`mmdualformer.models.backbones.vidtr`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import Literal

import torch
import torch.nn as nn
from einops import rearrange
from torch import Tensor

from mmdualformer.models.layers import apply_linear, multi_head_attention, unview, varies

Pooling = Literal['topk_std', 'avg', 'conv']


class AxisAttention(nn.Module, ABC):
    """Base of what attends along one axis of grids of tokens, separately for each place on the others.

    Args:
        num_heads (int): Attention heads.
        drop_rate (float): Dropout of the attention matrices.
    """

    def __init__(self, num_heads: int, drop_rate: float = 0.0) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.drop_rate = drop_rate

    def attend(self, axis: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend along an axis of ``[B, n1, n2, ..., C]``: those before it are a batch, the places after it heads."""
        num_heads = prod(q.shape[axis + 1 : -1]) * self.num_heads
        dropout = self.drop_rate if self.training else 0.0
        shape = v.shape
        q, k, v = (x.flatten(axis + 1).flatten(0, axis - 1) for x in (q, k, v))
        return multi_head_attention(q, k, v, num_heads, dropout=dropout).reshape(shape)


class GridAttention(AxisAttention):
    """Base of the attention of a layer: queries, keys and values of the tokens, and a projection of what comes out.

    Args:
        dim (int): Channels.
        num_heads (int): Attention heads.
        drop_rate (float): Dropout of the attention matrices.
    """

    shortening = Fraction(1)  # frames that enter to one that leaves

    def __init__(self, dim: int, num_heads: int, drop_rate: float) -> None:
        super().__init__(num_heads, drop_rate)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def project(self, x: Tensor, grid: Sequence[int]) -> tuple[Tensor, ...]:
        """Queries, keys and values of a grid of tokens, each contiguous, so that no axis needs copies of its own."""
        return tuple(part.contiguous() for part in apply_linear(self.qkv, x).unflatten(1, grid).chunk(3, dim=-1))

    @abstractmethod
    def forward(self, x: Tensor, residual: Tensor, grid: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            x (Tensor): Normalised tokens ``[B, L, C]``.
            residual (Tensor): Tokens of the residual stream ``[B, L, C]``, which pooling shortens as well.
            grid (sequence): Lengths of the grid that the tokens are; the first is -1, as pooling changes it.

        Returns:
            tuple[Tensor]: What is added to the residual stream, and the stream, ``[B, L', C]`` each.
        """


class JointAttention(GridAttention):
    """Vanilla attention of all tokens to all (Section 3.1)."""

    def forward(self, x: Tensor, residual: Tensor, grid: Sequence[int]) -> tuple[Tensor, Tensor]:
        """See :meth:`GridAttention.forward`."""
        q, k, v = apply_linear(self.qkv, x).chunk(3, dim=-1)
        return apply_linear(self.proj, self.attend(1, q, k, v)), residual


class SeparableAttention(GridAttention):
    """MSA_s(MSA_t(x)) (Section 3.2.1, Equation 1): attention along time, then over space.

    The queries and keys of all axes are the same, and the values along one are what the axis before put out; the
    paper's Equations 5 and 8 read as if there were projections between, the released models have none.
    """

    def forward(self, x: Tensor, residual: Tensor, grid: Sequence[int]) -> tuple[Tensor, Tensor]:
        """See :meth:`GridAttention.forward`."""
        q, k, v = self.project(x, grid)  # [B, T+1, H*W+1, C]
        for axis in range(1, len(grid) + 1):
            v = self.attend(axis, q, k, v)
        return apply_linear(self.proj, v.flatten(1, -2)), residual


class TemporalAttention(AxisAttention):
    """MSA_t of patches without class tokens (Equation 2)."""

    shortening = Fraction(1)  # frames that enter to one that leaves

    def forward(self, q: Tensor, k: Tensor, v: Tensor, residual: Tensor) -> tuple[Tensor, ...]:
        """Attend along time, and shorten the clip where there is pooling.

        Args:
            q, k, v, residual (Tensor): ``[B, T, N, C]`` each.

        Returns:
            tuple[Tensor]: Queries, keys, the attention's output and the residual stream, ``[B, T', N, C]`` each.
        """
        return q, k, self.attend(1, q, k, v), residual


class TopKStdPooling(TemporalAttention):
    """pool_topK_std (Section 3.2.2, Equations 3, 9-11): keep the frames whose attention is the least uniform.

    They are chosen anew for each head and place, and stay in their order. A second softmax over the rows that are kept
    is the released models', as is the unbiased standard deviation.

    Args:
        num_heads (int): Attention heads.
        drop_rate (float): Dropout of the attention matrices, not of those that choose frames.
        before, after (int): Of ``before`` frames ``after`` are kept, and of other clips that share, rounded up.
    """

    def __init__(self, num_heads: int, drop_rate: float, before: int, after: int) -> None:
        super().__init__(num_heads, drop_rate)
        self.before = before
        self.after = after
        self.shortening = Fraction(before, after)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, residual: Tensor) -> tuple[Tensor, ...]:
        """See :meth:`TemporalAttention.forward`."""
        length = q.shape[1]
        kept = (length * self.after + self.before - 1) // self.before
        if not varies(length) and kept == length:
            return super().forward(q, k, v, residual)
        q, k, v, residual = (
            rearrange(x, 'B T N (heads d) -> B N heads T d', heads=self.num_heads) for x in (q, k, v, residual)
        )
        attn = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(dim=-1)  # [B, N, heads, T, T]
        frames = attn.std(dim=-1).topk(kept).indices.sort().values[..., None]  # [B, N, heads, T', 1]

        def keep(x: Tensor) -> Tensor:
            return x.gather(-2, frames.expand(*frames.shape[:-1], x.shape[-1]))

        rows = keep(attn)
        again = rows.softmax(dim=-1)
        if varies(length):  # where all are kept, there is no pooling, and so no second softmax
            is_shorter = torch.arange(1, device=v.device) + kept < length
            again = torch.where(is_shorter, again, rows)
        kept_parts = keep(q), keep(k), again @ v, keep(residual)
        return tuple(unview(rearrange(x, 'B N heads T d -> B T N (heads d)')) for x in kept_parts)


class HalvingPooling(TemporalAttention):
    """The uniform poolings of Table 5d, which halve time: an average of two frames, or a 1-D convolution of stride 2.

    Pooling the rows of the attention matrix (Equation 3) is pooling its output. The queries and keys of the spatial
    attention and the residual stream are pooled alike, as they are gathered alike in :class:`TopKStdPooling`. The paper
    says no more of the convolution; ours has a kernel of three frames for each channel, and begins as every second
    frame.

    Args:
        num_heads (int): Attention heads.
        drop_rate (float): Dropout of the attention matrices.
        dim (int): Channels.
        kind (str): ``'avg'`` or ``'conv'``.
    """

    shortening = Fraction(2)

    def __init__(self, num_heads: int, drop_rate: float, dim: int, kind: Literal['avg', 'conv']) -> None:
        super().__init__(num_heads, drop_rate)
        self.pool: nn.AvgPool1d | nn.Conv1d
        if kind == 'avg':
            self.pool = nn.AvgPool1d(2, ceil_mode=True)
        else:
            self.pool = nn.Conv1d(dim, dim, 3, stride=2, padding=1, groups=dim, bias=False)
            nn.init.dirac_(self.pool.weight, groups=dim)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, residual: Tensor) -> tuple[Tensor, ...]:
        """See :meth:`TemporalAttention.forward`."""
        return tuple(map(self.halve, super().forward(q, k, v, residual)))

    def halve(self, x: Tensor) -> Tensor:
        """Map ``[B, T, N, C]`` to ``[B, T/2, N, C]``, rounded up."""
        batch = x.shape[0]
        x = self.pool(rearrange(x, 'B T N C -> (B N) C T'))
        return unview(rearrange(x, '(B N) C T -> B T N C', B=batch))


def build_pooling(
    pooling: Pooling, dim: int, num_heads: int, drop_rate: float, before: int, after: int
) -> TemporalAttention:
    """Build one of the poolings of Table 5d, from ``before`` to ``after`` frames; see the classes."""
    if pooling == 'topk_std':
        return TopKStdPooling(num_heads, drop_rate, before, after)
    return HalvingPooling(num_heads, drop_rate, dim, pooling)


class CompactAttention(GridAttention):
    """Separable attention of compact VidTr (Section 3.2.2), with temporal pooling in some layers.

    The clip's only class token takes no part (the released models'): what it adds to itself is its normalised input.

    Args:
        dim (int): Channels.
        num_heads (int): Attention heads.
        drop_rate (float): Dropout of the attention matrices.
        temporal (TemporalAttention): Attention along time, with or without pooling.
    """

    def __init__(self, dim: int, num_heads: int, drop_rate: float, temporal: TemporalAttention) -> None:
        super().__init__(dim, num_heads, drop_rate)
        self.temporal = temporal
        self.shortening = temporal.shortening

    def forward(self, x: Tensor, residual: Tensor, grid: Sequence[int]) -> tuple[Tensor, Tensor]:
        """See :meth:`GridAttention.forward`; the grid is that of the tokens after the class token."""
        q, k, v = self.project(unview(x[:, 1:]), grid)  # [B, T, H*W, C]
        q, k, v, tokens = self.temporal(q, k, v, unview(residual[:, 1:]).unflatten(1, grid))
        v = apply_linear(self.proj, self.attend(2, q, k, v))
        return torch.cat([x[:, :1], v.flatten(1, 2)], dim=1), torch.cat([residual[:, :1], tokens.flatten(1, 2)], dim=1)
