"""Gradient checkpointing that leaves running statistics as one forward pass would.

What is checkpointed ends best with a matrix product: PyTorch recomputes up to the last tensor that the backward pass
asks for, which is the product's input, and leaves the product out. Hence residual branches are checkpointed each, and
without the stochastic depth or the dropout that follows them.
"""

import ctypes
import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
import torch.nn as nn
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint

_trim_heap = getattr(ctypes.CDLL(None), 'malloc_trim', None) if sys.platform == 'linux' else None  # glibc has it
_LARGE = 2 * 2**20  # bytes; smaller maps fit into the pieces
_large_ones = itertools.count()
_EVERY = 12  # what is handed back is taken anew, which took a seventh of a step when it was done before each


def run_checkpointed(module: nn.Module, *inputs: Any, method: Callable[..., Any] | None = None) -> Any:
    """Compute ``module(*inputs)``, and compute it again in the backward pass instead of storing what it needs there.

    Args:
        module (nn.Module): The module.
        *inputs: What it takes.
        method (callable, optional): A part of what the module computes, called in its place. Defaults to None.

    Returns:
        What the module or the method returns.
    """
    function = method or module
    if torch.compiler.is_compiling():  # recomputes in its own way, which updates nothing twice
        return checkpoint(function, *inputs, use_reentrant=False)
    maps = [value for value in tree_leaves(inputs) if isinstance(value, torch.Tensor) and value.device.type == 'cpu']
    is_large = any(x.nbytes >= _LARGE for x in maps)
    return checkpoint(function, *inputs, use_reentrant=False, context_fn=partial(_contexts, module, is_large))


def _contexts(module: nn.Module, trims: bool) -> tuple[AbstractContextManager, AbstractContextManager]:
    """Contexts of a forward pass and of its recomputation."""
    return nullcontext(), _recomputing(module, trims)


@contextmanager
def _recomputing(module: nn.Module, trims: bool) -> Iterator[None]:
    if trims and _trim_heap is not None and next(_large_ones) % _EVERY == 0:
        # glibc keeps what is freed between small gradients that stay, in pieces in which hardly a map fits: without
        # this a DualFormer-T's process would grow by nearly twice as much
        _trim_heap(0)
    with _running_statistics_kept(module):
        yield


@contextmanager
def _running_statistics_kept(module: nn.Module) -> Iterator[None]:
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training]
    states = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked = norm.num_batches_tracked.clone()
    try:
        yield
    finally:
        for norm, momentum, count in states:
            norm.momentum, norm.num_batches_tracked = momentum, count
