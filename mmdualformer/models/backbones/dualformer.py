"""DualFormer: Local-Global Stratified Transformer for Efficient Video Recognition (arXiv:2112.04674).

Written from the paper and its supplement. Where both are silent, the behaviour is that of the authors' released
implementation (github.com/sail-sg/dualformer), with which this one agrees to float64 rounding.

The blocks stand in the order in which a clip meets them. Tokens stay channels-last, ``[B, T, H, W, C]``, through a
stage; they are viewed as ``[B, C, T, H, W]`` only where a convolution needs it.
"""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, TypedDict

import torch
import torch.nn as nn
import torch.nn.functional as F
from einops import rearrange
from mmaction.registry import MODELS
from mmcv.cnn.bricks import DropPath
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.models.arguments import Depth, InitCfg, Positive, Range, Ratio, Size, check_arguments, show
from mmdualformer.models.layers import (
    Mlp,
    RelativePositionBias,
    TokenConv3d,
    accumulate_strides,
    apply_linear,
    count_steps,
    fit_box,
    fold_norm,
    is_watched,
    map_size,
    merge_windows,
    multi_head_attention,
    partition_windows,
    run_checkpointed,
)

from .base import VideoBackbone

Downsampling = Literal['dwconv', 'conv', 'avgpool']


class PatchEmbed(nn.Module):
    """Patch merging (Figure 3): non-overlapping patches, projected and normalised.

    Args:
        in_channels (int): Channels of the input.
        dim (int): Channels of the output.
        patch_size (tuple): ``(t, h, w)``.
    """

    def __init__(self, in_channels: int, dim: int, patch_size: Size) -> None:
        super().__init__()
        self.proj = TokenConv3d(in_channels, dim, patch_size)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, H, W, in_channels]`` to ``[B, T/t, H/h, W/w, dim]``."""
        return self.norm(self.proj(x))


class LocalWindowAttention(nn.Module):
    """LW-MSA: self-attention within non-overlapping 3D windows (Section 3.2.1, Equation 1).

    A map smaller than the window is one window. A map that windows do not divide is padded at its end, and the padding
    is masked: it is attended to by no token.

    Args:
        dim (int): Channels.
        num_heads (int): Attention heads.
        window_size (tuple): ``(t, h, w)`` in tokens.
        relative_bias (bool): Add Swin's relative position bias (Table 6). Defaults to False.
    """

    def __init__(self, dim: int, num_heads: int, window_size: Size, relative_bias: bool = False) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.window_size = window_size
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.bias = RelativePositionBias(window_size, num_heads) if relative_bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, H, W, C]`` to ``[B, T, H, W, C]``."""
        size = x.shape[1:4]
        window = fit_box(self.window_size, size)
        x, mask = partition_windows(x, window)  # [B * windows, t*h*w, C]
        q, k, v = apply_linear(self.qkv, x).chunk(3, dim=-1)
        bias = self.bias(window) if self.bias else None
        x = apply_linear(self.proj, multi_head_attention(q, k, v, self.num_heads, mask, bias))
        return merge_windows(x, window, size)


