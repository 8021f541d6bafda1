"""Checks a constructor's arguments against its annotations, which say what each of them may be.

Annotations are plain types, ``Literal`` for choices, ``Annotated`` with a :class:`Range`, sequences, tuples, unions,
and a ``TypedDict`` for a dict of known keys. What depends on several arguments is left to the constructor.
"""

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, ParamSpec, Union, get_args, get_origin, get_type_hints, is_typeddict

import numpy as np
from mmaction.registry import MODELS

from mmdualformer.errors import UserError

P = ParamSpec('P')


@dataclass(frozen=True)
class Range:
    """Limits of a number: from ``least`` to ``most``, which ``excludes_most`` leaves out."""

    least: float
    most: float
    excludes_most: bool = False

    def __contains__(self, number: float) -> bool:
        return self.least <= number <= self.most and not (self.excludes_most and number == self.most)

    def __str__(self) -> str:
        return f'from {self.least} to {"less than " if self.excludes_most else ""}{self.most}'


# The upper limits are far beyond any model. They turn a slip of the keyboard into an error, where it would take all
# memory or forever.
Positive = Annotated[int, Range(1, 2**16)]
Depth = Annotated[int, Range(1, 1000)]
Ratio = Annotated[float, Range(0, 1000)]
Share = Annotated[float, Range(0, 1)]
Size = Annotated[tuple[Positive, Positive, Positive], 'three positive integers, (t, h, w)']
InitCfg = dict | list[dict] | None


def check_arguments(init: Callable[P, None]) -> Callable[P, None]:
    """Decorate an ``__init__`` to check its arguments.

    It gets them as its annotations say: NumPy's numbers as Python's, and any sequence as a tuple.

    Raises:
        UserError: In a call: an argument is missing, unknown, or not what its annotation says.
    """
    signature = inspect.signature(init)
    hints = get_type_hints(init, include_extras=True)
    several = {p.name for p in signature.parameters.values() if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    checkable = hints.keys() - several - {'return'}
    for name in checkable:
        _options(hints[name])  # fails in the import, for an annotation that is none of the above

    @functools.wraps(init)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            known = [name for name in signature.parameters if name != 'self']
            owner = init.__qualname__.partition('.')[0]
            raise UserError(f'{owner} {error}; its arguments are {", ".join(known)}') from None
        for name in [name for name in bound.arguments if name in checkable]:
            try:
                bound.arguments[name] = _convert(name, bound.arguments[name], hints[name])
            except _Mismatch as mismatch:
                raise UserError(str(mismatch)) from None
        init(*bound.args, **bound.kwargs)

    return checked


def check_buildable(name: str, cfg: Mapping) -> None:
    """Check an argument that is the config of a module without weights, by building it.

    Raises:
        UserError: It names no registered module, or one that does not take these arguments.
    """
    try:
        MODELS.build(cfg)
    except Exception as error:
        raise UserError(
            f'{name}={show(cfg)} must be the type of a module and its arguments: {" ".join(str(error).split())}'
        ) from None


def show(value: object) -> str:
    """A value in an error of one line, shortened if it is long."""
    try:
        text = ' '.join(repr(value).split())
    except ValueError:  # Python does not print integers of thousands of digits
        text = f'<{type(value).__name__}>'
    return text if len(text) <= 200 else f'{text[:200]}...'


class _Mismatch(Exception):
    """The value called ``name``, which is an argument or a part of one, is not what ``hint`` says."""

    def __init__(self, name: str, value: object, hint: Any) -> None:
        super().__init__(name, value, hint)
        self.name, self.value, self.hint = name, value, hint

    def __str__(self) -> str:
        return f'{self.name}={show(self.value)} must be {_join(_options(self.hint), "or")}'


# What each plain type accepts, as which it is handed on. To Python True is an integer and a number.
_PLAIN: dict[type, Callable[[Any], bool]] = {
    bool: lambda value: isinstance(value, (bool, np.bool_)),
    int: lambda value: not isinstance(value, bool) and isinstance(value, Integral),
    float: lambda value: not isinstance(value, bool) and isinstance(value, Real) and _is_finite(value),
    str: lambda value: isinstance(value, str),
}
_WORDS = {
    bool: 'True or False',
    int: 'an integer',
    float: 'a number',
    str: 'a string',
    dict: 'a dict',
    NoneType: 'None',
}


def _is_finite(number: Real) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond all floats
        return False


def _convert(name: str, value: Any, hint: Any) -> Any:
    """Return the value as what ``hint`` says, or raise :class:`_Mismatch`."""
    origin, args = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        if _PLAIN[hint](value):
            return hint(value)
    elif origin is Annotated:
        converted = _convert_to_one(name, value, args[:1], hint)
        if all(converted in limits for limits in args[1:] if isinstance(limits, Range)):
            return converted
    elif origin in (Union, UnionType):
        return _convert_to_one(name, value, args, hint)
    elif origin is Literal:
        if isinstance(value, str) and value in args:
            return value
    elif is_typeddict(hint):
        hints = get_type_hints(hint, include_extras=True)
        if isinstance(value, Mapping) and hint.__required_keys__ <= set(value) <= set(hints):
            return {key: _convert(f'{name}.{key}', value[key], hints[key]) for key in value}
    elif origin in (Sequence, list, tuple):
        if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
            items = args if origin is tuple else args * len(value)
            if len(items) == len(value):
                converted = tuple(_convert(f'{name}[{i}]', x, item) for i, (x, item) in enumerate(zip(value, items)))
                return list(converted) if origin is list else converted
    elif isinstance(value, Mapping if hint is dict else hint):
        return value
    raise _Mismatch(name, value, hint)


def _convert_to_one(name: str, value: Any, members: Iterable, hint: Any) -> Any:
    """Convert to the first type that fits of those that ``hint`` is made of."""
    within = None
    for member in members:
        try:
            return _convert(name, value, member)
        except _Mismatch as mismatch:
            if mismatch.name != name:  # it is a part of the value that does not fit, which says more
                within = mismatch
    raise within or _Mismatch(name, value, hint)


def _options(hint: Any) -> list[str]:
    """What may be given, in words."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return [args[1] if isinstance(args[1], str) else f'{_join(_options(args[0]), "or")} {args[1]}']
    if origin in (Union, UnionType):
        return [option for member in args for option in _options(member)]
    if origin is Literal:
        return list(map(repr, args))
    if is_typeddict(hint):
        return [f'a dict with {_join(list(get_type_hints(hint)), "and")}']
    if origin in (Sequence, list):
        return [f'a sequence (each item {_join(_options(args[0]), "or")})']
    return [_WORDS[hint]]


def _join(words: list[str], last: str) -> str:
    *words, word = words
    return f'{", ".join(words)} {last} {word}' if words else word
