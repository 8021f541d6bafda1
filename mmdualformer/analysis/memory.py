import weakref
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary


class PeakMemory(TorchDispatchMode):
    """Most bytes that tensors hold at one time, on any device: what ``torch.cuda.max_memory_allocated`` is on a GPU.

    Counted are the storages of what operators put out, as long as they live. A kernel's own scratch memory is not seen.

    Args:
        held (iterable): Tensors that exist before and are to be counted, such as weights. Defaults to none.

    Attributes:
        current (int): Bytes held now.
        peak (int): The most so far.

    Example:
        >>> import torch
        >>> with PeakMemory() as memory:
        ...     _ = (torch.zeros(256) + 1).sum()
        >>> memory.peak
        2048
    """

    def __init__(self, held: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.current = self.peak = 0
        self._known = WeakIdKeyDictionary()
        for tensor in held:
            self._count(tensor)

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage not in self._known:
            self._known[storage] = size = storage.nbytes()
            self.current += size
            self.peak = max(self.peak, self.current)
            weakref.finalize(storage, self._release, size)

    def _release(self, size: int) -> None:
        self.current -= size

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor)
        return out
