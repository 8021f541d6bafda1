"""3D convolutions in the form in which PyTorch computes them fast on a CPU; parameters and results are nn.Conv3d's.

They put out the ``channels_last_3d`` memory format there, and want it as input: a depth-wise convolution of it is up to
25 times as fast. On other devices, and for what traces a model, such as MMEngine's FlopAnalyzer, they are plain.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from mmdualformer.models.arguments import Size

from .conv3d_kernels import convolve
from .sizes import map_size, unview, varies
from .tracing import is_plain, is_transformed, is_watched


class PointwiseConv3d(nn.Conv3d):
    """A 1 x 1 x 1 convolution without padding or bias.

    On a CPU it runs over the frames as 2D maps. PyTorch 2.13 gives a pointwise convolution of one clip to a kernel that
    copies the clip into the other memory format, several times as slow.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int | Size = 1) -> None:
        super().__init__(in_channels, out_channels, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_channels, T, H, W]`` to ``[B, out_channels, T', H', W']``."""
        return super().forward(x) if x.device.type != 'cpu' else self.convolve(x, self.weight)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """As :meth:`forward` on a CPU, with this weight and bias in place of its own."""
        if any(map(varies, x.shape)) and torch.is_grad_enabled() and not torch.compiler.is_exporting():
            return F.conv3d(x, weight, bias, self.stride)  # torch.compile expects other strides of views' gradients
        x = x[:, :, :: self.stride[0]]
        frames = unview(x.transpose(1, 2)).flatten(0, 1)  # [B*T, in_channels, H, W], a view when channels are last
        frames = F.conv2d(frames, weight[:, :, 0], bias, self.stride[1:])
        return frames.unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)


class DepthwiseConv3d(nn.Conv3d):
    """A depth-wise convolution without bias, its kernel odd and padded by half of it.

    Args:
        channels (int): Channels.
        kernel_size (tuple): ``(t, h, w)``, odd.
        stride (tuple): ``(t, h, w)``. Defaults to ``(1, 1, 1)``.
    """

    stride: Size
    padding: Size

    def __init__(self, channels: int, kernel_size: Size, stride: Size = (1, 1, 1)) -> None:
        padding = map_size(lambda k: k // 2, kernel_size)
        super().__init__(channels, channels, kernel_size, stride, padding, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, channels, T, H, W]`` to ``[B, channels, T', H', W']``."""
        return self.convolve(x, self.weight)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """As :meth:`forward` on a CPU, with this weight and bias in place of its own."""
        return convolve(x, weight, bias, self.stride, self.padding, self.groups)


class FactorizedConv3d(nn.Module):
    """A spatial convolution and a depth-wise temporal one, without bias, their kernels odd and padded by half of them.

    With nothing between them they are one convolution, whose kernel is the product of theirs. As such a CPU computes
    them: in the stem of a network that is several times as fast, and has no map of all frames between the two.

    Args:
        in_channels (int): Channels of the input.
        out_channels (int): Channels of the output.
        kernel_size (tuple): ``(t, h, w)``, odd.
        stride (tuple): ``(t, h, w)``.
        groups (int): Groups of the spatial convolution. Defaults to 1.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Size, stride: Size, groups: int = 1) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.stride = stride
        self.padding = map_size(lambda k: k // 2, kernel_size)
        self.groups = groups
        self.spatial = nn.Conv3d(
            in_channels,
            out_channels,
            (1, kernel_size[1], kernel_size[2]),
            (1, stride[1], stride[2]),
            (0, self.padding[1], self.padding[2]),
            groups=groups,
            bias=False,
        )
        self.temporal = DepthwiseConv3d(out_channels, (kernel_size[0], 1, 1), (stride[0], 1, 1))

    @property
    def weight(self) -> Tensor:
        """Kernel of the two in one, ``[out_channels, in_channels / groups, t, h, w]``."""
        return self.spatial.weight * self.temporal.weight

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_channels, T, H, W]`` to ``[B, out_channels, T', H', W']``."""
        if is_plain(x) or is_watched(self.spatial, self.temporal):
            return self.temporal(self.spatial(x))
        return self.convolve(x, self.weight)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """As :meth:`forward` on a CPU, with this weight and bias in place of its own."""
        x = convolve(x, weight, bias, self.stride, self.padding, self.groups)
        if torch.compiler.is_exporting() or is_transformed():  # graphs and vmap have no memory formats
            return x
        return x.contiguous(memory_format=torch.channels_last_3d)


def fold_norm(norm: nn.BatchNorm3d, weight: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Make one convolution of a 3D one and the batch normalisation after it, by its running statistics.

    Args:
        norm (nn.BatchNorm3d): The normalisation, with affine parameters.
        weight (Tensor): Of the convolution, ``[out_channels, ...]``.
        bias (Tensor, optional): Likewise ``[out_channels]``.

    Returns:
        tuple: The weight and the bias of the one.
    """
    assert norm.running_mean is not None and norm.running_var is not None
    # as torch.nn.utils.fuse_conv_bn_weights, whose parameters torch.compile cannot trace
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    shift = norm.running_mean if bias is None else norm.running_mean - bias
    return weight * scale[:, None, None, None, None], norm.bias - shift * scale


class ConvNorm3d(nn.Module):
    """One of these convolutions and the batch normalisation after it.

    In inference on a CPU they are one convolution, folded anew in each pass, which costs next to nothing, unless one of
    the two has hooks or parametrizations, which are then called. After :meth:`fold_in_eval` they are wherever the
    normalisation is in eval mode.

    Args:
        conv (nn.Module): The convolution.
    """

    def __init__(self, conv: PointwiseConv3d | DepthwiseConv3d | FactorizedConv3d) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm3d(conv.out_channels)
        self.folds = False

    def fold_in_eval(self) -> None:
        """Be one convolution in eval mode with gradients and on a GPU too, as ``efficient_conv_bn_eval`` asks."""
        self.folds = True

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_channels, T, H, W]`` to ``[B, out_channels, T', H', W']``."""
        norm = self.norm
        folds = self.folds or not (torch.is_grad_enabled() or is_plain(x))
        if norm.training or not folds or is_watched(self.conv, norm):
            return norm(self.conv(x))
        weight, bias = fold_norm(norm, self.conv.weight)
        if torch.is_grad_enabled():  # of a depth-wise convolution without a bias they are fast on a CPU
            return self.conv.convolve(x, weight) + bias[:, None, None, None]
        return self.conv.convolve(x, weight, bias)
