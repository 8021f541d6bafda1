"""VidTr: Video Transformer Without Convolutions (arXiv:2104.11746).

Written from the paper. Where it is silent, or its released models (github.com/amazon-science/gluonmm) do otherwise, the
behaviour is theirs, with which this one agrees to float64 rounding; the docstrings name such places.

The blocks stand in the order in which a clip meets them. Tokens are ``[B, L, C]`` between layers. Within a layer they
are a grid, ``[B, T+1, H*W+1, C]`` for separable attention: row 0 holds the temporal class tokens, one for each place,
column 0 the spatial class tokens, one for each frame, and their intersection classifies the clip.
"""

from collections.abc import Mapping, Sequence
from math import prod

import torch
import torch.nn as nn
import torch.nn.functional as F
from einops import rearrange
from mmaction.registry import MODELS
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.models.layers import Mlp, Size, TokenConv3d, multi_head_attention, run_checkpointed

from .base import VideoBackbone

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
        if tuple(before) == tuple(after):
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

    def axis_sizes(self, size: Size) -> list[tuple[int, ...]]:
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


class AxisAttention(nn.Module):
    """Multi-head attention along one axis of grids of tokens, separately for each place on the others.

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
        x = multi_head_attention(
            *(x.flatten(axis + 1).flatten(0, axis - 1) for x in (q, k, v)),
            prod(q.shape[axis + 1 : -1]) * self.num_heads,
            dropout=self.drop_rate if self.training else 0.0,
        )
        return x.reshape(v.shape)


class JointAttention(AxisAttention):
    """Vanilla attention of all tokens to all (Section 3.1).

    Args:
        dim (int): Channels.
        num_heads (int): Attention heads.
        drop_rate (float): Dropout of the attention matrices.
    """

    def __init__(self, dim: int, num_heads: int, drop_rate: float) -> None:
        super().__init__(num_heads, drop_rate)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def project(self, x: Tensor, grid: Sequence[int]) -> tuple[Tensor, ...]:
        """Queries, keys and values of a grid of tokens, each contiguous, so that no axis needs copies of its own."""
        return tuple(part.contiguous() for part in self.qkv(x).unflatten(1, grid).chunk(3, dim=-1))

    def forward(self, x: Tensor, residual: Tensor, grid: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            x (Tensor): Normalised tokens ``[B, L, C]``.
            residual (Tensor): Tokens of the residual stream ``[B, L, C]``, which pooling shortens as well.
            grid (sequence): Lengths of the grid that the tokens are; the first is -1, as pooling changes it.

        Returns:
            tuple[Tensor]: What is added to the residual stream, and the stream, ``[B, L', C]`` each.
        """
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        return self.proj(self.attend(1, q, k, v)), residual


class SeparableAttention(JointAttention):
    """MSA_s(MSA_t(x)) (Section 3.2.1, Equation 1): attention along time, then over space.

    The queries and keys of all axes are the same, and the values along one are what the axis before put out; the
    paper's Equations 5 and 8 read as if there were projections between, the released models have none.
    """

    def forward(self, x: Tensor, residual: Tensor, grid: Sequence[int]) -> tuple[Tensor, Tensor]:
        """See :meth:`JointAttention.forward`."""
        q, k, v = self.project(x, grid)  # [B, T+1, H*W+1, C]
        for axis in range(1, len(grid) + 1):
            v = self.attend(axis, q, k, v)
        return self.proj(v.flatten(1, -2)), residual


