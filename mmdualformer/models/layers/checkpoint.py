"""Gradient checkpointing that leaves running statistics as one forward pass would."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch.nn as nn
from torch.utils.checkpoint import checkpoint


def run_checkpointed(module: nn.Module, *inputs: Any) -> Any:
    """Call ``module(*inputs)`` and recompute it in the backward pass instead of storing what it computes."""
    return checkpoint(module, *inputs, use_reentrant=False, context_fn=partial(_count_batches_once, module))


def _count_batches_once(module: nn.Module) -> tuple[AbstractContextManager, AbstractContextManager]:
    """Contexts of a forward pass and of its recomputation, which must not update running statistics again."""
    return nullcontext(), _running_statistics_kept(module)


@contextmanager
def _running_statistics_kept(module: nn.Module) -> Iterator[None]:
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked -= 1
