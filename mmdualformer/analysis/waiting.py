"""Whether the CPU waits for the GPU while it gives it work."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmdualformer.errors import describe


class Waited(RuntimeError):
    """The CPU would wait here for the GPU."""


def find_wait(call: Callable[[], object], device: torch.device) -> str | None:
    """Find where a computation waits for the GPU, if it does.

    A GPU computes while the CPU goes on, until the CPU wants a number of it, as by ``.item()``, ``bool(tensor)`` or
    ``nonzero``, or copies and waits for the end. On a GPU CUDA itself says so. On the meta device, which any machine
    has, no number can be had, so that all of these fail too; and copies from the CPU to it are looked for.

    Args:
        call (callable): Computes. On a GPU run it once before, as the first pass waits in many places.
        device (torch.device): Where, a GPU or ``meta``.

    Returns:
        str, optional: File, line and reason of the first place; None if there is none.
    """
    is_meta = device.type == 'meta'
    if not is_meta:
        torch.cuda.synchronize(device)
    try:
        with _no_crossing() if is_meta else _sync_is_error():
            call()
    except (RuntimeError, NotImplementedError) as error:
        if not (isinstance(error, Waited) or 'synchroniz' in str(error) or is_meta):
            raise
        return f'{_place(error)}: {describe(error)}'
    return None


@contextmanager
def _sync_is_error() -> Iterator[None]:
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode('error')
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


@contextmanager
def _no_crossing() -> Iterator[None]:
    with _NoCopies(), _NoConstants():
        yield


class _NoCopies(TorchDispatchMode):
    """Operators that take tensors of a CPU, of more than a number, and give or take those of the meta device too."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        on_cpu = any(leaf.device.type == 'cpu' and leaf.ndim for leaf in given)
        if on_cpu and any(leaf.is_meta for leaf in [*given, *tree_leaves(out)] if isinstance(leaf, Tensor)):
            raise Waited(f'{func} copies from the CPU')
        return out


class _NoConstants(TorchFunctionMode):
    """Tensors that are made of Python's numbers, which no operator shows."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        made = func in (torch.tensor, torch.as_tensor) and not (args and isinstance(args[0], Tensor))
        if made and out.is_meta:
            raise Waited(f'{func.__name__} copies from the CPU')
        return out


def _place(error: BaseException) -> str:
    """The innermost line that an error came from which is not PyTorch's."""
    frames = traceback.extract_tb(error.__traceback__)
    others = [frame for frame in frames if frame.filename != __file__ and 'torch' not in Path(frame.filename).parts]
    frame = (others or frames)[-1]
    return f'{Path(frame.filename).name}:{frame.lineno}'
