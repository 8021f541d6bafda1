"""How much memory a training step would take on a GPU, found out without one."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Variable
from torch.overrides import TorchFunctionMode

from .memory import PeakMemory

# Of torch.autocast on CUDA, what the models here call: operators in the lower dtype, and in float32.
IN_LOWER = {F.linear, F.conv1d, F.conv2d, F.conv3d, torch.matmul, Tensor.matmul, Tensor.__matmul__}
IN_FLOAT32 = {F.layer_norm, F.softmax, F.cross_entropy, torch.softmax, Tensor.softmax}


class _CudaAutocast(TorchFunctionMode):
    """The casts of ``torch.autocast('cuda', dtype)`` and its fused attention, of tensors of the meta device."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self._weights: dict[Tensor, Tensor] = {}  # autocast too casts a weight once a step

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in IN_LOWER:
            args = [self._lower(arg) for arg in args]
            kwargs = {name: self._lower(arg) for name, arg in kwargs.items()}
        elif func in IN_FLOAT32:
            args = [arg.float() if isinstance(arg, Tensor) and arg.is_floating_point() else arg for arg in args]
        elif func is F.scaled_dot_product_attention:
            given = {**dict(zip(('query', 'key', 'value', 'attn_mask', 'dropout_p'), args)), **kwargs}
            if given.get('attn_mask') is None:
                q, k, v = (self._lower(given[name]) for name in ('query', 'key', 'value'))
                return torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, given.get('dropout_p', 0.0))[0]
        return func(*args, **kwargs)

    def _lower(self, value: Any) -> Any:
        if not isinstance(value, Tensor) or value.dtype != torch.float32:
            return value
        if not (value.is_leaf and value.requires_grad):
            return value.to(self.dtype)
        if value not in self._weights:
            self._weights[value] = value.to(self.dtype)
        return self._weights[value]


def estimate_training_memory(
    model: nn.Module, loss: Callable[[nn.Module], Tensor], dtype: torch.dtype = torch.bfloat16
) -> int:
    """Follow a training step of AdamW in mixed precision on the meta device, which computes nothing.

    Counted are all tensors that live at one time: weights, gradients, the optimizer's two averages, and what autograd
    keeps. What kernels take for themselves while they run, and what the allocator leaves unused between two tensors, is
    not seen. Attention is fused where it has no mask.

    Args:
        model (nn.Module): On the meta device and in training mode.
        loss (callable): Computes the loss of a batch; it makes the batch itself.
        dtype (torch.dtype): What products are computed in. Defaults to bfloat16.

    Returns:
        int: Bytes.
    """
    parameters = list(model.parameters())
    gradients, *averages = ([torch.zeros_like(parameter) for parameter in parameters] for _ in range(3))
    for parameter, gradient in zip(parameters, gradients):
        parameter.grad = gradient
    held = [*parameters, *model.buffers(), *gradients, *averages[0], *averages[1]]
    with torch.device('meta'), PeakMemory(held) as memory, _CudaAutocast(dtype):
        value = loss(model)
        # Tensor.backward switches the casts off, also for blocks that are computed again
        Variable._execution_engine.run_backward(
            (value,), (torch.ones_like(value),), False, False, (), allow_unreachable=True, accumulate_grad=True
        )
    return memory.peak
