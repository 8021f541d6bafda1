"""Files that appear when they are complete."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def partial_path(target: Path) -> Path:
    """Where a file is while :func:`write_atomically` writes it."""
    return target.with_name(f'{target.name}.part')


@contextmanager
def write_atomically(target: Path) -> Iterator[Path]:
    """Write a file beside its place, where its folder is made, and put it there when the block ends without an error.

    Args:
        target (Path): The file. What is there stays until it is replaced.

    Yields:
        Path: The file to write.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(target)
    try:
        yield partial
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
