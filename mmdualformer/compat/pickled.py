"""What stands in for numpy's and MMEngine's classes while a checkpoint is read weights-only.

``numpy.ndarray`` may not be called from a file: an array of objects over bytes of the file makes the interpreter follow
a pointer out of it. The stand-ins only keep what they are given. What they kept is looked at when the file has been
read, and made into an array or number of its own. ``torch.load`` gives those, ``torch.serialization.load`` the
stand-ins.
"""

import math
import operator
import pickle
import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from .mending import once

_STATISTICS = ('min', 'max', 'mean', 'current', 'statistics')
_NUMBERS = re.compile('b1|[iu][1248]|f[248]|c8|c16')
_MOST_AXES = 32  # of an array of numpy 1


class Pickled:
    """Keeps the arguments and the state that a file gives to the class it stands for."""

    args: tuple = ()
    state: Any = None

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __reduce__(self) -> tuple:  # what is written again, or copied, is the real thing
        make, args, *rest = self.resolve().__reduce_ex__(2)
        if make.__name__ == '__newobj__':  # refused for the class of another object
            make, *args = args
        return make, tuple(args), *rest

    def resolve(self) -> Any:
        """Make what the file asks for, if it is harmless.

        Raises:
            UnpicklingError: It is not.
        """
        raise NotImplementedError


class PickledDtype(Pickled):
    """Of ``numpy.dtype``: numbers and truth values alone."""

    def resolve(self) -> np.dtype:
        """Make the dtype."""
        name = self.args[0] if self.args else None
        if not isinstance(name, str) or not _NUMBERS.fullmatch(name):
            raise pickle.UnpicklingError('it has an array of something else than numbers')
        swapped = False
        if self.state is not None:
            if not isinstance(self.state, tuple) or len(self.state) < 5 or self.state[1] not in ('<', '>', '|', '='):
                raise pickle.UnpicklingError('it has an array of an unknown dtype')
            swapped = self.state[1] == '>'
            if any(part is not None for part in self.state[2:5]):  # sub-arrays, names and fields
                raise pickle.UnpicklingError('it has an array of something else than numbers')
        return np.dtype(name).newbyteorder('>' if swapped else '<')


class PickledArray(Pickled):
    """Of ``numpy.ndarray``."""

    def resolve(self) -> np.ndarray:
        """Make the array, from a copy of its bytes."""
        state = self.state
        if not isinstance(state, tuple) or len(state) != 5:
            raise pickle.UnpicklingError('it has an array without values')
        _, shape, dtype, is_fortran, data = state
        if not isinstance(dtype, PickledDtype):
            raise pickle.UnpicklingError('it has an array of an unknown dtype')
        is_shape = isinstance(shape, tuple) and len(shape) <= _MOST_AXES
        if not is_shape or not all(type(side) is int and side >= 0 for side in shape):
            raise pickle.UnpicklingError('it has an array of no shape')
        kind = dtype.resolve()
        if type(data) is not bytes or len(data) != math.prod(shape) * kind.itemsize:
            raise pickle.UnpicklingError('it has an array of another size than its shape')
        values = np.ndarray(shape, kind, data, order='F' if is_fortran is True else 'C')
        return values.astype(kind.newbyteorder('='), copy=True)


class PickledScalar(Pickled):
    """Of a number of numpy's."""

    def resolve(self) -> np.generic:
        """Make the number."""
        if len(self.args) != 2 or not isinstance(self.args[0], PickledDtype) or type(self.args[1]) is not bytes:
            raise pickle.UnpicklingError('it has a number without a value')
        kind = self.args[0].resolve()
        if len(self.args[1]) != kind.itemsize:
            raise pickle.UnpicklingError('it has a number of another size than its dtype')
        return np.frombuffer(self.args[1], kind).astype(kind.newbyteorder('='))[0]


