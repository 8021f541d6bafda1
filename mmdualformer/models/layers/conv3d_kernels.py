"""How a 3D convolution is computed: by PyTorch, with gradients that are fast on a CPU, or for export as 2D ones."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv2d_weight

from mmdualformer.models.arguments import Size

from .sizes import varies
from .tracing import runs_eagerly


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: Size, padding: Size, groups: int) -> Tensor:
    """A 3D convolution of ``[B, C, T, H, W]``, its kernel odd and padded by half of it, by the fastest of these ways.

    Args:
        x (Tensor): ``[B, in_channels, T, H, W]``.
        weight (Tensor): ``[out_channels, in_channels / groups, t, h, w]``.
        bias (Tensor, optional): ``[out_channels]``.
        stride, padding (tuple): ``(t, h, w)``.
        groups (int): Groups of channels.

    Returns:
        Tensor: ``[B, out_channels, T', H', W']``.
    """
    if torch.compiler.is_exporting() and (groups > 1 or not varies(x.shape[2])):
        return convolve_frames(x, weight, bias, stride, padding, groups)
    if (
        groups > 1
        and stride[0] == 1
        and bias is None
        and torch.is_grad_enabled()
        and runs_eagerly(x)
        and not torch.is_autocast_enabled('cpu')
    ):
        return TrainedDepthwise.apply(x, weight, stride, padding)
    return F.conv3d(x, weight, bias, stride, padding, groups=groups)


def convolve_frames(x: Tensor, weight: Tensor, bias: Tensor | None, stride: Size, padding: Size, groups: int) -> Tensor:
    """As :func:`convolve`, by 2D convolutions of frames: for runtimes such as ONNX Runtime, whose 2D ones are fast."""
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

    def convolve_by(tap: int, bias: Tensor | None = None) -> Tensor:
        y = F.conv2d(frames, weight[:, :, tap], bias, stride[1:], padding[1:], groups=groups)
        return y.unflatten(0, (batch, length))

    y = convolve_by(before, bias)  # the middle one
    for tap in sorted(range(taps), key=lambda tap: abs(tap - before))[1:]:
        part = convolve_by(tap)
        shift = tap - before
        if shift < 0:
            part = F.pad(part[:, :shift], (0, 0, 0, 0, 0, 0, -shift, 0))
        else:
            part = F.pad(part[:, shift:], (0, 0, 0, 0, 0, 0, 0, shift))
        y = y + part
    return y[:, :: stride[0]].transpose(1, 2)


class TrainedDepthwise(torch.autograd.Function):
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
            x, grad = _pad_frames(x, padding, padding), _pad_frames(grad, 0, 2 * padding)
            count = len(x) - 2 * padding
            grad_weight = torch.stack(
                [
                    conv2d_weight(
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


def _pad_frames(x: Tensor, before: int, after: int) -> Tensor:
    """Map ``[B, C, T, H, W]`` to ``[B * (before + T + after), C, H, W]``, channels last, with frames of zeros."""
    x = F.pad(x.permute(0, 2, 3, 4, 1), (0, 0, 0, 0, 0, 0, before, after))  # [B, T, H, W, C]
    return x.flatten(0, 1).permute(0, 3, 1, 2)