class PositionEncodingGenerator(nn.Module):
    """PEG: a depth-wise convolution added to its input (Section 3.3, Equation 4).

    Args:
        dim (int): Channels.
        kernel_size (tuple): ``(t, h, w)``, odd.
    """

    def __init__(self, dim: int, kernel_size: Size) -> None:
        super().__init__()
        self.conv = nn.Conv3d(dim, dim, kernel_size, padding=map_size(lambda k: k // 2, kernel_size), groups=dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, H, W, C]`` to ``[B, T, H, W, C]``."""
        position = self.conv(rearrange(x, 'B T H W C -> B C T H W'))
        return x + rearrange(position, 'B C T H W -> B T H W C')


class TokenAvgPool3d(nn.Module):
    """Average over boxes of channels-last tokens; at the map's end over what there is of a box.

    Args:
        kernel_size (tuple): Box ``(t, h, w)``.
    """

    def __init__(self, kernel_size: Size) -> None:
        super().__init__()
        self.kernel_size = kernel_size

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, H, W, C]`` to ``[B, T/t, H/h, W/w, C]``."""
        kernel = fit_box(self.kernel_size, x.shape[1:4])
        x = F.avg_pool3d(rearrange(x, 'B T H W C -> B C T H W'), kernel, ceil_mode=True)
        return rearrange(x, 'B C T H W -> B T H W C')


def build_downsampling(kind: Downsampling, dim: int, kernel_size: Size) -> nn.Module:
    """Build one of the functions of Table 5, from ``[B, T, H, W, C]`` to ``[B, T/t, H/h, W/w, C]``."""
    if kind == 'dwconv':
        return TokenConv3d(dim, dim, kernel_size, groups=dim)
    if kind == 'conv':
        return TokenConv3d(dim, dim, kernel_size)
    return TokenAvgPool3d(kernel_size)


class CoarsePrior(nn.Module):
    """The factorised chain behind the coarse scale of the pyramid (Equation 3).

    Args:
        dim (int): Channels.
        kernel_sizes (tuple): Kernels, which are also the strides, of its two steps.
        downsampling (str): See :func:`build_downsampling`.
    """

    def __init__(self, dim: int, kernel_sizes: tuple[Size, Size], downsampling: Downsampling) -> None:
        super().__init__()
        self.down1 = build_downsampling(downsampling, dim, kernel_sizes[0])
        self.norm = nn.BatchNorm3d(dim)
        self.act = nn.ReLU()
        self.down2 = build_downsampling(downsampling, dim, kernel_sizes[1])
        self.folds = False

    def fold_in_eval(self) -> None:
        """Have the first step and the normalisation be one convolution, as ``efficient_conv_bn_eval`` asks."""
        self.folds = True

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, H, W, C]`` to ``[B, t, h, w, C]``."""
        down = self.down1
        if self.folds and isinstance(down, TokenConv3d) and not (self.norm.training or is_watched(down, self.norm)):
            return self.down2(self.act(down.convolve(x, *fold_norm(self.norm, down.weight, down.bias))))
        x = rearrange(down(x), 'B T H W C -> B C T H W')
        x = self.act(self.norm(x))
        return self.down2(rearrange(x, 'B C T H W -> B T H W C'))


class GlobalPyramidAttention(nn.Module):
    """GP-MSA: every token attends to the global priors of a pyramid (Section 3.2.2, Figure 4).

    Args:
        dim (int): Channels.
        num_heads (int): Attention heads.
        fine_kernel (tuple, optional): Tokens ``(t, h, w)`` behind one fine prior; None for no fine scale. With
            ``(1, 1, 1)`` alone, the paper's "whole", the normalised tokens themselves are keys and values, with
            neither convolution nor a second norm.
        coarse_kernels (tuple, optional): The two kernels of :class:`CoarsePrior`; None for no coarse scale.
        downsampling (str): See :func:`build_downsampling`. Defaults to ``'dwconv'``.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        fine_kernel: Size | None,
        coarse_kernels: tuple[Size, Size] | None,
        downsampling: Downsampling = 'dwconv',
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)

        self.scales = nn.ModuleDict()
        if fine_kernel == (1, 1, 1):
            self.scales['fine'] = nn.Identity()
        elif fine_kernel:
            self.scales['fine'] = build_downsampling(downsampling, dim, fine_kernel)
        if coarse_kernels:
            self.scales['coarse'] = CoarsePrior(dim, coarse_kernels, downsampling)
        whole = fine_kernel == (1, 1, 1) and not coarse_kernels
        self.norm = nn.Identity() if whole else nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, H, W, C]`` to ``[B, T, H, W, C]``."""
        priors = [scale(x).flatten(1, 3) for scale in self.scales.values()]  # fine, then coarse
        priors = self.norm(torch.cat(priors, dim=1))  # [B, S, C]
        k, v = apply_linear(self.kv, priors).chunk(2, dim=-1)
        q = apply_linear(self.q, x.flatten(1, 3))  # [B, T*H*W, C]
        return apply_linear(self.proj, multi_head_attention(q, k, v, self.num_heads)).view_as(x)


class TransformerLayer(nn.Module):
    """Pre-norm residual attention and perceptron, with stochastic depth (Equation 1).

    Args:
        dim (int): Channels.
        attn (nn.Module): Attention over ``[B, T, H, W, C]``.
        mlp_ratio (float): Hidden width of the perceptron over ``dim``.
        drop_path (float): Probability of dropping a residual branch.
        mlp_rank (float, optional): Rank of the perceptron's weights over ``dim``. Defaults to None, full.
        with_cp (bool): Recompute parts of both branches in the backward pass to save memory. Defaults to False.
    """

    def __init__(
        self,
        dim: int,
        attn: nn.Module,
        mlp_ratio: float,
        drop_path: float,
        mlp_rank: float | None = None,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = attn
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), rank=None if mlp_rank is None else int(dim * mlp_rank))
        self.drop_path = DropPath(drop_path)
        self.with_cp = with_cp

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, H, W, C]`` to ``[B, T, H, W, C]``."""
        for branch in (self.attend, self.perceive):
            saves = self.with_cp and self.training
            x = x + self.drop_path(run_checkpointed(self, x, method=branch) if saves else branch(x))
        return x

    def attend(self, x: Tensor) -> Tensor:
        """The branch of the attention, ``[B, T, H, W, C]``."""
        return self.attn(self.norm1(x))

    def perceive(self, x: Tensor) -> Tensor:
        """The branch of the perceptron, ``[B, T, H, W, C]``."""
        return self.mlp(self.norm2(x))


class DualFormerBlock(nn.Module):
    """Two transformer layers, LW-MSA then GP-MSA by default, with the PEG between them in a stage's first (Figure 3).

    Args:
        layers (sequence): The two layers.
        peg (nn.Module, optional): Position encoding between them. Defaults to None.
    """

    def __init__(self, layers: Sequence[TransformerLayer], peg: nn.Module | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.peg = peg or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, H, W, C]`` to ``[B, T, H, W, C]``."""
        first, second = self.layers
        return second(self.peg(first(x)))


