"""Video Mobile-Former: Video Recognition with Efficient Global Spatial-temporal Modeling (arXiv:2208.12257).

No implementation of the paper was released. Written from the paper, and where it is silent so that the published costs
of all its models come out (docs/video_mobile_former.md tells what is published from what is inferred); the parts are
those of the papers that it builds on, X3D (arXiv:2004.04730) and Mobile-Former (arXiv:2108.05895).

The blocks stand in the order in which a clip meets them. Feature maps are ``[B, C, T, H, W]``, with channels last in
the memory of a CPU, so that what attention takes, ``[B, T*H*W, C]``, is a view of them. Tokens are ``[B, F, M, D]``: M
for each of F groups of frames, which are the frames, or one group of all of them.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, ClassVar, Generic, Literal, TypedDict, TypeVar

import torch
import torch.nn as nn
import torch.nn.functional as F
from einops import rearrange
from mmaction.registry import MODELS
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.models.arguments import Depth, InitCfg, Positive, Ratio, Size, check_arguments, show
from mmdualformer.models.layers import (
    ConvNorm3d,
    DepthwiseConv3d,
    DynamicReLU,
    FactorizedConv3d,
    Mlp,
    PointwiseConv3d,
    accumulate_strides,
    frame_means,
    run_checkpointed,
    spare,
    unview,
)

from .base import VideoBackbone

FORMER_HEADS = 4
MAX_STAGES = 8  # each halves the map and doubles the channels

Activation = Literal['frame_dyrelu', 'dyrelu', 'relu']
ConvType = Literal['3d', '2d', '(2+1)d']


def round_width(width: float) -> int:
    """The multiple of 8 nearest to ``width``, at least 8, and not less than 0.9 of it (X3D)."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


