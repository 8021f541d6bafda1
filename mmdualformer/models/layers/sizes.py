from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import accumulate

import torch
from torch import Tensor
from torch.fx.experimental.symbolic_shapes import has_static_value

from mmdualformer.models.arguments import Size


def map_size(function: Callable[..., int], *sizes: Sequence[int]) -> Size:
    """Apply a function to the lengths of sizes ``(t, h, w)``, one axis after the other."""
    t, h, w = map(function, *sizes)
    return t, h, w


def count_steps(size: Sequence[int], step: Sequence[int]) -> Size:
    """The patches or windows ``(t, h, w)`` of size ``step`` that cover a map of ``size``."""
    return map_size(lambda length, one: (length + one - 1) // one, size, step)


def varies(length: int) -> bool:
    """Whether a graph is made for several lengths of an axis. An ``if`` that depends on one refuses some of them."""
    return torch.compiler.is_compiling() and not has_static_value(length)


def unview(x: Tensor) -> Tensor:
    """Copy features of lengths that vary, as a graph that reshapes a view may ask whether some of them are 1."""
    return x.clone(memory_format=torch.contiguous_format) if any(map(varies, x.shape)) else x


def fit_box(box: Sequence[int], size: Sequence[int]) -> Size:
    """Shorten a box ``(t, h, w)`` to a map of ``size``, but for lengths that vary."""
    return map_size(lambda most, length: most if varies(length) else min(most, length), box, size)


def accumulate_strides(strides: Iterable[Sequence[int | Fraction]]) -> list[tuple[float, int, int]]:
    """What strides ``(t, h, w)`` that follow each other come to after each of them; a whole number is an int."""
    totals = accumulate(strides, lambda before, stride: tuple(a * b for a, b in zip(before, stride)))
    return [(int(t) if t.denominator == 1 else float(t), int(h), int(w)) for t, h, w in totals]
