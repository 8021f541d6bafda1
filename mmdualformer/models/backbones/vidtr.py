"""VidTr: Video Transformer Without Convolutions (arXiv:2104.11746).

Written from the paper. Where it is silent, or its released models (github.com/amazon-science/gluonmm) do otherwise, the
behaviour is theirs, with which this one agrees to float64 rounding; the docstrings name such places.

The blocks stand in the order in which a clip meets them. Tokens are ``[B, L, C]`` between layers. Within a layer they
are a grid, ``[B, T+1, H*W+1, C]`` for separable attention: row 0 holds the temporal class tokens, one for each place,
column 0 the spatial class tokens, one for each frame, and their intersection classifies the clip.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any, ClassVar, Literal, TypedDict

import torch
import torch.nn as nn
import torch.nn.functional as F
from einops import rearrange
from mmaction.registry import MODELS
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.models.arguments import (
    Depth,
    InitCfg,
    Positive,
    Share,
    Size,
    check_arguments,
    check_buildable,
    show,
)
from mmdualformer.models.layers import (
    Dropout,
    Mlp,
    TokenConv3d,
    accumulate_strides,
    count_steps,
    run_checkpointed,
    unview,
    varies,
)

from .base import VideoBackbone
from .vidtr_attention import (
    CompactAttention,
    GridAttention,
    JointAttention,
    Pooling,
    SeparableAttention,
    TemporalAttention,
    build_pooling,
)

# The axes of the grid of tokens, each of which stands for these axes of the clip. Attention goes along one after the
# other (Table 5b). 'spatial' is 'joint' attention within each frame.
_GRIDS = {
    'joint': ('THW',),
    'separable': ('T', 'HW'),
    'axial': ('T', 'H', 'W'),
    'spatial': ('HW',),
}


def resize_grid(
    grid: Tensor, old: Sequence[Sequence[int]], new: Sequence[Sequence[int]], class_first: Sequence[bool]
) -> Tensor:
    """Interpolate embeddings of a grid of tokens linearly to another clip; those of class tokens stay apart.

    Args:
        grid (Tensor): ``[n1, n2, ..., C]``; axis i holds ``prod(old[i])`` tokens, after a class token if
            ``class_first[i]``.
        old (sequence): For each axis the lengths of the axes of the clip that it stands for.
        new (sequence): These lengths of the other clip.
        class_first (sequence): For each axis whether it starts with a class token.

    Returns:
        Tensor: ``[m1, m2, ..., C]``.
    """
    modes = {1: 'linear', 2: 'bilinear', 3: 'trilinear'}
    for axis, (before, after, classes) in enumerate(zip(old, new, class_first)):
        if not any(map(varies, after)) and tuple(before) == tuple(after):
            continue
        cls, tokens = grid.split([int(classes), prod(before)], dim=axis)
        tokens = tokens.movedim(axis, -1)
        resized = F.interpolate(tokens.reshape(1, -1, *before), size=tuple(after), mode=modes[len(before)])
        grid = torch.cat([cls, resized.view(*tokens.shape[:-1], -1).movedim(-1, axis)], dim=axis)
    return grid


def sinusoids(lengths: Sequence[int], channels: int) -> Tensor:
    """Sines and cosines of the places on a grid, with wavelengths of 6 to 600 tokens.

    Args:
        lengths (sequence): Lengths of the grid's axes.
        channels (int): Channels for each axis, an even number.

    Returns:
        Tensor: ``[prod(lengths), len(lengths) * channels]``.
    """
    places = torch.cartesian_prod(*map(torch.arange, lengths)).view(-1, len(lengths), 1)
    angles = places * 100 ** -torch.linspace(0, 1, channels // 2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(1)


class GridEmbed(nn.Module):
    """Class tokens around the patches of a clip, and a position embedding for every cell (Sections 3.1 and 3.2.1).

    The position embedding begins as sines and cosines of a cell's place on each axis of the clip, and as zeros where
    a class token stands for the whole axis. The paper's models take it from ViT. From small random values it learns
    places so slowly that a compact VidTr, which has no class token for each place, hardly does.

    Args:
        dim (int): Channels.
        axes (sequence): Clip axes of each axis of the grid, such as ``('T', 'HW')``.
        size (tuple): Patches ``(t, h, w)`` of the clip that embeddings are stored for; others are interpolated.
    """

    def __init__(self, dim: int, axes: Sequence[str], size: Size) -> None:
        super().__init__()
        self.axes = axes
        self.size = size
        lengths = [prod(axis) for axis in self.axis_sizes(size)]
        # those at the head of an axis, for all tokens of the axes before and all cells of the axes after it
        self.cls_tokens = nn.ParameterList(
            torch.empty(*lengths[:i], 1, *(length + 1 for length in lengths[i + 1 :]), dim) for i in range(len(axes))
        )
        for tokens in self.cls_tokens:
            nn.init.trunc_normal_(tokens, std=0.02)
        self.position = nn.Parameter(self.initial_position(dim))

    def axis_sizes(self, size: Sequence[int]) -> list[tuple[int, ...]]:
        """Lengths of the clip's axes behind each axis of the grid, for patches ``(t, h, w)``."""
        lengths = dict(zip('THW', size))
        return [tuple(lengths[name] for name in axis) for axis in self.axes]

    def initial_position(self, dim: int) -> Tensor:
        """Sinusoids of all cells, ``[n1 + 1, n2 + 1, ..., dim]``."""
        sizes = self.axis_sizes(self.size)
        channels = dim // sum(map(len, sizes)) // 2 * 2
        tables = [F.pad(sinusoids(size, channels), (0, 0, 1, 0)) for size in sizes]  # class token, then places
        cells = torch.cartesian_prod(*(torch.arange(len(table)) for table in tables)).view(-1, len(tables))
        position = torch.cat([table[places] for table, places in zip(tables, cells.unbind(dim=1))], dim=1)
        return F.pad(position, (0, dim - position.shape[1])).view(*map(len, tables), dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map patches ``[B, T, H, W, C]`` to a grid ``[B, n1, n2, ..., C]`` and its position embedding."""
        old, new = self.axis_sizes(self.size), self.axis_sizes(x.shape[1:4])
        grid = x.reshape(-1, *map(prod, new), x.shape[-1])
        for i in reversed(range(len(self.axes))):
            # the axes before have no class tokens yet, the axes after have them, this one is nothing else
            cls = resize_grid(
                self.cls_tokens[i],
                [*old[:i], (), *old[i + 1 :]],
                [*new[:i], (), *new[i + 1 :]],
                [j > i for j in range(len(old))],
            )
            grid = torch.cat([cls.expand(x.shape[0], *cls.shape), grid], dim=i + 1)
        return grid, resize_grid(self.position, old, new, [True] * len(old))


class VidTrLayer(nn.Module):
    """Pre-norm residual attention and perceptron (Figure 1).

    Args:
        dim (int): Channels.
        attn (GridAttention): Attention.
        hidden_dim (int): Hidden width of the perceptron.
        act_cfg (dict): Activation of the perceptron.
        drop_rate (float): Dropout of the attention's output, and in and after the perceptron.
        with_cp (bool): Recompute parts of both branches in the backward pass to save memory. Defaults to False.
    """

    def __init__(
        self, dim: int, attn: GridAttention, hidden_dim: int, act_cfg: dict, drop_rate: float, with_cp: bool = False
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = attn
        self.drop = Dropout(drop_rate)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, hidden_dim, act_cfg, drop_rate)
        self.with_cp = with_cp

    def forward(
        self,
        x: Tensor,
        grid: Sequence[int],
        position: Tensor | None = None,
        pass_map: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Map ``[B, L, C]`` to ``[B, L', C]``.

        Args:
            x (Tensor): Tokens.
            grid (sequence): Lengths of the grid that they are.
            position (Tensor, optional): ``[L, C]``, added to what the attention takes (as in the released models; ViT
                adds it to the tokens). Defaults to None.
            pass_map (callable, optional): What the normalised tokens pass through first. Defaults to None.
        """
        attend, perceive = self.attend, self.perceive
        if self.with_cp and self.training:
            attend, perceive = (partial(run_checkpointed, self, method=branch) for branch in (attend, perceive))
        y, x = attend(x, grid, position, pass_map)
        x = x + self.drop(y)
        return x + self.drop(perceive(x))

    def attend(
        self,
        x: Tensor,
        grid: Sequence[int],
        position: Tensor | None,
        pass_map: Callable[[Tensor], Tensor] | None,
    ) -> tuple[Tensor, Tensor]:
        """The branch of the attention, and the stream that it is added to, ``[B, L', C]`` each."""
        y = self.norm1(x)
        if pass_map is not None:
            y = pass_map(y)
        if position is not None:
            y = y + position
        return self.attn(y, x, grid)

    def perceive(self, x: Tensor) -> Tensor:
        """The branch of the perceptron, ``[B, L, C]``."""
        return self.mlp(self.norm2(x))


Position = Literal['first', 'every']


class VidTrArch(TypedDict):
    """The transformer of a variant."""

    embed_dims: Positive
    num_layers: Depth
    num_heads: Positive
    feedforward_channels: Positive


class VidTrVariant(VidTrArch):
    """A row of Table 1."""

    frames: int
    position: Position
    pool_layers: tuple[int, ...]
    pool_frames: tuple[int, ...]


_VIT_BASE: VidTrArch = dict(embed_dims=768, num_layers=12, num_heads=12, feedforward_channels=3072)


@MODELS.register_module()
class VidTr(VideoBackbone):
    """The VidTr, compact VidTr and vanilla transformer video backbones.

    The output is the classification token, ``[B, C]``, which MMAction2's ``TimeSformerHead`` takes. The map that passes
    through ``feature_map`` is that of the patches which the last layer attends to, normalised: what leaves that layer
    at a patch reaches no score.

    Args:
        arch (str or dict): A row of Table 1, ``'small'``, ``'medium'``, ``'large'``, ``'compact_small'`` or
            ``'compact_medium'``, or a dict with ``embed_dims``, ``num_layers``, ``num_heads`` and
            ``feedforward_channels``. A row also has the clip length, the position and the pooling, where these
            arguments are None; a dict has 8 frames, ``'first'`` and no pooling.
        clip_size (tuple, optional): Frames, height and width that embeddings are stored for. Other clips, of at least
            one patch, have them interpolated. Defaults to None, 224 x 224 pixels and the frames of ``arch``.
        patch_size (tuple): ``(t, h, w)``; square patches have one frame, cubic ones several (Table 5a). Defaults to
            ``(1, 16, 16)``.
        attention (str): ``'separable'``, ``'joint'`` for the vanilla transformer, ``'spatial'`` within frames only, or
            ``'axial'`` along time, height and width (Table 5b). Defaults to ``'separable'``.
        pool_layers (sequence, optional): Layers, counted from 0, that shorten the clip (Tables 1, 5e and 5f). With any,
            the model is a compact one: there is one class token, attention is separable up to the last of these layers
            and joint after it. Defaults to None, those of ``arch``.
        pool_frames (sequence, optional): Temporal tokens after each of these layers, the paper's tau, for clips of
            ``clip_size``; other clips keep the same shares. Defaults to None, those of ``arch``.
        pooling (str): ``'topk_std'``, ``'avg'`` or ``'conv'``; the latter two halve time (Table 5d). Defaults to
            ``'topk_std'``.
        position (str, optional): ``'first'`` or ``'every'``: the layers whose attention gets the position embedding.
            Defaults to None, that of ``arch``.
        act_cfg (dict): Activation of the perceptrons. The paper and ViT have GELU, the released models ReLU. Defaults
            to ``dict(type='GELU')``.
        drop_rate (float): Dropout of the attention's output, and in and after the perceptrons. Defaults to 0.1.
        attn_drop_rate (float): Dropout of the attention matrices, as in the released models' training. PyTorch fuses it
            on GPUs only; on a CPU the matrices are made again in the backward pass. Defaults to 0.1.
        in_channels (int): Channels of the clip. Defaults to 3.
        out_indices (sequence, optional): Layers whose classification token is returned, in ascending order from 0;
            those after the last one are not built. That of the arch's last layer is normalised. Defaults to None, that
            one.
        output_maps (bool): Return with each classification token the map of the other tokens, ``[B, C, T, H, W]``, T
            of which pooling shortens. Defaults to False.
        frozen_stages (int): Layers 0 to ``frozen_stages``, and the embeddings of patches, classes and positions, are
            not trained and stay in eval mode. Defaults to -1, none.
        with_cp (bool): Recompute parts of each layer in the backward pass to save memory.
            Defaults to False.
        init_cfg (dict or list, optional): Initialisation, MMEngine's way. Defaults to Xavier's, as in the released
            models; the paper's models start from ViT, see ``Inflated``.

    Raises:
        UserError: An argument or a clip is unusable.

    Example:
        >>> import torch
        >>> from mmdualformer.models import VidTr
        >>> model = VidTr('small').eval()
        >>> model(torch.rand(1, 3, 8, 224, 224)).shape
        torch.Size([1, 768])
    """

    stage_name = 'layers'
    # Layers and position as in the released models; Table 1 prints layers 1, 2, 4 for both compact ones.
    arch_zoo: ClassVar[dict[str, VidTrVariant]] = {
        'small': dict(frames=8, position='first', pool_layers=(), pool_frames=(), **_VIT_BASE),
        'medium': dict(frames=16, position='every', pool_layers=(), pool_frames=(), **_VIT_BASE),
        'large': dict(frames=32, position='first', pool_layers=(), pool_frames=(), **_VIT_BASE),
        'compact_small': dict(frames=8, position='first', pool_layers=(1, 3, 5), pool_frames=(6, 4, 2), **_VIT_BASE),
        'compact_medium': dict(frames=16, position='first', pool_layers=(1, 2, 4), pool_frames=(8, 4, 2), **_VIT_BASE),
    }

    @check_arguments
    def __init__(
        self,
        arch: str | VidTrArch = 'small',
        clip_size: Size | None = None,
        patch_size: Size = (1, 16, 16),
        attention: Literal['separable', 'joint', 'spatial', 'axial'] = 'separable',
        pool_layers: Sequence[int] | None = None,
        pool_frames: Sequence[int] | None = None,
        pooling: Pooling = 'topk_std',
        position: Position | None = None,
        act_cfg: dict = dict(type='GELU'),
        drop_rate: Share = 0.1,
        attn_drop_rate: Share = 0.1,
        in_channels: Positive = 3,
        out_indices: Sequence[int] | None = None,
        output_maps: bool = False,
        frozen_stages: int = -1,
        with_cp: bool = False,
        init_cfg: InitCfg = dict(type='Xavier', layer='Linear', distribution='uniform'),
    ) -> None:
        variant: VidTrVariant = {**self.arch_zoo['small'], **self.look_up_arch(arch)}
        dim, num_layers, num_heads = variant['embed_dims'], variant['num_layers'], variant['num_heads']
        clip_size = (variant['frames'], 224, 224) if clip_size is None else clip_size
        pool_layers = variant['pool_layers'] if pool_layers is None else pool_layers
        pool_frames = variant['pool_frames'] if pool_frames is None else pool_frames
        position = variant['position'] if position is None else position
        out_indices = (num_layers - 1,) if out_indices is None else out_indices
        if dim % num_heads:
            raise UserError(f'arch.embed_dims={dim} must be a multiple of num_heads={num_heads}')
        if any(length < patch for length, patch in zip(clip_size, patch_size)):
            raise UserError(f'clip_size={clip_size} must be at least patch_size={patch_size}')
        check_buildable('act_cfg', act_cfg)
        size = count_steps(clip_size, patch_size)
        if pool_layers or pool_frames:
            self._check_pooling(pool_layers, pool_frames, pooling, size[0], num_layers, attention, position)

        # a clip shorter than a patch is a still one
        least_size = (1, patch_size[1], patch_size[2])
        super().__init__(num_layers, least_size, in_channels, out_indices, frozen_stages, with_cp, init_cfg)
        self.output_maps = output_maps
        self.within_frames = attention == 'spatial'
        self.is_compact = bool(pool_layers)
        self.last_pool = max(pool_layers, default=-1)
        self.position = position

        axes = _GRIDS['joint' if self.is_compact else attention]
        self.patch_embed = TokenConv3d(in_channels, dim, patch_size)
        self.grid_embed = GridEmbed(dim, axes, size)

        self.layers = nn.ModuleList()
        frames, kept_frames = size[0], dict(zip(pool_layers, pool_frames))
        for i in range(self.out_indices[-1] + 1):
            attn: GridAttention
            if i <= self.last_pool:
                temporal = TemporalAttention(num_heads, attn_drop_rate)
                if i in kept_frames:
                    temporal = build_pooling(pooling, dim, num_heads, attn_drop_rate, frames, kept_frames[i])
                    frames = kept_frames[i]
                attn = CompactAttention(dim, num_heads, attn_drop_rate, temporal)
            elif len(axes) == 1:
                attn = JointAttention(dim, num_heads, attn_drop_rate)
            else:
                attn = SeparableAttention(dim, num_heads, attn_drop_rate)
            self.layers.append(VidTrLayer(dim, attn, variant['feedforward_channels'], act_cfg, drop_rate, with_cp))
        self.norm = nn.LayerNorm(dim) if len(self.layers) == num_layers else nn.Identity()
        self.freeze()

    def forward(self, x: Tensor) -> Tensor | tuple:
        """Compute the classification token of clips.

        Args:
            x (Tensor): Clips ``[B, in_channels, T, H, W]``, each of T, H, W at least that of a patch.

        Returns:
            Tensor or tuple: ``[B, C]`` after the last layer, or with ``output_maps`` a pair ``[B, C, T, H, W]`` and
            ``[B, C]``; with several ``out_indices`` a tuple of one for each.

        Raises:
            UserError: The clip has another number of axes or channels, or is smaller than a patch.
        """
        self.check_clip(x)
        batch = x.shape[0]  # len(x) would be a constant of traced and exported models
        x = self.patch_embed(rearrange(x, 'B C T H W -> B T H W C'))
        size = x.shape[2:4]
        places = size[0] * size[1]
        if self.within_frames:
            x = rearrange(x, 'B T H W C -> (B T) 1 H W C')
        x, position = self.grid_embed(x)
        grid = (-1, places) if self.is_compact else (-1, *x.shape[2:-1])
        x, position = x.flatten(1, -2), position.flatten(0, -2)

        outs: list[Tensor | tuple[Tensor, Tensor]] = []
        for i, layer in enumerate(self.layers):
            pass_map = partial(self.pass_map, batch=batch, size=size) if i == len(self.layers) - 1 else None
            x = layer(x, grid, position if i == 0 or self.position == 'every' else None, pass_map)
            if i in self.out_indices:
                is_last = i == len(self.layers) - 1
                out = x[:, 0]
                out = self.norm(out) if is_last else out
                # spatial attention leaves one class token a frame; their average is the clip's (Section 4.2.4)
                out = out.unflatten(0, (batch, -1)).mean(dim=1) if self.within_frames else out
                if self.output_maps:
                    outs.append((self._map_of(self.norm(x) if is_last else x, batch, size).contiguous(), out))
                else:
                    outs.append(out)
        return outs[0] if len(outs) == 1 else tuple(outs)

    def pass_map(self, x: Tensor, batch: int, size: Sequence[int]) -> Tensor:
        """Pass the patches of tokens through ``feature_map``, as a map of places and times; class tokens stay apart.

        Args:
            x (Tensor): Tokens ``[B, L, C]``, or of each frame with spatial attention.
            batch (int): Clips B.
            size (sequence): Patches ``(H, W)`` of a frame. How many frames are left after pooling shows in L.
        """
        classes, grid = self._part(x, size)
        patches = rearrange(self.feature_map(self._map_of(x, batch, size)), 'B C T H W -> B (T H W) C')
        grid = patches.reshape(grid.shape)
        for axis in reversed(range(1, grid.ndim - 1)):
            grid = torch.cat([classes.pop(), grid], dim=axis)
        return grid.flatten(1, -2)

    def stage_map(self, stage: int, output: Tensor, size: Sequence[int]) -> Tensor:
        """View the patches of the tokens ``[B, L, C]`` that leave a layer as a map ``[B, C, T, H, W]``."""
        output = self.norm(output) if stage == len(self.layers) - 1 else output
        frames, *patches = count_steps(size, self.patch_embed.kernel_size)
        batch = len(output) // frames if self.within_frames else len(output)  # there are the frames of all clips
        return self._map_of(output, batch, patches)

    def _map_of(self, x: Tensor, batch: int, size: Sequence[int]) -> Tensor:
        """View the patches of tokens ``[B, L, C]`` as a map ``[B, C, T, H, W]``, with ``(H, W)`` patches a frame."""
        _, grid = self._part(x, size)
        return rearrange(grid.reshape(batch, -1, *size, grid.shape[-1]), 'B T H W C -> B C T H W')

    def _part(self, x: Tensor, size: Sequence[int]) -> tuple[list[Tensor], Tensor]:
        """Part tokens ``[B, L, C]``, ``(H, W)`` patches a frame, into the class tokens of each axis and the others."""
        lengths = dict(zip('THW', (-1, *size)))
        others = [1 + prod([lengths[name] for name in axis]) for axis in self.grid_embed.axes[1:]]
        grid = x.unflatten(1, (-1, *others))
        classes = []
        for axis in range(1, grid.ndim - 1):
            tokens, grid = grid.split([1, grid.shape[axis] - 1], dim=axis)
            classes.append(tokens)
        return classes, unview(grid)

    def list_blocks(self) -> list[nn.Module]:
        """The layers."""
        return list(self.layers)

    def stage_channels(self) -> list[int]:
        """Channels of the tokens that leave each layer."""
        layers: Any = self.layers
        return [layer.attn.proj.out_features for layer in layers]

    def stage_strides(self) -> list[tuple[float, int, int]]:
        """Products of the patch and of what pooling leaves of the frames; 4 / 3 where it keeps 6 of 8."""
        layers: Any = self.layers
        return accumulate_strides([self.patch_embed.kernel_size, *((layer.attn.shortening, 1, 1) for layer in layers)])[
            1:
        ]

    def frozen_parts(self) -> list[nn.Module]:
        """The embeddings and layers 0 to ``frozen_stages``, with the last one also the final norm."""
        frozen = list(self.layers[: self.frozen_stages + 1])
        return [self.patch_embed, self.grid_embed, *frozen, *([self.norm] if len(frozen) == len(self.layers) else [])]

    @staticmethod
    def _check_pooling(
        pool_layers: Sequence[int],
        pool_frames: Sequence[int],
        pooling: Pooling,
        frames: int,
        num_layers: int,
        attention: str,
        position: Position,
    ) -> None:
        """Check that layers of a model for clips of ``frames`` temporal tokens can shorten them so."""
        layers, tokens = f'pool_layers={show(pool_layers)}', f'pool_frames={show(pool_frames)}'
        if attention != 'separable':
            raise UserError(f"attention={attention!r} has no pooling; with {layers} it must be 'separable'")
        if position == 'every':
            raise UserError("position='every' does not fit tokens that pooling has shortened; it must be 'first'")
        if len(pool_layers) != len(pool_frames):
            raise UserError(f'{tokens} must have one entry for each of {layers}')
        if list(pool_layers) != sorted(set(pool_layers) & set(range(num_layers))):
            raise UserError(f'{layers} must name layers of 0 to {num_layers - 1} in their order')
        for layer, kept in zip(pool_layers, pool_frames):
            has = f'layer {layer} has {frames} temporal tokens for clip_size and patch_size'
            if not 0 < kept < frames:
                raise UserError(f'{tokens} must shrink: {has}')
            if pooling != 'topk_std' and kept != -(-frames // 2):
                raise UserError(f'{tokens} must halve for pooling={pooling!r}: {has}')
            frames = kept
