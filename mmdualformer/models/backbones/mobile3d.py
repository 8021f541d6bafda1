"""Mobile3D, the convolutional baseline of Video Mobile-Former (arXiv:2208.12257, Table 2)."""

from collections.abc import Sequence

import torch.nn as nn
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmcv.cnn import Swish
from torch import Tensor

from mmdualformer.models.arguments import InitCfg, Positive, Size, check_arguments
from mmdualformer.models.layers import ConvNorm3d, PointwiseConv3d

from .video_mobile_former import (
    DEFAULT_INIT,
    ConvType,
    MobileArch,
    MobileBackbone,
    MobileBlock,
    StaticActivation,
)


@MODELS.register_module()
class Mobile3D(MobileBackbone[Tensor]):
    """Video Mobile-Former without Former and bridges, which makes it an X3D: the baseline of Table 2.

    After the last stage comes X3D's last pointwise convolution; MMAction2's ``X3DHead`` takes its output.

    Args:
        arch, conv_type, stem_kernel, in_channels, out_indices, frozen_stages, with_cp, init_cfg: Those of
            :class:`VideoMobileFormer`.

    Raises:
        UserError: An argument or a clip is unusable.

    Example:
        >>> import torch
        >>> from mmdualformer.models import Mobile3D
        >>> model = Mobile3D('1g').eval()
        >>> model(torch.rand(1, 3, 64, 224, 224)).shape
        torch.Size([1, 288, 16, 7, 7])
    """

    @check_arguments
    def __init__(
        self,
        arch: str | MobileArch = '1g',
        conv_type: ConvType = '3d',
        stem_kernel: Positive = 5,
        in_channels: Positive = 3,
        out_indices: Sequence[int] = (3,),
        frozen_stages: int = -1,
        with_cp: bool = False,
        init_cfg: InitCfg = DEFAULT_INIT,
    ) -> None:

        def build_block(in_dim: int, dim: int, inner_dim: int, stride: Size, excite: bool) -> MobileBlock:
            acts = (StaticActivation(nn.ReLU()), StaticActivation(Swish()))
            return MobileBlock(in_dim, dim, inner_dim, stride, conv_type, excite, acts, final_act=nn.ReLU())

        super().__init__(build_block, arch, stem_kernel, in_channels, out_indices, frozen_stages, with_cp, init_cfg)
        if self.is_whole:
            self.expand = ConvNorm3d(PointwiseConv3d(self.dim, self.inner_dim))
        self.freeze()

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Compute the feature maps of clips ``[B, in_channels, T, H, W]``.

        Returns:
            Tensor or tuple[Tensor]: The map ``[B, inner, T/t, H/32, W/32]`` of the last stage after the last
            convolution, or, with several ``out_indices``, one map for each.

        Raises:
            UserError: The clip is empty or has another number of axes or channels.
        """
        return super().forward(x)

    def first_state(self, x: Tensor) -> Tensor:
        """The stem's map."""
        return x

    def output(self, stage: int, state: Tensor) -> Tensor:
        """The map, of the last stage after X3D's last convolution."""
        return self.pass_map(stage, self.stage_map(stage, state))

    def stage_channels(self) -> list[int]:
        """Channels of each stage, the last one after X3D's last convolution."""
        channels = super().stage_channels()
        return [*channels[:-1], self.inner_dim] if self.is_whole else channels

    def stage_map(self, stage: int, output: Tensor, size: Sequence[int] = ()) -> Tensor:
        """The map that leaves a stage, the last one after X3D's last convolution."""
        is_last = self.is_whole and stage == len(self.stages) - 1
        return F.relu(self.expand(output)) if is_last else output
