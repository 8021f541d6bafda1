"""3D convolutions in the form in which PyTorch computes them fast on a CPU; parameters and results are nn.Conv3d's.

They put out the ``channels_last_3d`` memory format there, and want it as input: a depth-wise convolution of it is up to
25 times as fast. On other devices, and for what traces a model, such as MMEngine's FlopAnalyzer, they are plain.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.utils.fusion import fuse_conv_bn_weights

from .windows import Size


def is_plain(x: Tensor) -> bool:
    """Whether layers are to be plain PyTorch modules: not on a CPU, or for a tracer that counts or draws them."""
    return x.device.type != 'cpu' or torch.jit.is_tracing()


def runs_eagerly(x: Tensor) -> bool:
    """Whether this computation on a CPU is neither traced, compiled nor exported, so that views and loops are cheap."""
    return not is_plain(x) and not torch.compiler.is_compiling()


class ConvNorm3d(nn.Module):
    """A convolution and the batch normalisation after it.

    In inference on a CPU they are one convolution, folded anew in each pass, which costs next to nothing. Hooks of the
    two are not called then.

    Args:
        conv (nn.Module): One of the convolutions of this module.
    """

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm3d(conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_channels, T, H, W]`` to ``[B, out_channels, T', H', W']``."""
        norm = self.norm
        if norm.training or torch.is_grad_enabled() or is_plain(x):
            return norm(self.conv(x))
        weight, bias = fuse_conv_bn_weights(
            self.conv.weight, None, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        return self.conv.convolve(x, weight, bias)


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
        x = x[:, :, :: self.stride[0]]
        frames = x.transpose(1, 2).flatten(0, 1)  # [B*T, in_channels, H, W], a view when channels are last
        frames = F.conv2d(frames, weight[:, :, 0], bias, self.stride[1:])
        return frames.unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)


class DepthwiseConv3d(nn.Conv3d):
    """A depth-wise convolution without bias, its kernel odd and padded by half of it.

    Args:
        channels (int): Channels.
        kernel_size (tuple): ``(t, h, w)``, odd.
        stride (tuple): ``(t, h, w)``. Defaults to ``(1, 1, 1)``.
    """

    def __init__(self, channels: int, kernel_size: Size, stride: Size = (1, 1, 1)) -> None:
        padding = tuple(k // 2 for k in kernel_size)
        super().__init__(channels, channels, kernel_size, stride, padding, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, channels, T, H, W]`` to ``[B, channels, T', H', W']``."""
        return self.convolve(x, self.weight)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """As :meth:`forward` on a CPU, with this weight and bias in place of its own."""
        return _convolve(x, weight, bias, self.stride, self.padding, self.groups)


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
        self.padding = tuple(k // 2 for k in kernel_size)
        self.groups = groups
        self.spatial = nn.Conv3d(
            in_channels,
            out_channels,
            (1, *kernel_size[1:]),
            (1, *stride[1:]),
            (0, *self.padding[1:]),
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
        return self.temporal(self.spatial(x)) if is_plain(x) else self.convolve(x, self.weight)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """As :meth:`forward` on a CPU, with this weight and bias in place of its own."""
        x = _convolve(x, weight, bias, self.stride, self.padding, self.groups)
        return x.contiguous(memory_format=torch.channels_last_3d)


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: Size, padding: Size, groups: int) -> Tensor:
    if torch.compiler.is_exporting():
        return _convolve_frames(x, weight, bias, stride, padding, groups)
    if (
        groups > 1
        and stride[0] == 1
        and bias is None
        and torch.is_grad_enabled()
        and runs_eagerly(x)
        and not torch.is_autocast_enabled('cpu')
    ):
        return _TrainedDepthwise.apply(x, weight, stride, padding)
    return F.conv3d(x, weight, bias, stride, padding, groups=groups)


def _convolve_frames(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Size, padding: Size, groups: int
) -> Tensor:
    """A 3D convolution as 2D ones over frames, for runtimes such as ONNX Runtime whose fast kernels are 2D."""
    batch, _, length = x.shape[:3]
    taps, before = weight.shape[2], padding[0]
    if groups == 1:
        outs = []
        for start in range(-before, length + before - taps + 1, stride[0]):
            window = slice(max(start, 0), min(start + taps, length))  # what is not padding
            part = weight[:, :, window.start - start : window.stop - start]
            # frames as channels
            outs.append(F.conv2d(x[:, :, window].flatten(1, 2), part.flatten(1, 2), bias, stride[1:], padding[1:]))
        return torch.stack(outs, dim=2)
    frames = x.transpose(1, 2).flatten(0, 1)
    y = None
    for tap in sorted(range(taps), key=lambda tap: abs(tap - before)):  # the middle one first
        part = F.conv2d(frames, weight[:, :, tap], bias if y is None else None, stride[1:], padding[1:], groups=groups)
        part = part.unflatten(0, (batch, length))
        shift = tap - before
        if shift < 0:
            part = F.pad(part[:, :shift], (0, 0, 0, 0, 0, 0, -shift, 0))
        elif shift > 0:
            part = F.pad(part[:, shift:], (0, 0, 0, 0, 0, 0, 0, shift))
        y = part if y is None else y + part
    return y[:, :: stride[0]].transpose(1, 2)


class _TrainedDepthwise(torch.autograd.Function):
    """A depth-wise convolution without temporal stride, its gradients computed by convolutions that are fast.

    PyTorch's own backward of it takes about 15 times as long as its forward on a CPU. The gradient of the input is
    itself a depth-wise convolution; that of the kernel is one of 2D convolutions, a frame of the kernel each, whose
    backward is fast.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, stride: Size, padding: Size) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv3d(x, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            spread = grad
            if ctx.stride != (1, 1, 1):
                _, height, width = ctx.stride
                spread = torch.zeros_like(x)
                spread[..., ::height, ::width] = grad
            grad_x = F.conv3d(spread, weight.flip(2, 3, 4), None, 1, ctx.padding, groups=len(weight))
        if ctx.needs_input_grad[1]:
            # With 2 * padding frames of zeros between clips that lie one after another, frame i of the gradient meets
            # frame i + tap of the input in all clips at once.
            padding = ctx.padding[0]
            x, grad = _padded_frames(x, padding, padding), _padded_frames(grad, 0, 2 * padding)
            count = len(x) - 2 * padding
            grad_weight = torch.stack(
                [
                    torch.nn.grad.conv2d_weight(
                        x[tap : tap + count],
                        weight[:, :, tap].shape,
                        grad[:count],
                        ctx.stride[1:],
                        ctx.padding[1:],
                        groups=len(weight),
                    )
                    for tap in range(weight.shape[2])
                ],
                dim=2,
            )
        return grad_x, grad_weight, None, None


def _padded_frames(x: Tensor, before: int, after: int) -> Tensor:
    """Map ``[B, C, T, H, W]`` to ``[B * (before + T + after), C, H, W]``, channels last, with frames of zeros."""
    x = F.pad(x.permute(0, 2, 3, 4, 1), (0, 0, 0, 0, 0, 0, before, after))  # [B, T, H, W, C]
    return x.flatten(0, 1).permute(0, 3, 1, 2)
