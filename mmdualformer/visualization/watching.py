"""Models run to see what happens inside: in eval mode, and left as they were."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch.nn as nn


@contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[None]:
    """Put a model into eval mode, and back into the mode in which it was."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


@contextmanager
def watch(modules: Iterable[nn.Module]) -> Iterator[dict[nn.Module, Any]]:
    """Keep what modules put out.

    Yields:
        dict: The last output of each module that was called.
    """
    outputs: dict[nn.Module, Any] = {}

    def keep(module: nn.Module, args: tuple, output: Any) -> None:
        outputs[module] = output

    handles = [module.register_forward_hook(keep) for module in modules]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()
