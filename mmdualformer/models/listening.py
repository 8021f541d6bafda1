"""Models run to see what happens inside: in eval mode, and left as they were."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
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
def listen(modules: Iterable[nn.Module], before: bool = False) -> Iterator[dict[nn.Module, list]]:
    """Keep what modules put out, or ``before`` they run, the first thing that they are given, in this thread only.

    Yields:
        dict: Of each module what was kept of each of its calls, in their order.
    """
    taken: dict[nn.Module, list] = {module: [] for module in modules}
    thread = threading.get_ident()

    def keep(module: nn.Module, inputs: tuple, *output: Any) -> None:
        if threading.get_ident() == thread:
            taken[module].append(output[0] if output else inputs[0])

    with ExitStack() as stack:
        for module in taken:
            hook = module.register_forward_pre_hook(keep) if before else module.register_forward_hook(keep)
            stack.callback(hook.remove)
        yield taken
