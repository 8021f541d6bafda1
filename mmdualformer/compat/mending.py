"""How a mend takes the place of what it mends."""

import functools
from collections.abc import Callable
from typing import Any


def once(owner: object, name: str, wrap: Callable[[Callable], Callable]) -> None:
    """Replace ``owner.name`` by ``wrap(owner.name)``, unless it has been replaced before."""
    original = getattr(owner, name)
    if getattr(original, '_mmdualformer', False):
        return
    mended: Any = functools.wraps(original)(wrap(original))
    mended._mmdualformer = True
    setattr(owner, name, staticmethod(mended) if isinstance(vars(owner).get(name), staticmethod) else mended)
