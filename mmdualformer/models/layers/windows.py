"""Cutting a map of tokens into boxes of a fixed size, when the box does not divide the map."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from mmdualformer.models.arguments import Size

from .sizes import count_steps


def partition_windows(x: Tensor, window: Size) -> tuple[Tensor, Tensor | None]:
    """Cut a map of tokens into non-overlapping windows, padding it where they do not fit.

    Args:
        x (Tensor): ``[B, T, H, W, C]``.
        window (tuple): Window size ``(t, h, w)``, at most the size of the map.

    Returns:
        tuple: The windows ``[B * windows, t * h * w, C]``, and the mask of their real tokens
        ``[B * windows, t * h * w]`` (bool), which is None when nothing was padded.
    """
    batch, *size = x.shape[:4]
    t, h, w = window
    pad = [-length % step for length, step in zip(size, window)]
    mask = None
    if any(pad):
        pad_t, pad_h, pad_w = pad
        x = F.pad(x, (0, 0, 0, pad_w, 0, pad_h, 0, pad_t))
        real = F.pad(torch.ones(size, dtype=torch.bool, device=x.device), (0, pad_w, 0, pad_h, 0, pad_t))
        mask = rearrange(real, '(T t) (H h) (W w) -> (T H W) (t h w)', t=t, h=h, w=w).repeat(batch, 1)
    x = rearrange(x, 'B (T t) (H h) (W w) C -> (B T H W) (t h w) C', t=t, h=h, w=w)
    return x, mask


def merge_windows(x: Tensor, window: Size, size: Sequence[int]) -> Tensor:
    """Put windows back into the map they were cut from; undoes :func:`partition_windows`.

    Args:
        x (Tensor): ``[B * windows, t * h * w, C]``.
        window (tuple): Window size ``(t, h, w)``.
        size (sequence): Size ``(T, H, W)`` of the map without padding.

    Returns:
        Tensor: ``[B, T, H, W, C]``.
    """
    (t, h, w), (num_t, num_h, num_w) = window, count_steps(size, window)
    x = rearrange(x, '(B T H W) (t h w) C -> B (T t) (H h) (W w) C', T=num_t, H=num_h, W=num_w, t=t, h=h, w=w)
    return x[:, : size[0], : size[1], : size[2]]
