import torch
import torch.nn as nn
from einops import rearrange
from torch import Tensor

from mmdualformer.models.arguments import Size

from .sizes import varies
from .windows import extend


class TokenConv3d(nn.Conv3d):
    """Non-overlapping convolution of channels-last tokens, ``kernel_size`` being the stride.

    A map that the kernel does not divide is extended by repeating its last frame, row and column.

    Args:
        in_channels (int): Channels of the input.
        out_channels (int): Channels of the output.
        kernel_size (tuple): ``(t, h, w)``.
        groups (int): Groups of channels. Defaults to 1.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Size, groups: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride=kernel_size, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, T, H, W, in_channels]`` to ``[B, T/t, H/h, W/w, out_channels]``, each rounded up."""
        return self.convolve(x, self.weight, self.bias)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """As :meth:`forward`, with this weight and bias in place of its own."""
        for axis, step in enumerate(self.kernel_size, 1):
            length = x.shape[axis]
            if varies(length):
                x = extend(x, axis, step)
            elif length % step:
                # not F.pad: on a GPU the gradient of its 'replicate' is not deterministic
                x = torch.cat([x, *[x.narrow(axis, length - 1, 1)] * (-length % step)], dim=axis)
        x = self._conv_forward(rearrange(x, 'B T H W C -> B C T H W'), weight, bias)
        return rearrange(x, 'B C T H W -> B T H W C')
