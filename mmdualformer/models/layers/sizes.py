from collections.abc import Callable, Sequence

from mmdualformer.models.arguments import Size


def map_size(function: Callable[..., int], *sizes: Sequence[int]) -> Size:
    """Apply a function to the lengths of sizes ``(t, h, w)``, one axis after the other."""
    t, h, w = map(function, *sizes)
    return t, h, w


def count_steps(size: Sequence[int], step: Sequence[int]) -> Size:
    """The patches or windows ``(t, h, w)`` of size ``step`` that cover a map of ``size``."""
    return map_size(lambda length, one: -(-length // one), size, step)
