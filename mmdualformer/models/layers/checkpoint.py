"""Gradient checkpointing that leaves running statistics as one forward pass would.

What is checkpointed ends best with a matrix product: PyTorch recomputes up to the last tensor that the backward pass
asks for, which is the product's input, and leaves the product out. Hence residual branches are checkpointed each, and
without the stochastic depth or the dropout that follows them. Results that cost more to make than to hold are kept.
"""

import ctypes
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint

_trim_heap = getattr(ctypes.CDLL(None), 'malloc_trim', None) if sys.platform == 'linux' else None  # glibc has it
_LARGE = 2 * 2**20  # bytes; smaller maps fit into the pieces


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
    largest = max((x.nbytes for x in maps), default=0)

    def passes() -> tuple[AbstractContextManager, AbstractContextManager]:
        results: list[Any] = []
        return _Pass(results), _Recomputation(results, module, largest)

    return checkpoint(function, *inputs, use_reentrant=False, context_fn=passes)


def is_checkpointed() -> bool:
    """Whether what is computed now is computed by :func:`run_checkpointed`."""
    return _now.running is not None


def keep_result(compute: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """What a function gives; in a recomputation what it gave in the forward pass.

    Args:
        compute (callable): Called without gradients.

    Returns:
        tuple: Tensors, which are held until the backward pass.
    """
    return compute() if _now.running is None else _now.running.keep(compute)


class _Pass(AbstractContextManager):
    """The forward pass of a checkpointed function, or its recomputation, which may come more than once."""

    def __init__(self, results: list[Any]) -> None:
        self.results = results

    def __enter__(self) -> None:
        self.step = 0
        self.outer, _now.running = _now.running, self

    def __exit__(self, *_: object) -> None:
        _now.running = self.outer

    def keep(self, compute: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        if self.step == len(self.results):
            self.results.append(compute())
        self.step += 1
        return self.results[self.step - 1]


class _Recomputation(_Pass):
    def __init__(self, results: list[Any], module: nn.Module, largest: int) -> None:
        super().__init__(results)
        self.module, self.largest = module, largest

    def __enter__(self) -> None:
        super().__enter__()
        if _trim_heap is not None and self.largest >= max(_LARGE, 2 * _now.largest):
            # glibc keeps what is freed between small gradients that stay, in pieces into which no larger map fits
            _trim_heap(0)
        _now.largest = self.largest
        self.statistics = ExitStack()
        self.statistics.enter_context(_running_statistics_kept(self.module))

    def __exit__(self, *error: Any) -> None:
        self.statistics.close()
        super().__exit__(*error)


class _Now(threading.local):
    """What this thread computes: the pass, and the bytes of the largest input of the last recomputation."""

    running: _Pass | None = None
    largest: int = 0


_now = _Now()


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