class PickledHistory(Pickled):
    """Of MMEngine's ``HistoryBuffer``, without the statistics, which the class has."""

    def resolve(self) -> HistoryBuffer:
        """Make the history."""
        state = self.state
        if not isinstance(state, dict) or not {'_log_history', '_count_history', 'max_length'} <= state.keys():
            raise pickle.UnpicklingError('it has a history without values')
        logs, counts = (_numbers(state[name]) for name in ('_log_history', '_count_history'))
        most = state['max_length']
        if len(logs) != len(counts) or type(most) is not int or most < 1:
            raise pickle.UnpicklingError('it has a history of unequal lengths')
        history = HistoryBuffer(max_length=most)
        history._log_history, history._count_history = logs, counts
        return history


def _numbers(value: object) -> np.ndarray:
    value = value.resolve() if isinstance(value, PickledArray) else value
    if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind not in 'biuf':
        raise pickle.UnpicklingError('it has a history of something else than numbers')
    return value


def _new_array(*_args: object) -> PickledArray:
    """Of numpy's ``_reconstruct``, which makes an array that its state then fills."""
    return PickledArray()


def _statistic(owner: object, name: object) -> None:
    """Of the ``getattr`` that finds a statistic of HistoryBuffer; it finds nothing, as none is taken from a file."""
    if owner is not PickledHistory or name not in _STATISTICS:
        raise pickle.UnpicklingError(f'function getattr may not look up {name!r}')


def _no_bytes() -> bytes:
    """Of ``bytes``, which is how no bytes are written."""
    return b''


# Files written with numpy 1 say numpy.core, those of numpy 2 numpy._core.
STAND_INS: dict[str, Callable] = {
    'mmengine.logging.history_buffer.HistoryBuffer': PickledHistory,
    'builtins.bytes': _no_bytes,
    'builtins.getattr': _statistic,
    'numpy.ndarray': PickledArray,
    'numpy.dtype': PickledDtype,
    **{f'{module}.multiarray._reconstruct': _new_array for module in ('numpy.core', 'numpy._core')},
    **{f'{module}.multiarray.scalar': PickledScalar for module in ('numpy.core', 'numpy._core')},
}


def load_checkpoints_weights_only() -> None:
    """torch >= 2.6 loads weights-only and so refuses mmengine 0.10.7's own checkpoints; keep it so, and safe.

    MMEngine stores its log history beside the weights: ``HistoryBuffer`` holding numpy arrays. Stand-ins of just what
    those need are allowed.
    """
    torch.serialization.add_safe_globals([(stand_in, name) for name, stand_in in STAND_INS.items()])

    def give_the_real(original):

        def load(*args, **kwargs):
            return _make_real(original(*args, **kwargs))

        return load

    once(torch, 'load', give_the_real)


def _make_real(content: Any) -> Any:
    """Put what stand-ins stand for in their places, in nested dicts, lists, tuples and sets.

    Raises:
        UnpicklingError: One stands for something that is not harmless.
    """
    whole = [content]
    todo: list[Any] = [whole]
    done: dict[int, tuple[Any, Any]] = {}  # id -> what keeps it in use, what takes its place

    def real(value: Any) -> Any:
        if not isinstance(value, (Pickled, dict, list, tuple, set)):
            return value
        if id(value) in done:
            return done[id(value)][1]
        made = value
        if isinstance(value, Pickled):
            made = value.resolve()
        elif type(value) in (tuple, set):
            parts = [real(part) for part in value]
            made = type(value)(parts) if any(map(operator.is_not, parts, value)) else value
        elif type(value) in (dict, OrderedDict, Counter, list):
            todo.append(value)
        done[id(value)] = value, made
        return made

    while todo:
        part = todo.pop()
        if isinstance(part, list):
            part[:] = map(real, part)
        else:
            items = [(real(key), real(value)) for key, value in part.items()]
            part.clear()
            for key, value in items:
                part[key] = value
    return whole[0]
