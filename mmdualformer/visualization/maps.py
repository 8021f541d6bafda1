"""Maps of clips: resized, and made comparable."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def enlarge(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Resize maps ``[B, t, h, w]`` to a clip's ``(T, H, W)``, linearly."""
    return F.interpolate(maps[:, None].float(), tuple(size), mode='trilinear')[:, 0]


def stretch(maps: Tensor) -> Tensor:
    """Scale maps ``[B, T, H, W]`` so that each goes from 0 to 1; one without any differences is 0."""
    least, most = maps.amin((1, 2, 3), keepdim=True), maps.amax((1, 2, 3), keepdim=True)
    span = most - least
    return (maps - least) / span.masked_fill(span == 0, 1)


def average(maps: Sequence[Tensor]) -> Tensor:
    """Average maps ``[B, T, H, W]`` that each have the same weight, whatever their scale."""
    return torch.stack([part / part.mean((1, 2, 3), keepdim=True).clamp_min(1e-20) for part in maps]).mean(0)
