"""Where VidTr looks: roll-out (Abnar and Zuidema, arXiv:2005.00928) of its separable attention (VidTr, Figure 3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn as nn
from einops import rearrange
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.models import VidTr
from mmdualformer.models.backbones.vidtr_attention import SeparableAttention
from mmdualformer.models.listening import in_eval_mode, listen


@dataclass(frozen=True)
class RollOut:
    """Roll-out maps, all of patches.

    Attributes:
        spatial (Tensor): How much of each place reaches the class token of its frame, ``[B, T, H, W]``. The places of a
            frame and its class token sum to one.
        temporal (Tensor): How much of each frame reaches the class token of its place, ``[B, T, H, W]``. The frames of
            a place and its class token sum to one.
    """

    spatial: Tensor
    temporal: Tensor


def has_roll_out(model: nn.Module) -> bool:
    """Whether :func:`roll_out` takes a backbone: a VidTr with separable attention and without pooling."""
    if not isinstance(model, VidTr) or len(model.grid_embed.axes) != 2:
        return False
    return all(isinstance(layer.attn, SeparableAttention) for layer in model.layers)


def separable_attention(model: VidTr, clips: Tensor) -> tuple[list[tuple[Tensor, Tensor]], tuple[int, int, int]]:
    """Compute the attention matrices of every layer, the mean of its heads.

    Args:
        model (VidTr): With separable attention and without pooling; it is run in eval mode.
        clips (Tensor): ``[B, C, T, H, W]``.

    Returns:
        tuple: For each layer its temporal matrices ``[B, H*W + 1, T + 1, T + 1]`` and spatial matrices
        ``[B, T + 1, H*W + 1, H*W + 1]``, in patches, index 0 being the class token; and the patches ``(T, H, W)``.

    Raises:
        UserError: The model has other attention.
    """
    if not has_roll_out(model):
        raise UserError(
            f'the roll-out is that of separable attention; the {type(model).__name__} must be a '
            "VidTr with attention='separable' and no pool_layers"
        )
    attns = [layer.attn for layer in model.layers if isinstance(layer.attn, SeparableAttention)]
    with in_eval_mode(model), torch.no_grad(), listen([model.patch_embed, *(attn.qkv for attn in attns)]) as outputs:
        model(clips)

    patches, *projections = (outputs[module][-1] for module in (model.patch_embed, *(attn.qkv for attn in attns)))
    size = tuple(patches.shape[1:4])
    attention = []
    for attn, qkv in zip(attns, projections):
        q, k, _ = qkv.unflatten(1, (size[0] + 1, -1)).chunk(3, dim=-1)
        matrices = []
        for pattern in ('B T N (heads d) -> B N heads T d', 'B T N (heads d) -> B T heads N d'):
            queries, keys = (rearrange(x, pattern, heads=attn.num_heads) for x in (q, k))
            scores = queries @ keys.mT * queries.shape[-1] ** -0.5
            matrices.append(scores.softmax(dim=-1).mean(dim=2))
        attention.append(tuple(matrices))
    return attention, size


def roll_out(model: VidTr, clips: Tensor, layers: Sequence[int] | None = None) -> list[RollOut]:
    """Follow the class tokens' attention from a layer to the patches, half of each layer being its residual.

    Spatial and temporal attention are rolled out each for itself, as in Figure 3.

    Args:
        model (VidTr): With separable attention and without pooling.
        clips (Tensor): ``[B, C, T, H, W]``.
        layers (sequence, optional): Layers to start from, the first being 1; Figure 3b has 4, 8 and 12. Default: the
            last.

    Returns:
        list: The maps of each of ``layers``.

    Raises:
        UserError: The model has other attention, or has no such layer.
    """
    attention, size = separable_attention(model, clips)
    layers = [len(attention)] if layers is None else layers
    if not all(1 <= layer <= len(attention) for layer in layers):
        raise UserError(f'layers {list(layers)} must be from 1 to {len(attention)}, the layers of the model')
    temporal, spatial = zip(*attention)
    return [
        RollOut(
            spatial=_follow(spatial[:layer])[:, 1:, 1:].unflatten(2, size[1:]),
            temporal=_follow(temporal[:layer])[:, 1:, 1:].mT.unflatten(2, size[1:]),
        )
        for layer in layers
    ]


def _follow(matrices: tuple[Tensor, ...]) -> Tensor:
    """Weights ``[B, M, N]`` with which tokens reach token 0, given each layer's matrices ``[B, M, N, N]``."""
    weights = torch.zeros_like(matrices[0][:, :, :1])
    weights[..., 0] = 1
    for matrix in reversed(matrices):
        weights = (weights + weights @ matrix) / 2
    return weights.squeeze(2)
