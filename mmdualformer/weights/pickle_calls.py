"""What a pickle names and calls, found without running it."""

import _compat_pickle
import pickle
import pickletools
from collections.abc import Iterator
from typing import IO, Any

NO_FILE = 'it is no file that torch.save has written'
STORAGE = object()  # stands for what makes the bytes of a tensor
NEWEST = 3  # protocol; torch's weights-only reader takes no later one
TUPLES = {'EMPTY_TUPLE': 0, 'TUPLE1': 1, 'TUPLE2': 2, 'TUPLE3': 3}


class Named(str):
    """The full name of what a pickle takes from a module."""


def read_calls(stream: IO[bytes]) -> Iterator[tuple[Any, tuple | None]]:
    """Follow the stack of a pickle, which says what is called with what.

    Args:
        stream (file): At the start of a pickle; it is read to the end of it.

    Yields:
        tuple: A :class:`Named` and None where the pickle names it. What is called and its arguments where it is called.
            :data:`STORAGE` and what says which it is. Of all those only names, texts, whole numbers and tuples are
            known, the rest is None.

    Raises:
        UnpicklingError: It is no pickle of torch's.
    """
    stack: list[Any] = []
    marked: list[list] = []
    memo: dict[Any, Any] = {}
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            code = opcode.name
            if opcode.proto > NEWEST or (code == 'PROTO' and isinstance(argument, int) and argument > NEWEST):
                raise pickle.UnpicklingError('it is a pickle of protocol 4 or later; save it with torch.save alone')
            if code == 'GLOBAL':
                stack.append(_full_name(str(argument)))
                yield stack[-1], None
            elif code in ('REDUCE', 'NEWOBJ'):
                arguments, called = stack.pop(), stack.pop()
                yield called, arguments if isinstance(arguments, tuple) else ()
                stack.append(None)
            elif code == 'BINPERSID':
                arguments = stack.pop()
                yield STORAGE, arguments if isinstance(arguments, tuple) else ()
                stack.append(None)
            elif code == 'MARK':
                marked.append(stack)
                stack = []
            elif code in ('TUPLE', 'APPENDS', 'SETITEMS'):
                parts, stack = stack, marked.pop()
                if code == 'TUPLE':
                    stack.append(tuple(parts))
            elif code in TUPLES:
                first = len(stack) - TUPLES[code]
                stack[first:] = [tuple(stack[first:])]
            elif code in ('BINPUT', 'LONG_BINPUT'):
                memo[argument] = stack[-1]
            elif code in ('BINGET', 'LONG_BINGET'):
                stack.append(memo[argument])
            elif 'mark' in [kind.name for kind in opcode.stack_before]:
                raise pickle.UnpicklingError(NO_FILE)  # torch knows no others
            else:
                for _kind in opcode.stack_before:
                    stack.pop()
                stack += [argument if isinstance(argument, (str, int)) else None for _kind in opcode.stack_after]
    except (ValueError, IndexError, KeyError):
        raise pickle.UnpicklingError(NO_FILE) from None


def _full_name(argument: str) -> Named:
    module, name = argument.split(' ', 1)
    module, name = _compat_pickle.NAME_MAPPING.get((module, name), (module, name))
    return Named(f'{_compat_pickle.IMPORT_MAPPING.get(module, module)}.{name}')