class DualFormerStage(nn.Module):
    """Patch merging and the blocks at one resolution (Figure 3).

    Args:
        patch_embed (PatchEmbed): The patch merging.
        blocks (sequence): The blocks.
        with_cp (bool): Recompute the patch merging in the backward pass to save memory.
    """

    def __init__(self, patch_embed: PatchEmbed, blocks: Sequence[DualFormerBlock], with_cp: bool) -> None:
        super().__init__()
        self.patch_embed = patch_embed
        self.blocks = nn.ModuleList(blocks)
        self.with_cp = with_cp

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, H, W, C]`` to ``[B, T', H', W', C']``."""
        saves = self.with_cp and self.training
        x = run_checkpointed(self.patch_embed, x) if saves else self.patch_embed(x)
        for block in self.blocks:
            x = block(x)
        return x


class DualFormerArch(TypedDict):
    """A variant: one number for each stage."""

    embed_dims: Sequence[Positive]
    num_blocks: Sequence[Depth]
    num_heads: Sequence[Positive]


@MODELS.register_module()
class DualFormer(VideoBackbone):
    """The DualFormer video backbone.

    Every kernel is fixed by ``clip_size``, the clip that the model is designed for, never by the input: one checkpoint
    runs at every clip length and resolution of at least one patch, and the number of global priors follows the input.

    Args:
        arch (str or dict): ``'tiny'``, ``'small'``, ``'base'``, or a dict with ``embed_dims``, ``num_blocks`` and
            ``num_heads``, one number a stage (Table 8).
        clip_size (tuple): Frames, height and width the model is designed for. Kernels are no longer than it: with one
            frame the model is the 2D one of ImageNet pretraining. Defaults to ``(32, 224, 224)``.
        patch_size (tuple): Patch of the first stage, ``(t, h, w)``. Defaults to ``(2, 4, 4)``.
        temporal_strides (sequence): Temporal pooling rates of the patch merging of the later stages (Table 7).
            Defaults to ``(1, 1, 1)``.
        block_types (sequence): For each stage the attention of the two layers of a block, ``'L'`` for LW-MSA and
            ``'G'`` for GP-MSA (Table 3). Defaults to ``('LG', 'LG', 'LG', 'LG')``.
        window_size (tuple): Window of LW-MSA in tokens, ``(t, h, w)`` (Table 4). Defaults to ``(8, 7, 7)``.
        fine_sizes (sequence): For each stage the size ``(t, h, w)`` of its fine global priors at ``clip_size``,
            ``'whole'`` for the map itself, or None for no fine scale. A kernel is the map over the size, rounded down,
            so that the priors are a few more where the division leaves a rest. ``'auto'`` is (8, 7, 7), in a map of
            fewer than 16 time steps half of them: what the paper's costs follow, where the released code keeps 8.
            Defaults to ``'auto'`` in stages 1-3 and ``'whole'`` in stage 4.
        coarse_sizes (sequence): For each stage the size of its coarse global priors, or None for no coarse scale.
            Defaults to (4, 4, 4) in stages 1 and 2 and None in stages 3 and 4.
        downsampling (str): What makes the priors, ``'dwconv'``, ``'conv'`` or ``'avgpool'`` (Table 5). Defaults to
            ``'dwconv'``.
        position (str): ``'peg'``, ``'relative_bias'`` (Swin's, in LW-MSA) or ``'none'`` (Table 6). Defaults to
            ``'peg'``.
        mlp_ratio (float): Hidden width of the perceptrons over the channels. Defaults to 4.
        mlp_rank (float, optional): Rank of the weights of the perceptrons over the channels (Appendix C). Defaults to
            None, full.
        drop_path_rate (float): Stochastic depth of the last layer; it grows linearly from 0. Defaults to 0.1.
        in_channels (int): Channels of the clip. Defaults to 3.
        out_indices (sequence): Stages whose maps are returned, in ascending order from 0; those after the last one are
            not built. The map of the arch's last stage is normalised, earlier ones are as the next stage receives them.
            Defaults to ``(3, )``.
        frozen_stages (int): Stages 0 to ``frozen_stages`` are not trained and stay in eval mode, with the last one
            also the final norm. Defaults to -1, none.
        with_cp (bool): Recompute parts of each layer in the backward pass to save memory.
            Defaults to False.
        init_cfg (dict or list, optional): Initialisation, MMEngine's way.

    Raises:
        UserError: An argument or a clip is unusable.

    Example:
        >>> import torch
        >>> from mmdualformer.models import DualFormer
        >>> model = DualFormer('tiny').eval()
        >>> model(torch.rand(1, 3, 32, 224, 224)).shape
        torch.Size([1, 512, 16, 7, 7])
    """

    arch_zoo: ClassVar[dict[str, DualFormerArch]] = {
        'tiny': dict(embed_dims=(64, 128, 256, 512), num_blocks=(1, 1, 5, 2), num_heads=(2, 4, 8, 16)),
        'small': dict(embed_dims=(96, 192, 384, 768), num_blocks=(1, 1, 9, 1), num_heads=(3, 6, 12, 24)),
        'base': dict(embed_dims=(128, 256, 512, 1024), num_blocks=(1, 1, 9, 1), num_heads=(4, 8, 16, 32)),
    }

    @check_arguments
    def __init__(
        self,
        arch: str | DualFormerArch = 'tiny',
        clip_size: Size = (32, 224, 224),
        patch_size: Size = (2, 4, 4),
        temporal_strides: Sequence[Positive] = (1, 1, 1),
        block_types: Sequence[Literal['LG', 'GL', 'LL', 'GG']] = ('LG', 'LG', 'LG', 'LG'),
        window_size: Size = (8, 7, 7),
        fine_sizes: Sequence[Size | Literal['auto', 'whole'] | None] = ('auto', 'auto', 'auto', 'whole'),
        coarse_sizes: Sequence[Size | None] = ((4, 4, 4), (4, 4, 4), None, None),
        downsampling: Downsampling = 'dwconv',
        position: Literal['peg', 'relative_bias', 'none'] = 'peg',
        mlp_ratio: Ratio = 4.0,
        mlp_rank: Ratio | None = None,
        drop_path_rate: Annotated[float, Range(0, 1, excludes_most=True)] = 0.1,
        in_channels: Positive = 3,
        out_indices: Sequence[int] = (3,),
        frozen_stages: int = -1,
        with_cp: bool = False,
        init_cfg: InitCfg = dict(type='TruncNormal', layer='Linear', std=0.02),
    ) -> None:
        variant: DualFormerArch = self.look_up_arch(arch)
        dims, num_blocks, num_heads = variant['embed_dims'], variant['num_blocks'], variant['num_heads']
        self._check_stages(variant, temporal_strides, block_types, fine_sizes, coarse_sizes)
        self._check_widths(min(dims), mlp_ratio, mlp_rank)
        num_stages = len(dims)
        patch_size = map_size(min, patch_size, clip_size)
        # a clip shorter than a patch is a still one
        least_size = (1, patch_size[1], patch_size[2])
        super().__init__(num_stages, least_size, in_channels, out_indices, frozen_stages, with_cp, init_cfg)

        # python floats, not a tensor: on the meta device a tensor has no values
        num_layers = 2 * sum(num_blocks)
        drop_path = iter([drop_path_rate * i / max(num_layers - 1, 1) for i in range(num_layers)])

        self.stages = nn.ModuleList()
        size = clip_size
        merge_sizes: list[Size] = [patch_size, *((stride, 2, 2) for stride in temporal_strides)]
        for i, (dim, merge_size) in enumerate(zip(dims, merge_sizes[: self.out_indices[-1] + 1])):
            size = count_steps(size, merge_size)
            kernels = self._pyramid_kernels(size, fine_sizes[i], coarse_sizes[i])
            peg_kernel = (1 if size[0] == 1 else 3, 3, 3)
            blocks = []
            for j in range(num_blocks[i]):
                layers = []
                for kind in block_types[i]:
                    attn: nn.Module
                    if kind == 'L':
                        attn = LocalWindowAttention(dim, num_heads[i], window_size, position == 'relative_bias')
                    else:
                        attn = GlobalPyramidAttention(dim, num_heads[i], *kernels, downsampling)
                    layers.append(TransformerLayer(dim, attn, mlp_ratio, next(drop_path), mlp_rank, with_cp))
                peg = PositionEncodingGenerator(dim, peg_kernel) if position == 'peg' and j == 0 else None
                blocks.append(DualFormerBlock(layers, peg))
            self.stages.append(DualFormerStage(PatchEmbed(in_channels, dim, merge_size), blocks, with_cp))
            in_channels = dim
        self.norm = nn.LayerNorm(dims[-1]) if len(self.stages) == num_stages else nn.Identity()
        self.freeze()

    @staticmethod
    def _pyramid_kernels(
        size: Size, fine_size: Size | Literal['auto', 'whole'] | None, coarse_size: Size | None
    ) -> tuple[Size | None, tuple[Size, Size] | None]:
        """Kernels that turn a map of ``size`` into priors of the given sizes (the released model's rule)."""

        def kernel(size: Size, priors: Size) -> Size:
            return map_size(lambda length, prior: max(length // prior, 1), size, priors)

        fine_kernel = coarse_kernels = None
        if fine_size == 'whole':
            fine_kernel = (1, 1, 1)
        elif fine_size == 'auto':
            fine_kernel = kernel(size, (min(8, max(size[0] // 2, 1)), 7, 7))
        elif fine_size is not None:
            fine_kernel = kernel(size, fine_size)
        if coarse_size is not None:
            first = (1, 7, 7)
            coarse_kernels = first, kernel(count_steps(size, first), coarse_size)
        return fine_kernel, coarse_kernels

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Compute the feature maps of clips.

        Args:
            x (Tensor): Clips ``[B, in_channels, T, H, W]``, H and W at least that of a patch. What does not fill a
                patch is extended by repeating its last frame, row and column: one frame is a still clip.

        Returns:
            Tensor or tuple[Tensor]: The map ``[B, C, T/2, H/32, W/32]`` (rounded up) of the last stage, or, with
            several ``out_indices``, one map for each.

        Raises:
            UserError: The clip has another number of axes or channels, or is smaller than a patch.
        """
        self.check_clip(x)
        x = rearrange(x, 'B C T H W -> B T H W C')
        outs = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in self.out_indices:
                outs.append(self.stage_map(i, x).contiguous())
        outs[-1] = self.feature_map(outs[-1])
        return outs[0] if len(outs) == 1 else tuple(outs)

    def stage_map(self, stage: int, output: Tensor, size: Sequence[int] = ()) -> Tensor:
        """View what leaves a stage, ``[B, T, H, W, C]``, as a map ``[B, C, T, H, W]``."""
        output = self.norm(output) if stage == len(self.stages) - 1 else output
        return rearrange(output, 'B T H W C -> B C T H W')

    def list_blocks(self) -> list[nn.Module]:
        """The blocks of all stages, in their order."""
        stages: Any = self.stages
        return [block for stage in stages for block in stage.blocks]

    def stage_channels(self) -> list[int]:
        """Channels of each stage, which its patch merging makes."""
        stages: Any = self.stages
        return [stage.patch_embed.proj.out_channels for stage in stages]

    def stage_strides(self) -> list[tuple[float, int, int]]:
        """Products of the patches that are merged."""
        stages: Any = self.stages
        return accumulate_strides(stage.patch_embed.proj.stride for stage in stages)

    def frozen_parts(self) -> list[nn.Module]:
        """Stages 0 to ``frozen_stages``, with the last one also the final norm."""
        frozen = list(self.stages[: self.frozen_stages + 1])
        return [*frozen, self.norm] if len(frozen) == len(self.stages) else frozen

    @staticmethod
    def _check_stages(
        arch: DualFormerArch,
        temporal_strides: Sequence[int],
        block_types: Sequence[str],
        fine_sizes: Sequence[Size | str | None],
        coarse_sizes: Sequence[Size | None],
    ) -> None:
        """Check that what is given for each stage fits together."""
        dims, num_blocks, num_heads = arch['embed_dims'], arch['num_blocks'], arch['num_heads']
        if not 0 < len(dims) == len(num_blocks) == len(num_heads):
            raise UserError(f'arch={show(arch)} must give one number a stage')
        if any(dim % heads for dim, heads in zip(dims, num_heads)):
            raise UserError(f'arch.embed_dims={show(dims)} must be multiples of num_heads={show(num_heads)}')
        for name, entries, wanted in (
            ('temporal_strides', temporal_strides, len(dims) - 1),
            ('block_types', block_types, len(dims)),
            ('fine_sizes', fine_sizes, len(dims)),
            ('coarse_sizes', coarse_sizes, len(dims)),
        ):
            if len(entries) != wanted:
                raise UserError(f'{name}={show(entries)} must have {wanted} entries for {len(dims)} stages')
        for i, (kinds, *priors) in enumerate(zip(block_types, fine_sizes, coarse_sizes)):
            if 'G' in kinds and priors == [None, None]:
                raise UserError(f'fine_sizes and coarse_sizes leave stage {i} without global priors; give it one')

    @staticmethod
    def _check_widths(dim: int, mlp_ratio: float, mlp_rank: float | None) -> None:
        """Check that the perceptrons of ``dim`` channels, the fewest of a stage, have any hidden ones."""
        for name, share in (('mlp_ratio', mlp_ratio), ('mlp_rank', mlp_rank)):
            if share is not None and dim * share < 1:
                raise UserError(f'{name}={share} must be at least {1 / dim:g}, 1 over the channels of a stage')
