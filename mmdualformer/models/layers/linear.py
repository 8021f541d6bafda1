"""Linear layers by oneDNN, on CPUs where the product that PyTorch calls for float32 is slow."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from .tracing import cpu_flags, is_intercepted, is_watched, runs_eagerly

PYTORCH_LINEAR = F.linear


def apply_linear(layer: nn.Module, x: Tensor) -> Tensor:
    """Call a linear layer, by oneDNN where that is faster and nobody can tell.

    PyTorch multiplies float32 by MKL. On AMD's Zen 5 that is half as fast as oneDNN, which PyTorch has too.

    Args:
        layer (nn.Module): The layer. What is not exactly ``nn.Linear`` with a plain weight, such as what a quantization
            or an adapter makes of it, is called as it is, and so is a layer with hooks or parametrizations.
        x (Tensor): ``[..., in_features]``.

    Returns:
        Tensor: ``[..., out_features]``.
    """
    if (
        runs_eagerly(x)
        and type(layer) is nn.Linear
        and type(x) is Tensor
        and type(layer.weight) in (nn.Parameter, Tensor)
        and x.dtype == layer.weight.dtype == torch.float32
        and onednn_is_faster()
        and not torch.is_autocast_enabled('cpu')
        and not is_watched(layer)
        and not is_intercepted(layer)
        and F.linear is PYTORCH_LINEAR  # or somebody counts its calls
    ):
        return OneDnnLinear.apply(x.flatten(0, -2), layer.weight, layer.bias).unflatten(0, x.shape[:-1])
    return layer(x)


def onednn_is_faster() -> bool:
    """Whether this is a CPU of AMD with AVX-512, and PyTorch has oneDNN's linear layer."""
    return {'AuthenticAMD', 'avx512f'} <= cpu_flags() and hasattr(torch.ops.mkldnn, '_linear_pointwise')


class OneDnnLinear(torch.autograd.Function):
    """``x @ weight.T + bias`` of ``x [N, in]``, ``weight [out, in]`` and ``bias [out]`` or None, and its gradients."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """See the class."""
        ctx.save_for_backward(x, weight)
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, 'none', [], '')

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients, which are products of the same kind, so that they have gradients too."""
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            OneDnnLinear.apply(grad, weight.t(), None) if of_x else None,
            OneDnnLinear.apply(grad.t(), x.t(), None) if of_weight else None,
            grad.sum(0) if of_bias else None,
        )
