"""Where the attention of each family looks, as maps of the clip's size.

What attention takes from a place is not its weight alone: a place of weight can have nothing to give. So the maps of
DualFormer and Video Mobile-Former have the length of what comes from a place (Kobayashi et al., arXiv:2004.10102).
Those of VidTr are the roll-out of its paper.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.models import DualFormer, VideoMobileFormer, VidTr
from mmdualformer.models.backbones.dualformer import GlobalPyramidAttention
from mmdualformer.models.backbones.video_mobile_former import LocalToGlobal, VideoMobileFormerBlock
from mmdualformer.models.listening import in_eval_mode, listen

from .maps import average, enlarge
from .rollout import has_roll_out, roll_out


def has_attention(model: nn.Module) -> bool:
    """Whether :func:`attention_maps` takes a backbone."""
    if isinstance(model, DualFormer):
        return any(isinstance(module, GlobalPyramidAttention) for module in model.modules())
    return isinstance(model, VideoMobileFormer) or has_roll_out(model)


@torch.no_grad()
def attention_maps(model: nn.Module, clips: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Draw where a backbone's attention looks.

    Args:
        model (nn.Module): A DualFormer with GP-MSA, a VideoMobileFormer, or a VidTr with separable attention and no
            pooling. It is run in eval mode, and is left as it was.
        clips (Tensor): ``[B, C, T, H, W]``.

    Returns:
        tuple: A map ``[B, T, H, W]`` of the clips' size, and what it is made of, by name: of a DualFormer the maps of
        its stages (:func:`pyramid_attention`), whose average it is; of a Video Mobile-Former those of its tokens
        (:func:`token_attention`), of which it is the first, as that classifies; of a VidTr its spatial and its temporal
        roll-out (:func:`~mmdualformer.visualization.roll_out`), whose product it is.

    Raises:
        UserError: The model has no such attention.
    """
    if not has_attention(model):
        raise UserError(
            f'this {type(model).__name__} has no attention to draw, as a DualFormer, a Video Mobile-Former or a VidTr '
            'with separable attention and no pooling have; Grad-CAM draws it'
        )
    if isinstance(model, DualFormer):
        parts = {f'stage {stage + 1}': maps for stage, maps in pyramid_attention(model, clips).items()}
        return average(list(parts.values())), parts
    if isinstance(model, VideoMobileFormer):
        tokens = token_attention(model, clips)
        parts = {f'token {i + 1}': maps for i, maps in enumerate(tokens.unbind(1))}
        return tokens[:, 0], parts
    assert isinstance(model, VidTr)
    (maps,) = roll_out(model, clips)
    size = clips.shape[2:]
    parts = dict(spatial=enlarge(maps.spatial, size), temporal=enlarge(maps.temporal, size))
    return enlarge(maps.spatial * maps.temporal, size), parts


@torch.no_grad()
def pyramid_attention(model: DualFormer, clips: Tensor) -> dict[int, Tensor]:
    """What the tokens of a stage take from each place of the clip through GP-MSA, on average.

    The head averages the tokens, so what their average takes is what reaches the score. A prior's share is spread over
    the places that it stands for, and the scales of a pyramid are added.

    Args:
        model (DualFormer): Run in eval mode.
        clips (Tensor): ``[B, C, T, H, W]``.

    Returns:
        dict: For each stage with GP-MSA, counted from 0, a map ``[B, T, H, W]`` of the clips' size, the average of its
        layers.
    """
    stages = [
        [module for module in stage.modules() if isinstance(module, GlobalPyramidAttention)] for stage in model.stages
    ]
    layers = [layer for stage in stages for layer in stage]
    modules = [module for layer in layers for module in (layer.q, layer.kv, *layer.scales.values())]
    with in_eval_mode(model), listen(modules) as outputs:
        model(clips)
    maps = {}
    for stage, attns in enumerate(stages):
        drawn = []
        for attn in attns:
            taken = _taken_by_average(attn, outputs[attn.q][-1], outputs[attn.kv][-1])  # [B, S]
            sizes = [outputs[scale][-1].shape[1:4] for scale in attn.scales.values()]
            parts = taken.split([size.numel() for size in sizes], dim=1)
            scales = [part.unflatten(1, size) * size.numel() for part, size in zip(parts, sizes)]
            drawn.append(torch.stack([enlarge(scale, clips.shape[2:]) for scale in scales]).sum(0))
        if drawn:
            maps[stage] = average(drawn)
    return maps


