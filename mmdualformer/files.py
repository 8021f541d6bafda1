"""Files that appear when they are complete, and are then on the disk; and their checksums."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from mmdualformer.errors import UserError


def check_target(target: Path, overwrite: bool | None = None, option: str = '--out') -> None:
    """Check that a file can be written without losing one, before anything takes long.

    Args:
        target (Path): The file.
        overwrite (bool, optional): Whether one that is there is to be replaced. Defaults to None: it never is.
        option (str): What gave it. Defaults to ``'--out'``.

    Raises:
        UserError: It is a folder, or is there already.
    """
    if target.is_dir():
        raise UserError(f'{option} {str(target)!r} is a folder; it must be a file')
    if os.path.lexists(target) and not overwrite:
        hint = '' if overwrite is None else ', or replace it with --overwrite'
        raise UserError(f'{option} {str(target)!r} is there already; choose another name{hint}')


def partial_path(target: Path) -> Path:
    """Where a file is while :func:`write_atomically` writes it."""
    return target.with_name(f'{target.name}.part')


@contextmanager
def write_atomically(target: Path) -> Iterator[Path]:
    """Write a file beside its place, where its folder is made, and put it there when the block ends without an error.

    It is on the disk before it is in its place, so neither a kill nor a power cut leaves a part of it there.

    Args:
        target (Path): The file. What is there stays until it is replaced.

    Yields:
        Path: The file to write.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(target)
    try:
        yield partial
        _sync(partial, os.O_RDWR)
        partial.replace(target)
        try:
            _sync(target.parent, os.O_RDONLY)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):  # some network disks cannot
                raise
    finally:
        partial.unlink(missing_ok=True)


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits, read in parts."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_checkpoint(content: dict, target: Path) -> None:
    """Write a checkpoint with ``torch.save``, which adds a checksum of each tensor.

    Args:
        content (dict): What :func:`mmdualformer.weights.load_safely` will give back.
        target (Path): The file; see :func:`write_atomically`.

    Raises:
        OSError: The disk is full, or the file cannot be written for another reason. What was there is still there.
    """
    try:
        with write_atomically(target) as partial, open(partial, 'wb') as file:
            torch.save(content, file)
    except RuntimeError as error:  # of torch's writer, which stumbles over what the file said
        if isinstance(error.__context__, OSError):
            reason = error.__context__
            raise OSError(reason.errno, reason.strerror, str(target)) from None
        raise


def _sync(path: Path, flags: int) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
