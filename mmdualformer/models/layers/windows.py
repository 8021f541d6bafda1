"""Cutting a map of tokens into boxes of a fixed size, when the box does not divide the map."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from mmdualformer.models.arguments import Size

from .sizes import count_steps, unview, varies


def extend(x: Tensor, axis: int, step: int) -> Tensor:
    """Repeat the last of an axis until ``step`` divides its length, by the same operators for every length."""
    length = x.shape[axis]
    places = torch.arange((length + step - 1) // step * step, device=x.device)
    return x.index_select(axis, places.clamp(max=length - 1))


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
    if any(map(varies, size)):
        return _partition_any(x, window)
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


def _partition_any(x: Tensor, window: Size) -> tuple[Tensor, Tensor]:
    """As :func:`partition_windows`, by operators that are the same for every size: all of it is padded and masked."""
    batch, *size = x.shape[:4]
    masks = []
    for axis, (length, step) in enumerate(zip(size, window), 1):
        x = extend(x, axis, step)
        masks.append((torch.arange(x.shape[axis], device=x.device) < length).unflatten(0, (-1, step)))
    patterns = ('T t -> T 1 1 t 1 1', 'H h -> 1 H 1 1 h 1', 'W w -> 1 1 W 1 1 w')
    real_t, real_h, real_w = map(rearrange, masks, patterns)
    mask = (real_t & real_h & real_w).flatten(3).flatten(0, 2).repeat(batch, 1)
    t, h, w = window
    x = unview(rearrange(x, 'B (T t) (H h) (W w) C -> B T H W t h w C', t=t, h=h, w=w))
    return x.flatten(4, 6).flatten(0, 3), mask


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
    if any(map(varies, size)):
        x = unview(rearrange(x, '(B T H W) (t h w) C -> B T t H h W w C', T=num_t, H=num_h, W=num_w, t=t, h=h, w=w))
        x = x.flatten(5, 6).flatten(3, 4).flatten(1, 2)
        for axis, length in enumerate(size, 1):
            x = x.index_select(axis, torch.arange(length, device=x.device))
        return x
    x = rearrange(x, '(B T H W) (t h w) C -> B (T t) (H h) (W w) C', T=num_t, H=num_h, W=num_w, t=t, h=h, w=w)
    return x[:, : size[0], : size[1], : size[2]]