@torch.no_grad()
def token_attention(model: VideoMobileFormer, clips: Tensor) -> Tensor:
    """What each token takes from each place of the clip through the bridges from features to tokens.

    Args:
        model (VideoMobileFormer): Run in eval mode.
        clips (Tensor): ``[B, C, T, H, W]``.

    Returns:
        Tensor: ``[B, M, T, H, W]`` for the M tokens, of the clips' size, the average of all blocks. Tokens of frames
        look at their own frames.
    """
    blocks = [module for module in model.modules() if isinstance(module, VideoMobileFormerBlock)]
    bridges = [block.local_to_global for block in blocks]
    seen: dict[nn.Module, tuple] = {}

    def keep(module: nn.Module, args: tuple) -> None:
        seen[module] = args

    handles = [module.register_forward_pre_hook(keep) for module in (*blocks, *bridges)]
    try:
        with in_eval_mode(model):
            model(clips)
            drawn = []
            for block, bridge in zip(blocks, bridges):
                ((x, tokens),) = seen[block]
                groups = tokens.shape[1]
                taken = _taken_by_tokens(bridge, *seen[bridge])  # [B*groups, M, L]
                height, width = x.shape[3:]
                taken = taken.unflatten(2, (-1, height, width)).unflatten(0, (-1, groups))
                taken = taken.transpose(1, 2).flatten(2, 3)  # [B, M, T, H, W]
                maps = enlarge(taken.flatten(0, 1), clips.shape[2:])
                drawn.append(maps)
    finally:
        for handle in handles:
            handle.remove()
    return average(drawn).unflatten(0, (len(clips), -1))


def _taken_by_average(attn: GlobalPyramidAttention, queries: Tensor, keys_values: Tensor) -> Tensor:
    """Length of what the average query takes from each prior, ``[B, S]``, given ``[B, N, C]`` and ``[B, S, 2C]``."""
    keys, values = keys_values.chunk(2, dim=-1)
    taken = torch.zeros_like(values)
    heads = zip(*(part.chunk(attn.num_heads, -1) for part in (queries, keys, values, attn.proj.weight)))
    for q, k, v, weight in heads:  # one after the other, as a matrix of all is large
        share = (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1).mean(1)  # [B, S]
        taken += (share[..., None] * v) @ weight.mT
    return taken.norm(dim=-1)


def _taken_by_tokens(bridge: LocalToGlobal, x: Tensor, tokens: Tensor) -> Tensor:
    """Length of what each token takes from each feature, ``[N, M, L]``, given ``[N, L, C]`` and ``[N, M, D]``."""
    queries, gates = bridge.q(tokens) * bridge.scale, 2 * F.hardsigmoid(bridge.gate(tokens))
    heads = list(zip(*(part.chunk(bridge.num_heads, -1) for part in (queries, gates, x, bridge.proj.weight))))
    shares = [(q @ features.mT).softmax(-1) for q, _, features, _ in heads]
    taken = []
    for i in range(tokens.shape[1]):
        parts = (
            share[:, i, :, None] * ((features * gate[:, i : i + 1]) @ weight.mT)
            for share, (_, gate, features, weight) in zip(shares, heads)
        )
        taken.append(torch.stack(list(parts)).sum(0).norm(dim=-1))
    return torch.stack(taken, dim=1)
