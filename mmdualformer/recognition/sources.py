"""What a recognizer is given: files, folders, patterns, lists of files, and frames in memory."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmdualformer.errors import UserError
from mmdualformer.video import FrameArray, files

LISTS = ('.txt', '.lst')


def find_videos(source: str | Path) -> Iterator[str]:
    """Find the videos that a path names.

    Args:
        source (str or Path): A video file, or a folder of numbered images, which is one too; a folder, which is
            searched with all that is in it; a pattern such as ``clips/*.mp4``; or a text file (``.txt``, ``.lst``) with
            a path a line, from the current folder.

    Yields:
        str: Their paths. One that does not exist is yielded too, as opening it says so best.

    Raises:
        UserError: A folder has no video, a pattern fits no file, or a list cannot be read.
    """
    path = Path(source)
    if path.is_dir():
        found = files.find_videos(path).videos
        if not found:
            raise UserError(
                f'folder {str(source)!r} has no video; known are the endings {" ".join(files.VIDEO_SUFFIXES)}'
            )
        yield from map(str, found)
    elif path.suffix.lower() in LISTS and path.is_file():
        yield from read_list(path)
    elif path.exists() or not glob.has_magic(str(source)):
        yield str(source)
    else:
        matches = sorted(glob.glob(str(source), recursive=True), key=files.natural_key)
        if not matches:
            raise UserError(f'no file fits {str(source)!r} (looked in {Path.cwd()})')
        for match in matches:
            yield from find_videos(match)


def read_list(path: Path) -> list[str]:
    """Read a list of videos, one a line.

    Raises:
        UserError: It is no text, or names no video.
    """
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'list {str(path)!r} cannot be read: {error}') from None
    videos = [line.strip() for line in lines if line.strip()]
    if not videos:
        raise UserError(f'list {str(path)!r} names no video')
    return videos


def is_frames(source: Any) -> bool:
    """Whether a source is the frames of one video: an array or a tensor, or a sequence of images."""
    if isinstance(source, np.ndarray | torch.Tensor):
        return source.ndim != 5
    return (
        isinstance(source, Sequence)
        and bool(len(source))
        and all(isinstance(part, np.ndarray) and part.ndim == 3 for part in source)
    )


def as_video(frames: Any, fps: float) -> FrameArray:
    """Make a video of frames in memory.

    Args:
        frames (np.ndarray, Tensor or sequence): RGB, uint8: ``[T, H, W, 3]``, ``[T, 3, H, W]`` or ``[3, T, H, W]``, of
            which the first that fits is meant; or T images ``[H, W, 3]``.
        fps (float): Frames a second.

    Raises:
        UserError: They are no such frames.
    """
    if isinstance(frames, np.ndarray | torch.Tensor):
        array = frames.detach().cpu().numpy() if isinstance(frames, torch.Tensor) else frames
        if array.ndim != 4 or 3 not in (array.shape[3], array.shape[1], array.shape[0]):
            raise UserError(
                f'frames of shape {list(array.shape)} must be RGB: [T, H, W, 3], [T, 3, H, W] or [3, T, H, W]'
            )
        if array.shape[3] != 3:
            array = array.transpose((0, 2, 3, 1) if array.shape[1] == 3 else (1, 2, 3, 0))
        frames = array
    try:
        return FrameArray(frames, fps)
    except ValueError as error:
        raise UserError(f'frames cannot be used: {error}') from None
