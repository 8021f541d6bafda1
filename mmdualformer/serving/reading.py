"""Reads uploads in a process of its own, as they may crash a decoder, have it hang, or fill the memory."""

import contextlib
import multiprocessing
import resource
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from multiprocessing import forkserver

import numpy as np
import psutil
import torch

from mmdualformer.errors import describe
from mmdualformer.recognition.reading import ClipReader
from mmdualformer.video import VideoError, VideoFile
from mmdualformer.video.isolation import Isolated

from .limits import MEMORY, MOST_PIXELS, SILENCE_LIMIT, Limits, Refused

# What FFmpeg says of what is no video, or half of one.
UNKNOWN = ('Invalid data found when processing input', 'Invalid argument', 'End of file')
START_METHOD = 'forkserver'  # a fork of the server would copy its threads' locks, and a GPU's state


@dataclass(frozen=True)
class Upload:
    """A file to be read.

    Attributes:
        path (str): Where it is, by the server's choice.
        limits (Limits): What it must keep to.
        windows (bool, optional): Whether its time line is wanted; None, if it is long.
    """

    path: str
    limits: Limits
    windows: bool | None = None


@dataclass(frozen=True)
class Part:
    """A video, or a window of it.

    Attributes:
        sample (dict): What :meth:`ClipReader.read` returns.
        start (float): When it begins, in seconds.
        seconds (float): How long the whole video is.
        is_last (bool): Whether it is known that no part follows.
    """

    sample: dict
    start: float
    seconds: float
    is_last: bool


def prepare() -> None:
    """Begin to start the process that those which read are forked from: it imports what they need meanwhile."""
    if START_METHOD == 'forkserver':
        multiprocessing.set_forkserver_preload([__name__])
        forkserver.ensure_running()


class UploadReader:
    """Reads uploads in a child process, which is replaced when one of them ends it.

    Args:
        reader (ClipReader): Takes the clips.
    """

    def __init__(self, reader: ClipReader) -> None:
        prepare()
        self._isolated = Isolated(_Stepper(reader), SILENCE_LIMIT, START_METHOD)
        self._is_interrupted = False

    def start(self) -> None:
        """Start the process, so that the first upload need not wait for it."""
        with contextlib.suppress(ChildProcessError):
            self._isolated.call(None)

    def read(self, upload: Upload) -> Generator[Part, None, None]:
        """Read an upload: first as a whole, then its windows, if it is long or they are wanted.

        Raises:
            Refused: It is none that the server takes, or cannot be read.
        """
        is_done = False
        if self._is_interrupted:  # the process may not be dead yet
            self._isolated.close()
            self._is_interrupted = False
        try:
            part = self._call(upload)
            while part is not None:
                is_done = part.is_last
                yield part
                part = None if is_done else self._call(None)
            is_done = True
        except Refused as refused:
            is_done = refused.status != 504
            raise
        finally:
            if not is_done:  # the process still has the file open
                self._isolated.close()

    def interrupt(self) -> None:
        """End what is being read, from another thread."""
        self._is_interrupted = True
        self._isolated.kill()

    def close(self) -> None:
        """End the process."""
        self._isolated.close()

    def _call(self, upload: Upload | None) -> Part | None:
        try:
            return _with_tensors(self._isolated.call(upload))
        except ChildProcessError as error:
            raise Refused(422, f'the video cannot be read: its decoder {error}') from None
        except TimeoutError:
            raise Refused(504, 'reading the video took too long') from None
        except MemoryError:
            raise Refused(422, f'the video cannot be read in {MEMORY >> 30} GiB of memory') from None
        except Refused:
            raise
        except VideoError as error:
            unknown = ' (is it a whole video?)' if error.reason in UNKNOWN else ''
            raise Refused(422, f'the upload cannot be read as a video{unknown}: {error.reason}') from None
        except Exception as error:  # as of transforms, which have not met such frames
            raise Refused(422, f'no clip can be taken of the video: {describe(error, with_file=False)}') from None


class _Stepper:
    """In the child process: gives the parts of an upload, one a call."""

    def __init__(self, reader: ClipReader) -> None:
        self.reader = reader
        self.parts: Iterator[Part] | None = None
        self.is_limited = False

    def __call__(self, upload: Upload | None) -> Part | None:
        if not self.is_limited:
            _limit_process()
            self.is_limited = True
        if upload is not None:
            self.parts = _read(self.reader, upload)
        if self.parts is None:
            raise ChildProcessError('has ended')
        try:
            part = next(self.parts, None)
        except MemoryError:
            raise MemoryError from None  # without the frames that its traceback holds
        except VideoError as error:
            if isinstance(error.__cause__, MemoryError):
                raise MemoryError from None
            raise
        if part is None:
            self.parts = None
        return part


def _limit_process() -> None:
    """Limit what this process may take; it may also write no file."""
    torch.set_num_threads(1)
    used = psutil.Process().memory_info().vms
    for kind, most in ((resource.RLIMIT_AS, used + MEMORY), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _read(reader: ClipReader, upload: Upload) -> Iterator[Part]:
    limits = upload.limits
    deadline = time.monotonic() + limits.time_limit(0)
    with VideoFile(upload.path, limits.time_limit(0)) as video:
        seconds = _check(video, limits)
    sample = reader.read(upload.path)
    has_windows = limits.is_long(seconds) if upload.windows is None else upload.windows
    yield Part(_with_arrays(sample), 0.0, seconds, not has_windows)
    if not has_windows:
        return
    deadline += seconds
    with VideoFile(upload.path, deadline - time.monotonic()) as video:
        for window, start in reader.windows(video):
            yield Part(_with_arrays(window), start, seconds, False)


def _check(video: VideoFile, limits: Limits) -> float:
    """The length of a video that the server takes.

    Raises:
        Refused: It is too long or too large.
    """
    seconds = video.duration
    if seconds > limits.max_seconds:
        raise Refused(422, f'the video is {seconds:.0f} s long; this server takes up to {limits.max_seconds:g} s')
    width, height = video.size
    if width * height > MOST_PIXELS:
        raise Refused(
            422,
            f'the video has frames of {width} x {height} pixels; this server takes up to 8192 x 4320',
        )
    return seconds


def _with_arrays(sample: dict) -> dict:
    """A sample whose clips go to another process without a copy more."""
    return dict(
        inputs=np.ascontiguousarray(sample['inputs'].numpy()),
        data_samples=sample['data_samples'],
        video=sample['video'],
    )


def _with_tensors(part: Part | None) -> Part | None:
    if part is not None:
        part.sample['inputs'] = torch.from_numpy(part.sample['inputs'])
    return part
