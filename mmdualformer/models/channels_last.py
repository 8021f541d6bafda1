"""Video Mobile-Former and Mobile3D in the form in which a runtime such as OpenVINO computes them fast.

The function is the same, what it is made of is not. Maps are ``[B, T, H, W, C]`` from the stem on. Such runtimes keep
channels last in memory around a 3D convolution, so that the permutations about it cost nothing; and what is between
convolutions, products, averages and dynamic ReLU, needs none. For inference only, with batch normalisation folded.
"""

from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from .backbones.mobile3d import Mobile3D
from .backbones.video_mobile_former import (
    Former,
    GlobalToLocal,
    LocalToGlobal,
    MobileBackbone,
    MobileBlock,
    Stem,
    VideoMobileFormer,
    VideoMobileFormerBlock,
)
from .heads import VideoMobileFormerHead
from .layers import ConvNorm3d, DynamicReLU


def as_channels_last(scorer: nn.Module, fixed_frames: bool = True) -> nn.Module:
    """Rewrite a backbone and its head, if it is one of these.

    Args:
        scorer (nn.Module): From normalised clips to logits, with children ``backbone`` and ``cls_head``, in eval mode.
            It stays as it is, and what comes out shares weights with it.
        fixed_frames (bool): Whether clips have as many frames as the one that it is traced with. Then the stem is made
            of 2D convolutions, which is twice as fast. Defaults to True.

    Returns:
        nn.Module: From normalised clips to logits; ``scorer`` itself where there is nothing to rewrite.
    """
    backbone, head = scorer.get_submodule('backbone'), scorer.get_submodule('cls_head')
    if not isinstance(backbone, MobileBackbone) or len(backbone.out_indices) != 1:
        return scorer
    return ChannelsLastScorer(backbone, head, fixed_frames).eval()


# What 8 bits harm, as regular expressions of the names of a graph's operators: all that makes factors for maps, or is
# between convolutions. It is little work, and rounding it changes predictions.
SENSITIVE = (
    r'.*(act1|act2|excitation|former|local_to_global|global_to_local|head\.fc|head\.norm|head/).*',
    r'.*aten::(matmul|mul|maximum|mean|add).*',
)


class ChannelsLastScorer(nn.Module):
    """Backbone and head.

    Args:
        backbone (MobileBackbone): The backbone, with one output.
        head (nn.Module): Takes what the backbone puts out.
        fixed_frames (bool): See :func:`as_channels_last`.
    """

    def __init__(self, backbone: Any, head: Any, fixed_frames: bool) -> None:
        super().__init__()
        self.stem = ChannelsLastStem(backbone.stem, fixed_frames)
        self.blocks = nn.ModuleList(_rewrite_block(block) for block in backbone.list_blocks())
        self.tokens = self.expand = None
        if isinstance(backbone, VideoMobileFormer):
            self.tokens = backbone.tokens
            self.tokens_per_frame = backbone.tokens_per_frame
            self.takes_pair = backbone.out_type == 'raw'
        elif isinstance(backbone, Mobile3D) and backbone.is_whole:
            self.expand = Pointwise(backbone.expand)
        self.head = ChannelsLastHead(head) if isinstance(head, VideoMobileFormerHead) else head

    def forward(self, clip: Tensor) -> Tensor:
        """Map clips ``[B, 3, T, H, W]`` to logits ``[B, classes]``."""
        x = self.stem(clip)
        if self.tokens is None:
            for block in self.blocks:
                x = block(x)
            x = x if self.expand is None else F.relu(self.expand(x))
            return self.head(x.permute(0, 4, 1, 2, 3))
        tokens = self.tokens.expand(x.shape[0], x.shape[1] if self.tokens_per_frame else 1, -1, -1)
        for block in self.blocks:
            x, tokens = block(x, tokens)
        if isinstance(self.head, ChannelsLastHead):
            return self.head(x, tokens.mean(1))
        x = x.permute(0, 4, 1, 2, 3)
        return self.head((x, tokens.mean(1)) if self.takes_pair else x)


