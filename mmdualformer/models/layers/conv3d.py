"""3D convolutions in the form in which PyTorch computes them fast on a CPU; names, shapes and results are nn.Conv3d's.

Both want their input in the ``channels_last_3d`` memory format there, in which a depth-wise convolution is up to 25
times as fast. On other devices they are what they inherit from.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .windows import Size


class PointwiseConv3d(nn.Conv3d):
    """A 1 x 1 x 1 convolution without padding.

    On a CPU it runs over the frames as 2D maps. PyTorch 2.13 gives a pointwise convolution of one clip to a kernel that
    copies the clip into the other memory format, several times as slow.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int | Size = 1, bias: bool = False) -> None:
        super().__init__(in_channels, out_channels, 1, stride=stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_channels, T, H, W]`` to ``[B, out_channels, T', H', W']``."""
        if x.device.type != 'cpu':
            return super().forward(x)
        x = x[:, :, ::self.stride[0]]
        frames = x.transpose(1, 2).flatten(0, 1)  # [B*T, in_channels, H, W], a view when channels are last
        frames = F.conv2d(frames, self.weight[:, :, 0], self.bias, self.stride[1:])
        return frames.unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)


class DepthwiseConv3d(nn.Conv3d):
    """A depth-wise convolution with an odd kernel, padded by half of it.

    Args:
        channels (int): Channels.
        kernel_size (tuple): ``(t, h, w)``, odd.
        stride (tuple): Defaults to ``(1, 1, 1)``.
        bias (bool): Defaults to False.
    """

    def __init__(self, channels: int, kernel_size: Size, stride: Size = (1, 1, 1), bias: bool = False) -> None:
        padding = tuple(k // 2 for k in kernel_size)
        super().__init__(channels, channels, kernel_size, stride, padding, groups=channels, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, channels, T, H, W]`` to ``[B, channels, T', H', W']``."""
        by_frames = (
            torch.is_grad_enabled() and x.device.type == 'cpu' and self.stride[0] == 1
            and not torch.is_autocast_enabled('cpu'))
        if not by_frames:
            return super().forward(x)
        x = _DepthwiseConv3d.apply(x, self.weight, self.stride, self.padding)
        return x if self.bias is None else x + self.bias.view(-1, 1, 1, 1)


class _DepthwiseConv3d(torch.autograd.Function):
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
            grad_weight = torch.stack([
                torch.nn.grad.conv2d_weight(
                    x[tap:tap + count], weight[:, :, tap].shape, grad[:count], ctx.stride[1:], ctx.padding[1:],
                    groups=len(weight)) for tap in range(weight.shape[2])
            ], dim=2)
        return grad_x, grad_weight, None, None


def _padded_frames(x: Tensor, before: int, after: int) -> Tensor:
    """Map ``[B, C, T, H, W]`` to ``[B * (before + T + after), C, H, W]``, channels last, with frames of zeros."""
    x = F.pad(x.permute(0, 2, 3, 4, 1), (0, 0, 0, 0, 0, 0, before, after))  # [B, T, H, W, C]
    return x.flatten(0, 1).permute(0, 3, 1, 2)
