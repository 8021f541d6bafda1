"""Which form of a computation to choose: plain PyTorch modules, or what is faster on a CPU."""

import torch
from torch import Tensor


def is_plain(x: Tensor) -> bool:
    """Whether layers are to be plain PyTorch modules: not on a CPU, or for a tracer that counts or draws them."""
    return x.device.type != 'cpu' or torch.jit.is_tracing()  # type: ignore[attr-defined]  # public, but not in __all__


def runs_eagerly(x: Tensor) -> bool:
    """Whether this computation on a CPU is neither traced, compiled nor exported, so that views and loops are cheap."""
    return not is_plain(x) and not torch.compiler.is_compiling()