def _rewrite_block(block: nn.Module) -> nn.Module:
    if isinstance(block, VideoMobileFormerBlock):
        return ChannelsLastBlock(block)
    assert isinstance(block, MobileBlock)
    return ChannelsLastMobile(block)


def fold(layer: ConvNorm3d) -> tuple[nn.Parameter, nn.Parameter]:
    """Weight and bias of a convolution and the batch normalisation after it, in one."""
    norm = layer.norm
    assert norm.running_mean is not None and norm.running_var is not None
    with torch.no_grad():
        scale = norm.weight.float() * torch.rsqrt(norm.running_var.float() + norm.eps)
        weight = layer.conv.weight.float() * scale[:, None, None, None, None]
        bias = norm.bias.float() - norm.running_mean.float() * scale
    dtype = norm.weight.dtype
    return nn.Parameter(weight.to(dtype), requires_grad=False), nn.Parameter(bias.to(dtype), requires_grad=False)


class ChannelsLastStem(nn.Module):
    """The stem as one convolution.

    A 3D convolution of three channels copies the whole clip first, and has little to do for each channel. Those over a
    window of frames, whose channels are all frames', are 2D and need neither.

    Args:
        stem (Stem): The stem.
        fixed_frames (bool): Whether the number of frames is known, and with it the windows.
    """

    def __init__(self, stem: Stem, fixed_frames: bool) -> None:
        super().__init__()
        self.weight, self.bias = fold(stem.conv)
        conv: Any = stem.conv.conv
        self.stride, self.padding = conv.stride, conv.padding
        self.fixed_frames = fixed_frames

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, 3, T, H, W]`` to ``[B, T/stride, H/2, W/2, C]``."""
        if not self.fixed_frames:
            return F.relu(F.conv3d(x, self.weight, self.bias, self.stride, self.padding)).permute(0, 2, 3, 4, 1)
        length, taps, before = int(x.shape[2]), self.weight.shape[2], self.padding[0]
        maps = []
        for start in range(-before, length + before - taps + 1, self.stride[0]):
            first, end = max(start, 0), min(start + taps, length)  # what is not padding
            frames = x[:, :, first:end].flatten(1, 2)
            weight = self.weight[:, :, first - start : end - start].flatten(1, 2)
            y = F.relu(F.conv2d(frames, weight, self.bias, self.stride[1:], self.padding[1:]))
            maps.append(y.permute(0, 2, 3, 1))
        return torch.stack(maps, 1)


class Pointwise(nn.Module):
    """A pointwise convolution with its normalisation, as a linear layer.

    Args:
        layer (ConvNorm3d): Of a :class:`PointwiseConv3d`.
    """

    def __init__(self, layer: ConvNorm3d) -> None:
        super().__init__()
        weight, self.bias = fold(layer)
        self.weight = nn.Parameter(weight[:, :, 0, 0, 0], requires_grad=False)
        self.stride = layer.conv.stride

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, H, W, in_channels]`` to ``[B, T', H', W', out_channels]``, or the same without ``H, W``."""
        if self.stride != (1, 1, 1):
            t, h, w = self.stride
            x = x[:, ::t, ::h, ::w]
        return F.linear(x, self.weight, self.bias)

    def of_means(self, means: Tensor) -> Tensor:
        """The averages ``[B, T, out_channels]`` of what comes out, which are those of what comes in, mapped."""
        return F.linear(means, self.weight, self.bias)


