"""Which form of a computation to choose: plain PyTorch modules, or what is faster on a CPU."""

import functools
from pathlib import Path

import torch
import torch.nn as nn
from torch import Tensor
from torch.nn.modules import module as torch_module
from torch.nn.utils.parametrize import is_parametrized


@functools.cache
def cpu_flags(cpuinfo: Path = Path('/proc/cpuinfo')) -> frozenset[str]:
    """What the CPU has, by Linux' description of it, such as ``'avx512_bf16'``; nothing where there is none."""
    return frozenset(cpuinfo.read_text().split()) if cpuinfo.exists() else frozenset()


def is_plain(x: Tensor) -> bool:
    """Whether layers are to be plain PyTorch modules: not on a CPU, or for a tracer that counts or draws them."""
    return x.device.type != 'cpu' or torch.jit.is_tracing()  # type: ignore[attr-defined]  # public, but not in __all__


def runs_eagerly(x: Tensor) -> bool:
    """Whether this computation on a CPU is neither traced, compiled nor exported, so that views and loops are cheap.

    Under the transforms of ``torch.func`` it is not: they take neither our gradients nor work in place.
    """
    return not is_plain(x) and not torch.compiler.is_compiling() and not is_transformed()


def is_transformed() -> bool:
    """Whether a transform of ``torch.func``, such as ``vmap`` or ``grad``, makes this computation another one."""
    return not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active()


def is_watched(*modules: nn.Module) -> bool:
    """Whether something is called when one of these modules, or of those in them, is: a hook, or a parametrization.

    Hooks look at what modules take and give, as those of ``captum``, or make their weights, as those of
    ``torch.nn.utils.prune``.
    """
    if torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks:
        return True
    return any(
        part._forward_hooks
        or part._forward_pre_hooks
        or part._backward_hooks
        or part._backward_pre_hooks
        or is_parametrized(part)
        for module in modules
        for part in module.modules()
    )


def is_intercepted(module: nn.Module) -> bool:
    """Whether something stands between this module and PyTorch: a mode that counts operators, or another forward."""
    return bool(
        torch._C._len_torch_dispatch_stack() or torch._C._len_torch_function_stack() or 'forward' in vars(module)
    )


def spare(x: Tensor, *modules: nn.Module) -> Tensor:
    """Features that the next layer may overwrite: a copy where one of the modules that saw them is watched."""
    return x.clone() if is_watched(*modules) and not torch.is_grad_enabled() else x
