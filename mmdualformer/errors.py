"""The one exception the command-line tools turn into a single line."""

from collections.abc import Sequence


class UserError(ValueError):
    """Something the user gave cannot work: an argument, a path, a checkpoint or a clip.

    The message is one line that names the argument, its value and what would be valid. The tools print it without a
    traceback and exit with status 1; in Python it is an ordinary ``ValueError``.
    """


def printable(text: object) -> str:
    """Write a text with escapes in place of what would move the cursor, hide other text, or cannot be encoded."""
    return ''.join(char if char.isprintable() else char.encode('unicode_escape').decode('ascii') for char in str(text))


def describe_damage(video: str, damage: str) -> str:
    """Say in one line what of a video is damaged that is read all the same."""
    return printable(f'video {video!r} is damaged, and read as far as it can be: {damage}')


def name_some(names: Sequence[object], most: int) -> str:
    """Write the first of some names, and how many more there are."""
    shown = [printable(name) for name in names[:most]]
    return ', '.join(shown) + (f' and {len(names) - most} more' if len(names) > most else '')


def describe(error: BaseException, with_file: bool = True) -> str:
    """Say in one line what an error says; of one from a data loader's worker, without the traceback that it carries.

    Args:
        error (BaseException): The error.
        with_file (bool): Name the file of an error of the system too. Defaults to True.
    """
    if isinstance(error, UserError) and not str(error).startswith('Caught '):  # as a worker's does
        return printable(error)
    text = error.args[0] if isinstance(error, KeyError) and error.args else getattr(error, 'strerror', None) or error
    lines = str(text).strip().splitlines() or [type(error).__name__]
    line = lines[-1].rpartition(f'{UserError.__name__}: ')[2]
    file = getattr(error, 'filename', None) if with_file and isinstance(error, OSError) else None
    return printable(f'{line}: {file!r}' if file else line)