class TemporalAttention(AxisAttention):
    """MSA_t of patches without class tokens (Equation 2)."""

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

    def forward(self, q: Tensor, k: Tensor, v: Tensor, residual: Tensor) -> tuple[Tensor, ...]:
        """See :meth:`TemporalAttention.forward`."""
        kept = -(-q.shape[1] * self.after // self.before)
        if kept == q.shape[1]:
            return super().forward(q, k, v, residual)
        q, k, v, residual = (
            rearrange(x, 'B T N (heads d) -> B N heads T d', heads=self.num_heads) for x in (q, k, v, residual)
        )
        attn = (q * q.shape[-1] ** -0.5 @ k.mT).softmax(dim=-1)  # [B, N, heads, T, T]
        frames = attn.std(dim=-1).topk(kept).indices.sort().values[..., None]  # [B, N, heads, T', 1]

        def keep(x: Tensor) -> Tensor:
            return x.gather(-2, frames.expand(*frames.shape[:-1], x.shape[-1]))

        v = keep(attn).softmax(dim=-1) @ v
        return tuple(rearrange(x, 'B N heads T d -> B T N (heads d)') for x in (keep(q), keep(k), v, keep(residual)))


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

    def __init__(self, num_heads: int, drop_rate: float, dim: int, kind: str) -> None:
        super().__init__(num_heads, drop_rate)
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
        return rearrange(x, '(B N) C T -> B T N C', B=batch)


class CompactAttention(JointAttention):
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

    def forward(self, x: Tensor, residual: Tensor, grid: Sequence[int]) -> tuple[Tensor, Tensor]:
        """See :meth:`JointAttention.forward`; the grid is that of the tokens after the class token."""
        q, k, v = self.project(x[:, 1:], grid)  # [B, T, H*W, C]
        q, k, v, tokens = self.temporal(q, k, v, residual[:, 1:].unflatten(1, grid))
        v = self.proj(self.attend(2, q, k, v))
        return torch.cat([x[:, :1], v.flatten(1, 2)], dim=1), torch.cat([residual[:, :1], tokens.flatten(1, 2)], dim=1)


class VidTrLayer(nn.Module):
    """Pre-norm residual attention and perceptron (Figure 1).

    Args:
        dim (int): Channels.
        attn (JointAttention): Attention.
        hidden_dim (int): Hidden width of the perceptron.
        act_cfg (dict): Activation of the perceptron.
        drop_rate (float): Dropout of the attention's output and in the perceptron.
    """

    def __init__(self, dim: int, attn: JointAttention, hidden_dim: int, act_cfg: dict, drop_rate: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = attn
        self.drop = nn.Dropout(drop_rate)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, hidden_dim, act_cfg, drop_rate)

    def forward(self, x: Tensor, grid: Sequence[int], position: Tensor | None = None) -> Tensor:
        """Map ``[B, L, C]`` to ``[B, L', C]``.

        Args:
            x (Tensor): Tokens.
            grid (sequence): Lengths of the grid that they are.
            position (Tensor, optional): ``[L, C]``, added to what the attention takes (as in the released models; ViT
                adds it to the tokens). Defaults to None.
        """
        y = self.norm1(x)
        if position is not None:
            y = y + position
        y, x = self.attn(y, x, grid)
        x = x + self.drop(y)
        return x + self.mlp(self.norm2(x))


@MODELS.register_module()
class VidTr(VideoBackbone):
    """The VidTr, compact VidTr and vanilla transformer video backbones.

    The output is the classification token, ``[B, C]``, which MMAction2's ``TimeSformerHead`` takes.

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
        drop_rate (float): Dropout of the attention's output and in the perceptrons. Defaults to 0.1.
        attn_drop_rate (float): Dropout of the attention matrices, as in the released models' training. PyTorch fuses it
            on GPUs only. Defaults to 0.1.
        in_channels (int): Channels of the clip. Defaults to 3.
        out_indices (sequence, optional): Layers whose classification token is returned, in ascending order from 0;
            those after the last one are not built. That of the arch's last layer is normalised. Defaults to None, that
            one.
        frozen_stages (int): Layers 0 to ``frozen_stages``, and the embeddings of patches, classes and positions, are
            not trained and stay in eval mode. Defaults to -1, none.
        with_cp (bool): Recompute each layer in the backward pass to save memory. Defaults to False.
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
    _vit_base = dict(embed_dims=768, num_layers=12, num_heads=12, feedforward_channels=3072)
    # Layers and position as in the released models; Table 1 prints layers 1, 2, 4 for both compact ones.
    arch_zoo = {
        'small': dict(frames=8, position='first', pool_layers=(), pool_frames=(), **_vit_base),
        'medium': dict(frames=16, position='every', pool_layers=(), pool_frames=(), **_vit_base),
        'large': dict(frames=32, position='first', pool_layers=(), pool_frames=(), **_vit_base),
        'compact_small': dict(frames=8, position='first', pool_layers=(1, 3, 5), pool_frames=(6, 4, 2), **_vit_base),
        'compact_medium': dict(frames=16, position='first', pool_layers=(1, 2, 4), pool_frames=(8, 4, 2), **_vit_base),
    }

    def __init__(
        self,
        arch: str | dict[str, int] = 'small',
        clip_size: Size | None = None,
        patch_size: Size = (1, 16, 16),
        attention: str = 'separable',
        pool_layers: Sequence[int] | None = None,
        pool_frames: Sequence[int] | None = None,
        pooling: str = 'topk_std',
        position: str | None = None,
        act_cfg: dict = dict(type='GELU'),
        drop_rate: float = 0.1,
        attn_drop_rate: float = 0.1,
        in_channels: int = 3,
        out_indices: Sequence[int] | None = None,
        frozen_stages: int = -1,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = dict(type='Xavier', layer='Linear', distribution='uniform'),
    ) -> None:
        arch = self._get_arch(arch)
        dim, num_layers, num_heads = arch['embed_dims'], arch['num_layers'], arch['num_heads']
        clip_size = (arch['frames'], 224, 224) if clip_size is None else tuple(clip_size)
        pool_layers = arch['pool_layers'] if pool_layers is None else tuple(pool_layers)
        pool_frames = arch['pool_frames'] if pool_frames is None else tuple(pool_frames)
        position = arch['position'] if position is None else position
        out_indices = (num_layers - 1,) if out_indices is None else tuple(out_indices)
        if attention not in _GRIDS:
            raise UserError(f'attention={attention!r} must be one of {sorted(_GRIDS)}')
        if pooling not in ('topk_std', 'avg', 'conv'):
            raise UserError(f"pooling={pooling!r} must be 'topk_std', 'avg' or 'conv'")
        if pool_layers and attention != 'separable':
            raise UserError(
                f"attention={attention!r} has no pooling; with pool_layers={pool_layers} it must be 'separable'"
            )
        if position not in ('first', 'every'):
            raise UserError(f"position={position!r} must be 'first' or 'every'")
        if pool_layers and position == 'every':
            raise UserError("position='every' does not fit tokens that pooling has shortened; it must be 'first'")
        self.check_sizes(dict(clip_size=clip_size, patch_size=patch_size))
        if any(length < patch for length, patch in zip(clip_size, patch_size)):
            raise UserError(f'clip_size={clip_size} must be at least patch_size={tuple(patch_size)}')

        patch_size = tuple(patch_size)
        # a clip shorter than a patch is a still one
        super().__init__(num_layers, (1, *patch_size[1:]), in_channels, out_indices, frozen_stages, with_cp, init_cfg)
        self.within_frames = attention == 'spatial'
        self.is_compact = bool(pool_layers)
        self.last_pool = max(pool_layers, default=-1)
        self.position = position

        size = tuple(-(-length // step) for length, step in zip(clip_size, patch_size))
        self.patch_embed = TokenConv3d(in_channels, dim, patch_size)
        self.grid_embed = GridEmbed(dim, _GRIDS['joint' if self.is_compact else attention], size)

        self.layers = nn.ModuleList()
        heads = (num_heads, attn_drop_rate)
        temporal = self._build_temporal(heads, pooling, pool_layers, pool_frames, size[0], num_layers, dim)
        for i in range(self.out_indices[-1] + 1):
            if i <= self.last_pool:
                attn = CompactAttention(dim, *heads, temporal[i])
            elif self.is_compact or len(_GRIDS[attention]) == 1:
                attn = JointAttention(dim, *heads)
            else:
                attn = SeparableAttention(dim, *heads)
            self.layers.append(VidTrLayer(dim, attn, arch['feedforward_channels'], act_cfg, drop_rate))
        self.norm = nn.LayerNorm(dim) if len(self.layers) == num_layers else nn.Identity()
        self.freeze()

    @classmethod
    def _get_arch(cls, arch: str | dict) -> dict:
        if isinstance(arch, Mapping):
            arch = {**cls.arch_zoo['small'], **cls.look_up_arch(arch, tuple(cls._vit_base))}
        else:
            arch = cls.look_up_arch(arch, ())
        if min(arch[key] for key in cls._vit_base) < 1:
            raise UserError(f'arch={arch} must have positive numbers only')
        if arch['embed_dims'] % arch['num_heads']:
            raise UserError(f'embed_dims={arch["embed_dims"]} must be a multiple of num_heads={arch["num_heads"]}')
        return arch

    @staticmethod
    def _build_temporal(
        heads: tuple[int, float],
        pooling: str,
        pool_layers: Sequence[int],
        pool_frames: Sequence[int],
        frames: int,
        num_layers: int,
        dim: int,
    ) -> list[TemporalAttention]:
        """The temporal attention of each layer of a compact model, pooling where it is to pool."""
        if len(pool_layers) != len(pool_frames):
            raise UserError(f'pool_frames={pool_frames} must have one entry for each of pool_layers={pool_layers}')
        if list(pool_layers) != sorted(set(pool_layers) & set(range(num_layers))):
            raise UserError(f'pool_layers={pool_layers} must name layers of 0 to {num_layers - 1} in their order')
        temporal = [TemporalAttention(*heads) for _ in range(num_layers)]
        for layer, kept in zip(pool_layers, pool_frames):
            if not 0 < kept < frames:
                raise UserError(f'pool_frames={pool_frames} must shrink: layer {layer} has {frames} temporal tokens')
            if pooling == 'topk_std':
                temporal[layer] = TopKStdPooling(*heads, frames, kept)
            elif kept == -(-frames // 2):
                temporal[layer] = HalvingPooling(*heads, dim, pooling)
            else:
                raise UserError(
                    f'pool_frames={pool_frames} must halve for pooling={pooling!r}: layer {layer} has '
                    f'{frames} temporal tokens'
                )
            frames = kept
        return temporal

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Compute the classification token of clips.

        Args:
            x (Tensor): Clips ``[B, in_channels, T, H, W]``, each of T, H, W at least that of a patch.

        Returns:
            Tensor or tuple[Tensor]: ``[B, C]`` after the last layer, or, with several ``out_indices``, one for each.

        Raises:
            UserError: The clip has another number of axes or channels, or is smaller than a patch.
        """
        self.check_clip(x)
        batch = x.shape[0]  # len(x) would be a constant of traced and exported models
        x = self.patch_embed(rearrange(x, 'B C T H W -> B T H W C'))
        places = x.shape[2] * x.shape[3]
        if self.within_frames:
            x = rearrange(x, 'B T H W C -> (B T) 1 H W C')
        x, position = self.grid_embed(x)
        grid = (-1, places) if self.is_compact else (-1, *x.shape[2:-1])
        x, position = x.flatten(1, -2), position.flatten(0, -2)

        outs = []
        for i, layer in enumerate(self.layers):
            args = (x, grid, position if i == 0 or self.position == 'every' else None)
            x = run_checkpointed(layer, *args) if self.with_cp and self.training else layer(*args)
            if i in self.out_indices:
                out = x[:, 0]
                out = self.norm(out) if i == len(self.layers) - 1 else out
                # spatial attention leaves one class token a frame; their average is the clip's (Section 4.2.4)
                outs.append(out.unflatten(0, (batch, -1)).mean(dim=1) if self.within_frames else out)
        return outs[0] if len(outs) == 1 else tuple(outs)

    def frozen_parts(self) -> list[nn.Module]:
        """The embeddings and layers 0 to ``frozen_stages``, with the last one also the final norm."""
        frozen = list(self.layers[: self.frozen_stages + 1])
        return [self.patch_embed, self.grid_embed, *frozen, *([self.norm] if len(frozen) == len(self.layers) else [])]
