"""Plain data: what may be in a checkpoint once it has been read, and nothing else."""

import math
import pickle
from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn as nn
from mmengine.logging import HistoryBuffer
from torch import Tensor

from mmdualformer.compat.pickled import Pickled

DEEPEST = 100  # containers in containers
MOST_VALUES = 50_000_000  # as they would be written out; those that are in several places count in each
LARGEST_EXPANSION = 2**26  # bytes of a tensor that has more elements than the file holds
LEAVES = (type(None), bool, int, float, complex, str, bytes, torch.Size, torch.dtype, torch.device)
KEYS = (type(None), bool, int, float, str, bytes)


def make_plain(content: Any, size: float = math.inf) -> Any:
    """Copy what was read from a file, with tensors, arrays and plain values alone in it.

    Tensors share their memory with those given. They are dense, on a device, and have no attributes.

    Args:
        content (any): What was read.
        size (int, optional): Bytes of the file, which arrays and expanded tensors may not exceed by much. Defaults to
            any.

    Raises:
        UnpicklingError: It holds something else, or itself.
    """
    return _Copier(size + LARGEST_EXPANSION).copy(content, 0)[0]


class _Copier:
    def __init__(self, most_bytes: float) -> None:
        self.bytes_left = most_bytes
        self.done: dict[int, tuple[Any, int, Any]] = {}  # id -> copy, values in it, what keeps the id in use
        self.open: set[int] = set()

    def copy(self, value: Any, depth: int) -> tuple[Any, int]:
        """Copy a value; returns the copy, and how many values are in it."""
        if type(value) in LEAVES:
            return value, 1
        key = id(value)
        if key in self.done:
            return self.done[key][:2]
        if key in self.open or depth > DEEPEST:
            raise pickle.UnpicklingError(f'it nests more than {DEEPEST} values in each other')
        self.open.add(key)
        copied, count = self._copy_new(value, depth + 1)
        self.open.remove(key)
        if count > MOST_VALUES:
            raise pickle.UnpicklingError(f'it has more than {MOST_VALUES} values')
        self.done[key] = copied, count, value
        return copied, count

    def _copy_new(self, value: Any, depth: int) -> tuple[Any, int]:
        kind = type(value)
        if kind in (Tensor, nn.Parameter):
            tensor = plain_tensor(value)
            size = _size(tensor)
            self._take(size if size > tensor.untyped_storage().nbytes() else 0)
            return tensor, 1
        if isinstance(value, Pickled):
            made = value.resolve()
            arrays = [made._log_history, made._count_history] if isinstance(made, HistoryBuffer) else [made]
            self._take(sum(getattr(array, 'nbytes', 0) for array in arrays))
            return made, 1
        if kind in (np.ndarray, HistoryBuffer) or isinstance(value, np.generic):
            return value, 1
        if kind in (dict, OrderedDict, Counter):
            return self._copy_mapping(value, depth)
        if kind in (list, tuple, set):
            parts = [self.copy(part, depth) for part in value]
            return kind(part for part, _ in parts), 1 + sum(count for _, count in parts)
        raise pickle.UnpicklingError(f'it holds a {kind.__name__}')

    def _take(self, size: int) -> None:
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise pickle.UnpicklingError('it has arrays or tensors that are larger than the file')

    def _copy_mapping(self, value: Mapping, depth: int) -> tuple[Any, int]:
        copied: Any = type(value)()
        total = 1
        for key, part in value.items():
            if type(key) not in KEYS:
                raise pickle.UnpicklingError(f'it names a value by a {type(key).__name__}')
            copied[key], count = self.copy(part, depth)
            total += count
        metadata = vars(value).get('_metadata') if isinstance(value, OrderedDict) else None
        if isinstance(metadata, dict):  # versions of the modules that the weights are of
            vars(copied)['_metadata'], count = self.copy(metadata, depth)
            total += count
        return copied, total


def plain_tensor(tensor: Tensor) -> Tensor:
    """Take a dense tensor without its attributes.

    Raises:
        UnpicklingError: It is not dense, or larger than what it is made of.
    """
    tensor = Tensor.detach(tensor)
    if tensor.layout is not torch.strided or tensor.is_nested:
        raise pickle.UnpicklingError('it holds a sparse tensor')
    if tensor.is_quantized:
        raise pickle.UnpicklingError('it holds a quantized tensor')
    if tensor.is_meta:
        raise pickle.UnpicklingError('it holds a tensor without values')
    if tensor.dtype is getattr(torch, 'float4_e2m1fn_x2', 0):  # torch 2.13 cannot even copy those
        raise pickle.UnpicklingError('it holds a tensor of numbers of 4 bits')
    if _size(tensor) > max(tensor.untyped_storage().nbytes(), LARGEST_EXPANSION):
        raise pickle.UnpicklingError(f'it holds a tensor of shape {tuple(tensor.shape)}, larger than its values')
    return tensor


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