class Stem(nn.Module):
    """A spatial and a depth-wise temporal convolution, which halve the frames' size and take one frame of several.

    Args:
        in_channels (int): Channels of the clip.
        dim (int): Channels of the output.
        temporal_kernel (int): Length of the temporal convolution, odd.
        temporal_stride (int): Frames of the clip to one of the output.
    """

    def __init__(self, in_channels: int, dim: int, temporal_kernel: int, temporal_stride: int) -> None:
        super().__init__()
        self.conv = ConvNorm3d(FactorizedConv3d(in_channels, dim, (temporal_kernel, 3, 3), (temporal_stride, 2, 2)))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_channels, T, H, W]`` to ``[B, dim, T/stride, H/2, W/2]``."""
        return F.relu(self.conv(x))


class SqueezeExcitation(nn.Module):
    """Factors for the channels from the clip's average features (X3D).

    Args:
        channels (int): Channels of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = round_width(channels / 16)
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, C, T, H, W]`` to factors ``[B, 1, C]``."""
        return self.of_means(frame_means(x))

    def of_means(self, means: Tensor) -> Tensor:
        """Map the averages of frames ``[B, T, C]`` to factors ``[B, 1, C]``."""
        return self.fc2(F.relu(self.fc1(means.mean(1, keepdim=True)))).sigmoid()


class StaticActivation(nn.Module):
    """An activation that takes the place of :class:`DynamicReLU` and looks at no token.

    Args:
        act (nn.Module): The activation.
    """

    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.act = act

    def forward(self, x: Tensor, token: Tensor | None = None, excitation: Tensor | None = None) -> Tensor:
        """Map ``[B, C, T, H, W]`` to ``[B, C, T, H, W]``."""
        if excitation is not None:
            x = x * rearrange(excitation, 'B 1 C -> B C 1 1 1')
        return self.act(x)


def build_activation(kind: Activation, channels: int, token_dim: int) -> nn.Module:
    """Build one of the activations of Table 11."""
    if kind == 'frame_dyrelu':
        return DynamicReLU(channels, token_dim)
    if kind == 'dyrelu':
        return DynamicReLU(channels, token_dim, frame_level=False)
    return StaticActivation(nn.ReLU())


def build_depthwise(conv_type: ConvType, channels: int, stride: Size) -> DepthwiseConv3d | FactorizedConv3d:
    """Build one of the depth-wise convolutions of Table 10."""
    if conv_type == '3d':
        return DepthwiseConv3d(channels, (3, 3, 3), stride)
    if conv_type == '2d':
        return DepthwiseConv3d(channels, (1, 3, 3), stride)
    return FactorizedConv3d(channels, channels, (3, 3, 3), stride, groups=channels)


class MobileBlock(nn.Module):
    """X3D's inverted bottleneck: expansion, depth-wise convolution, projection, shortcut.

    Args:
        in_dim (int): Channels of the input.
        dim (int): Channels of the output.
        inner_dim (int): Channels between the two pointwise convolutions.
        stride (tuple): ``(t, h, w)`` of the depth-wise convolution.
        conv_type (str): See :func:`build_depthwise`.
        excite (bool): Whether it has squeeze-excitation.
        acts (tuple): The activations after the first and the second convolution, called as :class:`DynamicReLU` is.
        final_act (nn.Module, optional): Activation after the shortcut. Defaults to None.
    """

    def __init__(
        self,
        in_dim: int,
        dim: int,
        inner_dim: int,
        stride: Size,
        conv_type: ConvType,
        excite: bool,
        acts: tuple[nn.Module, nn.Module],
        final_act: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.expand = ConvNorm3d(PointwiseConv3d(in_dim, inner_dim))
        self.act1 = acts[0]
        self.depthwise = ConvNorm3d(build_depthwise(conv_type, inner_dim, stride))
        self.excitation = SqueezeExcitation(inner_dim) if excite else None
        self.act2 = acts[1]
        self.project = ConvNorm3d(PointwiseConv3d(inner_dim, dim))
        is_same = in_dim == dim and stride == (1, 1, 1)
        self.shortcut = nn.Identity() if is_same else ConvNorm3d(PointwiseConv3d(in_dim, dim, stride))
        self.final_act = final_act or nn.Identity()

    def forward(self, x: Tensor, token: Tensor | None = None) -> Tensor:
        """Map ``[B, in_dim, T, H, W]`` to ``[B, dim, T', H', W']``; ``token`` is that of :class:`DynamicReLU`."""
        y = self.act1(spare(self.expand(x), self.expand, self.act1), token)
        y = spare(self.depthwise(y), self.depthwise, self.act2)
        y = self.act2(y, token, self.excitation(y) if self.excitation else None)
        return self.final_act(self.project(y) + self.shortcut(x))


class LocalToGlobal(nn.Module):
    """The bridge from local features to tokens (Equation 3): cross-attention, gated, residual, post-norm.

    Attention to, from and among so few tokens is two matrix products a head rather than fused: the matrix between them
    is small, the features enter where they lie, without a copy, and FLOP counters see it.

    Args:
        dim (int): Channels of the features.
        token_dim (int): Width of the tokens.
        num_heads (int): Attention heads.
    """

    def __init__(self, dim: int, token_dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.scale = (dim / num_heads) ** -0.5
        self.q = nn.Linear(token_dim, dim)
        self.gate = nn.Linear(token_dim, dim)
        self.proj = nn.Linear(dim, token_dim)
        self.norm = nn.LayerNorm(token_dim)

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Update tokens ``[N, M, token_dim]`` from features ``[N, L, dim]``."""
        q = self.q(tokens) * self.scale
        heads = zip(q.chunk(self.num_heads, -1), x.chunk(self.num_heads, -1))
        # scores are [N, M, L]; not mT, which exporters do not know
        update = torch.cat([(q @ x.transpose(-2, -1)).softmax(-1) @ x for q, x in heads], dim=-1)
        return self.merge(tokens, update)

    def merge(self, tokens: Tensor, update: Tensor) -> Tensor:
        """Update tokens ``[N, M, token_dim]`` by what they attended to, ``[N, M, dim]``."""
        update = update * (2 * F.hardsigmoid(self.gate(tokens)))
        return self.norm(tokens + self.proj(update))


class Former(nn.Module):
    """A transformer layer over the tokens, with keys and values unprojected (Equation 1), post-norm.

    Args:
        token_dim (int): Width of the tokens.
        num_heads (int): Attention heads.
        mlp_ratio (int): Hidden width of the perceptron over ``token_dim``.
    """

    def __init__(self, token_dim: int, num_heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.scale = (token_dim / num_heads) ** -0.5
        self.q = nn.Linear(token_dim, token_dim)
        self.proj = nn.Linear(token_dim, token_dim)
        self.norm1 = nn.LayerNorm(token_dim)
        self.mlp = Mlp(token_dim, mlp_ratio * token_dim)
        self.norm2 = nn.LayerNorm(token_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map ``[B, N, token_dim]`` to ``[B, N, token_dim]``."""
        q, z = (rearrange(x, 'B N (h d) -> B h N d', h=self.num_heads) for x in (self.q(tokens) * self.scale, tokens))
        update = rearrange((q @ z.transpose(-2, -1)).softmax(-1) @ z, 'B h N d -> B N (h d)')
        tokens = self.norm1(tokens + self.proj(update))
        return self.norm2(tokens + self.mlp(tokens))


class GlobalToLocal(nn.Module):
    """The bridge from tokens to local features (Equation 4): cross-attention with unprojected queries, residual.

    Args:
        dim (int): Channels of the features.
        token_dim (int): Width of the tokens.
        num_heads (int): Attention heads.
    """

    def __init__(self, dim: int, token_dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.scale = (dim / num_heads) ** -0.5
        self.k = nn.Linear(token_dim, dim)
        self.v = nn.Linear(token_dim, dim)

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Update features ``[N, L, dim]`` from tokens ``[N, M, token_dim]``."""
        k, v = self.k(tokens) * self.scale, self.v(tokens)
        heads = zip(*(part.chunk(self.num_heads, -1) for part in (x, k, v)))

        def attend(x: Tensor, k: Tensor, v: Tensor) -> Tensor:
            scores = (k @ x.transpose(-2, -1)).softmax(-2)  # [N, M, L]; over the tokens
            return scores.transpose(-2, -1) @ v

        return x + torch.cat([attend(*head) for head in heads], dim=-1)


class VideoMobileFormerBlock(nn.Module):
    """Mobile, Former and the two bridges between them (Figure 2, right).

    Args:
        mobile (MobileBlock): The convolutions.
        in_dim (int): Channels of the input.
        dim (int): Channels of the output.
        token_dim (int): Width of the tokens.
    """

    def __init__(self, mobile: MobileBlock, in_dim: int, dim: int, token_dim: int) -> None:
        super().__init__()
        self.local_to_global = LocalToGlobal(in_dim, token_dim, num_heads=2)
        self.former = Former(token_dim, FORMER_HEADS, mlp_ratio=2)
        self.mobile = mobile
        self.global_to_local = GlobalToLocal(dim, token_dim, num_heads=2)

    def forward(self, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Map ``[B, in_dim, T, H, W]`` and ``[B, F, M, token_dim]`` to ``[B, dim, T', H', W']`` and the new tokens."""
        x, tokens = state
        groups = tokens.shape[1]

        def grouped(x: Tensor) -> Tensor:  # a view where channels are last
            if torch.compiler.is_compiling():  # only there, as its gradients have other strides, and so other last bits
                return rearrange(unview(x.permute(0, 2, 3, 4, 1)), 'B (F T) H W C -> (B F) (T H W) C', F=groups)
            return rearrange(x, 'B C (F T) H W -> (B F) (T H W) C', F=groups)

        tokens = self.local_to_global(grouped(x), tokens.flatten(0, 1))  # [B*F, M, D], each group's by its frames
        tokens = rearrange(tokens, '(B F) M D -> B (F M) D', F=groups)
        tokens = rearrange(self.former(tokens), 'B (F M) D -> B F M D', F=groups)
        x = self.mobile(x, tokens[:, :, 0])
        height, width = x.shape[3:]
        x = self.global_to_local(grouped(x), tokens.flatten(0, 1))
        return rearrange(x, '(B F) (T H W) C -> B C (F T) H W', F=groups, H=height, W=width), tokens


def _mobile_of(block: nn.Module) -> Any:
    """The convolutions of a block."""
    return block.mobile if isinstance(block, VideoMobileFormerBlock) else block


class MobileArch(TypedDict):
    """A variant: ``temporal_strides`` of the stem and of each stage."""

    dim: Positive
    num_blocks: Sequence[Depth]
    expansion: Ratio
    temporal_strides: Sequence[Positive]


State = TypeVar('State')


class MobileBackbone(VideoBackbone, Generic[State]):
    """A stem and stages of blocks: what Video Mobile-Former and its convolutional baseline have in common.

    What passes from block to block is the ``State``: a feature map, or a pair of it and of tokens.

    Args:
        build_block (callable): Makes a block, which maps a state to a state, of ``(in_dim, dim, inner_dim, stride,
            excite)``, see :class:`MobileBlock`.
        arch, stem_kernel, in_channels, out_indices, frozen_stages, with_cp, init_cfg: See :class:`VideoMobileFormer`.
    """

    arch_zoo: ClassVar[dict[str, MobileArch]] = {
        '560m': dict(dim=16, num_blocks=(1, 2, 3, 2), expansion=2.25, temporal_strides=(8, 1, 1, 1, 1)),
        '1g': dict(dim=16, num_blocks=(1, 2, 3, 2), expansion=2.25, temporal_strides=(4, 1, 1, 1, 1)),
        '2g': dict(dim=20, num_blocks=(1, 2, 4, 2), expansion=2.25, temporal_strides=(4, 1, 1, 1, 1)),
        '5g': dict(dim=24, num_blocks=(1, 2, 12, 4), expansion=3.0, temporal_strides=(4, 1, 1, 1, 1)),
    }

    def __init__(
        self,
        build_block: Callable[..., nn.Module],
        arch: str | MobileArch,
        stem_kernel: int,
        in_channels: int,
        out_indices: Sequence[int],
        frozen_stages: int,
        with_cp: bool,
        init_cfg: InitCfg,
    ) -> None:
        variant: MobileArch = self.look_up_arch(arch)
        self._check_shape(variant, stem_kernel)
        num_stages = len(variant['num_blocks'])
        super().__init__(num_stages, (1, 1, 1), in_channels, out_indices, frozen_stages, with_cp, init_cfg)

        stem_stride, *temporal_strides = variant['temporal_strides']
        in_dim = dim = variant['dim']
        self.stem = Stem(in_channels, dim, stem_kernel, stem_stride)
        self.stages = nn.ModuleList()
        for i in range(self.out_indices[-1] + 1):
            if i > 0:
                dim = 2 * round_width(dim)  # X3D's rule
            inner_dim = int(variant['expansion'] * dim)
            blocks = nn.ModuleList()
            for j in range(variant['num_blocks'][i]):
                stride = (1, 1, 1) if j else (temporal_strides[i], 2, 2)
                blocks.append(build_block(in_dim, dim, inner_dim, stride, excite=j % 2 == 0))
                in_dim = dim
            self.stages.append(blocks)
        self.is_whole = len(self.stages) == num_stages
        self.dim, self.inner_dim = dim, inner_dim  # of the last stage

    @abstractmethod
    def first_state(self, x: Tensor) -> State:
        """The state that enters the first stage, given the stem's map ``[B, C, T, H, W]``."""

    @abstractmethod
    def output(self, stage: int, state: State) -> Any:
        """What the backbone puts out where this state leaves this stage."""

    def pass_map(self, stage: int, x: Tensor) -> Tensor:
        """Pass a map ``[B, C, T, H, W]`` that is put out, if it is the last one, through ``feature_map``."""
        return self.feature_map(x) if stage == self.out_indices[-1] else x

    def forward(self, x: Tensor) -> Any:
        """Compute the outputs of the stages that ``out_indices`` names; the subclasses say what they are."""
        self.check_clip(x)
        state = self.first_state(self.stem(x))
        outs = []
        for i, blocks in enumerate(self.stages):
            for block in blocks.children():
                state = run_checkpointed(block, state) if self.with_cp and self.training else block(state)
            if i in self.out_indices:
                outs.append(self.output(i, state))
        return outs[0] if len(outs) == 1 else tuple(outs)

    def stage_ends(self) -> list[nn.Module]:
        """The last block of each stage."""
        return [blocks[-1] for blocks in self.stages]  # type: ignore[index]

    def list_blocks(self) -> list[nn.Module]:
        """The blocks of all stages, in their order."""
        return [block for blocks in self.stages for block in blocks.children()]

    def stage_channels(self) -> list[int]:
        """Channels of each stage, which the projection of its last block makes."""
        return [_mobile_of(block).project.conv.out_channels for block in self.stage_ends()]

    def stage_strides(self) -> list[tuple[float, int, int]]:
        """Products of the strides of the stem and of the blocks."""
        strides = [_mobile_of(block).depthwise.conv.stride for block in self.list_blocks()]
        ends = accumulate(len(blocks) for blocks in self.stages)  # type: ignore[arg-type]
        totals = accumulate_strides([self.stem.conv.conv.stride, *strides])
        return [totals[end] for end in ends]

    def frozen_parts(self) -> list[nn.Module | nn.Parameter]:
        """The stem and stages 0 to ``frozen_stages``."""
        return [self.stem, *list(self.stages)[: self.frozen_stages + 1]]

    @staticmethod
    def _check_shape(arch: MobileArch, stem_kernel: int) -> None:
        """Check what is given for the stem and for each stage."""
        if not 0 < len(arch['num_blocks']) == len(arch['temporal_strides']) - 1 <= MAX_STAGES:
            raise UserError(
                f'arch={show(arch)} must give a number of blocks for each of 1 to {MAX_STAGES} stages, and temporal '
                'strides of the stem and of each stage'
            )
        if int(arch['expansion'] * arch['dim']) < 1:
            raise UserError(f'arch.expansion={arch["expansion"]} must give inner channels for dim={arch["dim"]}')
        if stem_kernel % 2 == 0:
            raise UserError(f'stem_kernel={stem_kernel} must be an odd number of frames')


DEFAULT_INIT: InitCfg = [
    dict(type='Kaiming', layer='Conv3d', mode='fan_in'),
    dict(type='TruncNormal', layer='Linear', std=0.02),
]


@MODELS.register_module()
class VideoMobileFormer(MobileBackbone[tuple[Tensor, Tensor]]):
    """The Video Mobile-Former backbone.

    Its output is a pair, the feature map of the last stage and the global tokens, and ``VideoMobileFormerHead`` takes
    it. With ``out_type='featmap'`` it is the map alone, for heads such as MMAction2's ``I3DHead``. One set of weights
    runs at every clip length and size.

    Args:
        arch (str or dict): ``'560m'``, ``'1g'``, ``'2g'``, ``'5g'`` (Table 1), or a dict with ``dim`` (channels of the
            stem), ``num_blocks`` of each stage, ``expansion`` of the inner channels, and ``temporal_strides`` of the
            stem and of each stage (Tables 7 and 8). Defaults to ``'1g'``.
        num_tokens (int): Global tokens (Table 6). Defaults to 6.
        tokens_per_frame (bool): Whether each frame has ``num_tokens`` of its own, which exchange with its features
            alone (Table 6, second half). Defaults to False.
        token_dim (int): Width of the tokens. Defaults to 128.
        conv_type (str): Depth-wise convolutions, ``'2d'``, ``'(2+1)d'`` or ``'3d'`` (Table 10). Defaults to ``'3d'``.
        activation (str): ``'relu'``, ``'dyrelu'`` (dynamic ReLU from the first token) or ``'frame_dyrelu'`` (from the
            frame's features too) (Table 11). Defaults to ``'frame_dyrelu'``.
        stem_kernel (int): Length of the stem's temporal convolution, odd. With the temporal stride 8 of ``'560m'`` the
            default 5 never looks at three frames of eight, and 9 sees all. Defaults to 5.
        in_channels (int): Channels of the clip. Defaults to 3.
        out_indices (sequence): Stages whose outputs are returned, in ascending order from 0; those after the last one
            are not built. Defaults to ``(3, )``.
        out_type (str): What is returned of a stage, in MMPretrain's words: ``'raw'`` for the pair or ``'featmap'`` for
            the map. The weights are the same. Defaults to ``'raw'``.
        frozen_stages (int): The stem, the tokens and stages 0 to ``frozen_stages`` are not trained and stay in eval
            mode. Defaults to -1, none.
        with_cp (bool): Recompute each block in the backward pass to save memory. Defaults to False.
        init_cfg (dict or list, optional): Initialisation, MMEngine's way.

    Raises:
        UserError: An argument or a clip is unusable.

    Example:
        >>> import torch
        >>> from mmdualformer.models import VideoMobileFormer
        >>> model = VideoMobileFormer('1g').eval()
        >>> features, tokens = model(torch.rand(1, 3, 64, 224, 224))
        >>> features.shape, tokens.shape
        (torch.Size([1, 128, 16, 7, 7]), torch.Size([1, 6, 128]))
    """

    # depth-wise convolutions gain nothing, and every normalisation and activation between them converts
    slow_in: ClassVar = {'cpu': ('bfloat16',)}

    @check_arguments
    def __init__(
        self,
        arch: str | MobileArch = '1g',
        num_tokens: Positive = 6,
        tokens_per_frame: bool = False,
        token_dim: Positive = 128,
        conv_type: ConvType = '3d',
        activation: Activation = 'frame_dyrelu',
        stem_kernel: Positive = 5,
        in_channels: Positive = 3,
        out_indices: Sequence[int] = (3,),
        out_type: Literal['raw', 'featmap'] = 'raw',
        frozen_stages: int = -1,
        with_cp: bool = False,
        init_cfg: InitCfg = DEFAULT_INIT,
    ) -> None:
        if token_dim % FORMER_HEADS:
            raise UserError(f'token_dim={token_dim} must be a multiple of {FORMER_HEADS}, the heads of the Former')

        def build_block(in_dim: int, dim: int, inner_dim: int, stride: Size, excite: bool) -> VideoMobileFormerBlock:
            if tokens_per_frame and stride[0] != 1:
                raise UserError('tokens_per_frame=True needs temporal strides of 1 after the stem')
            acts = (
                build_activation(activation, inner_dim, token_dim),
                build_activation(activation, inner_dim, token_dim),
            )
            mobile = MobileBlock(in_dim, dim, inner_dim, stride, conv_type, excite, acts)
            return VideoMobileFormerBlock(mobile, in_dim, dim, token_dim)

        super().__init__(build_block, arch, stem_kernel, in_channels, out_indices, frozen_stages, with_cp, init_cfg)
        self.tokens_per_frame = tokens_per_frame
        self.out_type = out_type
        self.tokens = nn.Parameter(torch.empty(num_tokens, token_dim))
        nn.init.trunc_normal_(self.tokens, std=0.02)
        self.freeze()

    def forward(self, x: Tensor) -> Any:
        """Compute the feature maps and tokens of clips.

        Args:
            x (Tensor): Clips ``[B, in_channels, T, H, W]``.

        Returns:
            tuple or Tensor: The map ``[B, C, T/t, H/32, W/32]`` (rounded up; t is the product of the temporal strides)
            and the tokens ``[B, num_tokens, token_dim]`` that leave the last stage; tokens of frames are averaged. With
            ``out_type='featmap'`` the map alone. With several ``out_indices``, one such pair, or map, for each.

        Raises:
            UserError: The clip is empty or has another number of axes or channels.
        """
        return super().forward(x)

    def first_state(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The map, and the tokens of each group of frames."""
        groups = x.shape[2] if self.tokens_per_frame else 1
        return x, unview(self.tokens.expand(x.shape[0], groups, -1, -1))

    def output(self, stage: int, state: tuple[Tensor, Tensor]) -> Tensor | tuple[Tensor, Tensor]:
        """The map, and with ``'raw'`` the tokens, averaged over groups of frames."""
        x = self.pass_map(stage, self.stage_map(stage, state))
        return x if self.out_type == 'featmap' else (x, self.stage_tokens(state))

    def stage_map(self, stage: int, output: tuple[Tensor, Tensor], size: Sequence[int] = ()) -> Tensor:
        """The map that leaves a stage."""
        return output[0]

    def stage_tokens(self, output: tuple[Tensor, Tensor]) -> Tensor:
        """The tokens that leave a stage, averaged over groups of frames."""
        return output[1].mean(1)

    def frozen_parts(self) -> list[nn.Module | nn.Parameter]:
        """The stem, the tokens and stages 0 to ``frozen_stages``."""
        return [self.tokens, *super().frozen_parts()]
