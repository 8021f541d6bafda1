"""decord as a choice: MMAction2's decoder, in a process that it may crash and hang in."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Video
from .errors import VideoError
from .files import check_regular
from .isolation import Isolated

LIMIT = 60.0  # seconds that a call may take where no limit is given


class DecordVideo(Video):
    """A video file as decord reads it.

    Of many kinds of files these are other frames than those that are asked for, see ``docs/data.md``. decord is given
    the path of a file, never its content, which crashes it, and runs in a process of its own, one for all videos.

    Args:
        path (str): The file.
        time_limit (float, optional): Seconds that a call may take.

    Raises:
        VideoError: decord cannot open it, or crashed.
        TimeoutError: It took too long.
    """

    def __init__(self, path: str, time_limit: float | None = None) -> None:
        check_regular(path)
        self.path = str(path)
        self.time_limit = time_limit or LIMIT
        self.average_fps, self.frame_times = self._call('open')
        if not len(self):
            raise self._error('it has no frames')

    def get_frames(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """See :meth:`Video.get_frames`."""
        return list(self._call('decode', [int(index) for index in indices]))

    def close(self) -> None:
        """Do nothing: the process keeps the last file."""

    def _call(self, *args) -> Any:
        process = _process()
        process.time_limit = self.time_limit
        try:
            return process.call(self.path, *args)
        except TimeoutError:
            raise
        except Exception as error:  # decord raises what it likes
            raise self._error((str(error).strip().splitlines() or [type(error).__name__])[-1].strip()) from None

    def _error(self, reason: str) -> VideoError:
        return VideoError(f'video {self.path!r} cannot be read: decord: {reason}', f'decord: {reason}')


@functools.cache
def _process() -> Isolated:
    return Isolated(_run, LIMIT)


@functools.lru_cache(1)
def _open(path: str):
    from decord import VideoReader

    return VideoReader(path, num_threads=1)


def _run(path: str, task: str, indices: Sequence[int] = ()) -> np.ndarray | tuple[float, np.ndarray]:
    """What runs in the other process: open a file, or decode frames of one."""
    reader = _open(path)
    if task == 'decode':
        return reader.get_batch(indices).asnumpy()
    times = reader.get_frame_timestamp(range(len(reader)))[:, 0] if len(reader) else np.zeros(0)
    return reader.get_avg_fps(), np.asarray(times, float)