class Depthwise(nn.Module):
    """A depth-wise convolution with its normalisation; a factorised one is one convolution.

    Args:
        layer (ConvNorm3d): Of a :class:`DepthwiseConv3d` or :class:`FactorizedConv3d`.
    """

    def __init__(self, layer: ConvNorm3d) -> None:
        super().__init__()
        self.weight, self.bias = fold(layer)
        conv: Any = layer.conv
        self.stride, self.padding, self.groups = conv.stride, conv.padding, conv.groups

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, H, W, C]`` to ``[B, C, T', H', W']``."""
        x = x.permute(0, 4, 1, 2, 3)
        return F.conv3d(x, self.weight, self.bias, self.stride, self.padding, groups=self.groups)


class ChannelsLastMobile(nn.Module):
    """The convolutions of a block.

    Args:
        mobile (MobileBlock): The block.
    """

    def __init__(self, mobile: Any) -> None:
        super().__init__()
        self.expand = Pointwise(mobile.expand)
        self.act1 = mobile.act1
        self.depthwise = Depthwise(mobile.depthwise)
        self.excitation = mobile.excitation
        self.act2 = mobile.act2
        self.project = Pointwise(mobile.project)
        self.shortcut = Pointwise(mobile.shortcut) if isinstance(mobile.shortcut, ConvNorm3d) else nn.Identity()
        self.final_act = mobile.final_act

    def forward(self, x: Tensor, token: Tensor | None = None) -> Tensor:
        """Map ``[B, T, H, W, in_dim]`` to ``[B, T', H', W', dim]``; ``token`` is that of :class:`DynamicReLU`."""
        # the expanded map is the largest of the block: its averages are had without reading it
        y = activate(self.act1, self.expand(x), self.expand.of_means(x.mean((2, 3))), token)
        y = self.depthwise(y)
        # its channels stay where they are for as long as they can: a permutation with two readers is not free
        means = y.mean((3, 4)).transpose(1, 2)
        excitation = self.excitation.of_means(means) if self.excitation else None
        y = activate(self.act2, y, means, token, excitation, channels_first=True)
        return self.final_act(self.project(y.permute(0, 2, 3, 4, 1)) + self.shortcut(x))


def activate(
    act: Any,
    x: Tensor,
    means: Tensor,
    token: Tensor | None,
    excitation: Tensor | None = None,
    channels_first: bool = False,
) -> Tensor:
    """Apply the activation of a block.

    Args:
        act (nn.Module): A :class:`DynamicReLU`, or a :class:`StaticActivation`.
        x (Tensor): ``[B, T, H, W, C]``, or, with ``channels_first``, ``[B, C, T, H, W]``.
        means (Tensor): Its averages ``[B, T, C]``.
        token, excitation (Tensor, optional): See :class:`DynamicReLU`.
        channels_first (bool): See ``x``. Defaults to False.

    Returns:
        Tensor: Of the form of ``x``.
    """

    def spread(factors: Tensor) -> Tensor:
        return factors.transpose(1, 2)[..., None, None] if channels_first else factors[:, :, None, None]

    if isinstance(act, DynamicReLU):
        assert token is not None
        a1, a2 = map(spread, act.slopes(means, token, excitation))
        return torch.maximum(x * a1, x * a2)
    return act.act(x if excitation is None else x * spread(excitation))


class ChannelsLastBlock(nn.Module):
    """Mobile, Former and the two bridges.

    Args:
        block (VideoMobileFormerBlock): The block.
    """

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.local_to_global = ChannelsLastLocalToGlobal(block.local_to_global)
        self.former: Former = block.former
        self.mobile = ChannelsLastMobile(block.mobile)
        self.global_to_local = ChannelsLastGlobalToLocal(block.global_to_local)

    def forward(self, x: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``[B, T, H, W, in_dim]`` and ``[B, F, M, token_dim]`` to ``[B, T', H', W', dim]`` and the new tokens."""
        groups, count, width = tokens.shape[1:]
        tokens = self.local_to_global(_group(x, groups), tokens.reshape(-1, count, width))
        tokens = self.former(tokens.reshape(-1, groups * count, width)).reshape(-1, groups, count, width)
        x = self.mobile(x, tokens[:, :, 0])
        y = self.global_to_local(_group(x, groups), tokens.reshape(-1, count, width))
        return y.reshape(x.shape), tokens


def _group(x: Tensor, groups: int) -> Tensor:
    """Map ``[B, T, H, W, C]`` to ``[B * groups, T / groups, H * W, C]``."""
    x = x.flatten(2, 3)
    return x if groups == 1 else x.flatten(0, 1)[:, None]


class Heads(nn.Module):
    """Rows of all heads in one matrix, each zero where another head's channels are, so that all are one product.

    Args:
        num_heads (int): Heads.
        dim (int): Channels of all.
    """

    mask: Tensor

    def __init__(self, num_heads: int, dim: int) -> None:
        super().__init__()
        self.num_heads, self.dim = num_heads, dim
        mask = torch.arange(num_heads).repeat_interleave(dim // num_heads) == torch.arange(num_heads)[:, None]
        self.register_buffer('mask', mask.float()[:, None], persistent=False)  # [heads, 1, dim]

    def part(self, rows: Tensor) -> Tensor:
        """Map ``[N, M, dim]`` to ``[N, 1, heads * M, dim]``, the rows of each head after those of the one before."""
        mask = self.mask.to(rows.dtype)
        return (rows[:, None] * mask).reshape(-1, 1, self.num_heads * rows.shape[1], self.dim)

    def join(self, rows: Tensor) -> Tensor:
        """Map ``[N, heads * M, dim]`` to ``[N, M, dim]``, of each head its own channels."""
        return (rows.unflatten(1, (self.num_heads, -1)) * self.mask.to(rows.dtype)).sum(1)


class ChannelsLastLocalToGlobal(nn.Module):
    """The bridge from local features to tokens.

    Frames are a batch of products: their features enter where they lie, and each is in the cache while it is needed.

    Args:
        bridge (LocalToGlobal): The bridge.
    """

    def __init__(self, bridge: LocalToGlobal) -> None:
        super().__init__()
        self.bridge = bridge
        self.heads = Heads(bridge.num_heads, bridge.q.out_features)

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Update tokens ``[N, M, token_dim]`` from features ``[N, T, L, dim]``."""
        q = self.heads.part(self.bridge.q(tokens) * self.bridge.scale)
        scores = q @ x.transpose(2, 3)  # [N, T, heads * M, L], of which T and L are softmax's
        weights = (scores - scores.amax((1, 3), keepdim=True)).exp()
        update = (weights @ x).sum(1) / weights.sum((1, 3))[..., None]
        return self.bridge.merge(tokens, self.heads.join(update))


class ChannelsLastGlobalToLocal(nn.Module):
    """The bridge from tokens to local features.

    Args:
        bridge (GlobalToLocal): The bridge.
    """

    def __init__(self, bridge: GlobalToLocal) -> None:
        super().__init__()
        self.bridge = bridge
        self.heads = Heads(bridge.num_heads, bridge.k.out_features)

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Update features ``[N, T, L, dim]`` from tokens ``[N, M, token_dim]``."""
        k = self.heads.part(self.bridge.k(tokens) * self.bridge.scale)
        v = self.heads.part(self.bridge.v(tokens))
        scores = k @ x.transpose(2, 3)  # [N, T, heads * M, L]
        shares = scores.unflatten(2, (self.heads.num_heads, -1)).softmax(3).flatten(2, 3)  # over the tokens of a head
        return x + shares.transpose(2, 3) @ v


class ChannelsLastHead(nn.Module):
    """The head of Video Mobile-Former.

    Args:
        head (VideoMobileFormerHead): The head.
    """

    def __init__(self, head: VideoMobileFormerHead) -> None:
        super().__init__()
        self.expand = Pointwise(head.expand)
        self.fc, self.norm, self.fc_cls = head.fc, head.norm, head.fc_cls

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Map ``[B, T, H, W, C]`` and ``[B, M, token_dim]`` to logits ``[B, classes]``."""
        x = F.hardswish(F.relu(self.expand(x)).mean((1, 2, 3)))
        x = torch.cat([x, tokens[:, 0]], dim=-1)
        return self.fc_cls(F.hardswish(self.norm(self.fc(x))))
