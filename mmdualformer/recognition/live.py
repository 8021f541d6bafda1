"""Frames of what has no end that is known before: webcams, network streams and pipes."""

import os
import re
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import av
import numpy as np
from av.format import Flags
from av.stream import Discard

from mmdualformer import signals
from mmdualformer.errors import UserError, describe
from mmdualformer.video import VideoError
from mmdualformer.video.pixels import Converter
from mmdualformer.video.source import DEMUXERS

from .pipelines import RATE
from .windows import Clock, Window

Item = TypeVar('Item')

PIPE = '-'
ADDRESS = re.compile(r'([a-z][a-z0-9+.-]+)://', re.IGNORECASE)
# What FFmpeg may use for an address. A list that a server sends leads to other addresses, and never to a file here.
HTTP = 'http,https,tcp,tls,crypto,httpproxy'
RTSP = 'rtp,srtp,udp,tcp,tls,http,https,httpproxy'
PROTOCOLS = {'http': HTTP, 'https': HTTP, 'rtsp': RTSP, 'rtsps': RTSP}
NETWORK_DEMUXERS = (*DEMUXERS, 'hls', 'mpjpeg', 'rtsp', 'rtp', 'sdp')
LIMITS = (15.0, 30.0)  # seconds until a stream opens, and until more of it comes; live HLS comes in parts of 10 s
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before each try to open a stream again that broke off
JUMP = 10.0  # seconds; the program ffmpeg too takes a larger jump of the times of a stream for none
TICK = 0.2  # seconds between two looks at signals
UNDECODABLE = 500  # packets in a row of which no frame comes, and errors do


def is_stream(source: str) -> bool:
    """Whether a source is a stream: ``-``, a webcam's number or device, an address, or a named pipe.

    A file or folder that is named like a number wins over the webcam, which then is ``/dev/video0``.
    """
    if source == PIPE or ADDRESS.match(source):
        return True
    try:
        mode = os.stat(source).st_mode
    except (OSError, ValueError):
        return bool(re.fullmatch(r'\d{1,3}', source))
    return stat.S_ISFIFO(mode) or (stat.S_ISCHR(mode) and source.startswith('/dev/video'))


@dataclass
class Opening:
    """How FFmpeg opens a stream.

    Attributes:
        name (str): What messages and results call it, without a password.
        url (str): What is opened.
        format (str, optional): The only demuxer that may be used.
        options (dict): For FFmpeg.
        is_live (bool, optional): Whether it comes as fast as it is filmed; None if that is seen when it is open.
        is_network (bool): Whether it is an address.
        file (int, optional): A file descriptor to close with it.
    """

    name: str
    url: str
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    is_live: bool | None = False
    is_network: bool = False
    file: int | None = None


def find_opening(source: str) -> Opening:
    """Say how a source is opened for which :func:`is_stream` holds.

    Raises:
        UserError: There is no such webcam, the kind of address is not known, or nothing is piped in.
    """
    address = ADDRESS.match(source)
    if address:
        scheme = address[1].lower()
        if scheme not in PROTOCOLS:
            raise UserError(f'stream {without_password(source)!r} must be one of {", ".join(PROTOCOLS)}')
        options = {'protocol_whitelist': PROTOCOLS[scheme], 'format_whitelist': ','.join(NETWORK_DEMUXERS)}
        if scheme.startswith('rtsp'):
            options['rtsp_flags'] = 'prefer_tcp'  # which loses no packets
        is_live = True if scheme.startswith('rtsp') else None
        return Opening(without_password(source), source, None, options, is_live, is_network=True)
    if source == PIPE:
        if sys.stdin is None or sys.stdin.isatty():
            raise UserError("'-' is a video that is piped in, as in `cat clip.ts | ...`; nothing is")
        return _open_descriptor(source, os.dup(0))
    device = f'/dev/video{int(source)}' if source.isdecimal() and not Path(source).exists() else source
    if Path(device).is_fifo():
        return _open_descriptor(source, os.open(source, os.O_RDONLY))
    if sys.platform != 'linux':
        raise UserError(f'webcam {source!r}: webcams are read on Linux only; pipe the video in instead, as {PIPE!r}')
    if not Path(device).exists():
        there = sorted(map(str, Path('/dev').glob('video*')))
        raise UserError(f'webcam {source!r} is not there: no {device}; there is {", ".join(there) or "none"}')
    return Opening(device, device, 'video4linux2', {}, is_live=True)


class Stream:
    """The frames of a stream, which are read once, from its first one on.

    A network stream that comes as fast as it is filmed and breaks off is opened again a few times.

    Args:
        source (str): See :func:`is_stream`.
        say (callable): Is given a line about what goes wrong and is gone on from. Defaults to nothing.
        tap (callable, optional): Is given each frame and its time too, in the thread that reads.

    Attributes:
        name (str): What messages and results call it, without a password.
        rate (float): Frames a second, as far as it tells; 30 where it does not.
        is_live (bool): Whether it comes as fast as it is filmed, so that frames are left out where scoring is slower.
        frames (int): How many frames have come.
        dropped (int): How many of them were in no window that was scored.

    Raises:
        UserError: See :func:`find_opening`.
        VideoError: It cannot be opened.
    """

    def __init__(
        self,
        source: str,
        say: Callable[[str], None] = lambda line: None,
        tap: Callable[[float, np.ndarray], None] | None = None,
    ) -> None:
        self._say = say
        self._tap = tap
        self._opening = find_opening(source)
        self.name = self._opening.name
        self.frames = self.dropped = 0
        self._scored = -1  # number of the last frame that was in a window
        self._size: tuple[int, int] | None = None
        self._container: av.container.InputContainer | None = None
        try:
            in_background(self._open)
        except (av.FFmpegError, OSError, ValueError) as error:
            self.close()
            raise self._error(error) from error
        self._clock = Clock(self.rate)
        self._moment = self._shift = 0.0  # the last frame's time, and what the stream says then more than that
        self._raw: float | None = None  # the last frame's time, as the stream says it
        self._came = time.monotonic()

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        """Yield the time of each frame, in seconds after the first one, and the frame ``[H, W, 3]``, RGB, uint8.

        Raises:
            VideoError: It breaks off, or cannot be decoded.
        """
        for moment, image in self._read_on():
            if self._tap is not None:
                self._tap(moment, image)
            yield moment, image

    def _read_on(self) -> Iterator[tuple[float, np.ndarray]]:
        """Yield the frames, also those after the stream has broken off."""
        tries = 0
        while True:
            try:
                if self._container is None:
                    self._open()
                for moment, image in self._read():
                    tries = 0
                    self.frames += 1
                    yield moment, image
                self.close()
                if not self.frames:
                    raise VideoError(f'stream {self.name!r} cannot be read: it has no frames', 'it has no frames')
                return
            except (av.FFmpegError, OSError) as error:
                failure = self._error(error)
                self.close()
                if not (self._opening.is_network and self.is_live) or tries >= len(PAUSES):
                    raise failure from error
                pause = PAUSES[tries]
                tries += 1
                self._say(
                    f'warning: stream {self.name!r} broke off: {failure.reason}; trying again in {pause:g} s '
                    f'({tries} of {len(PAUSES)})'
                )
                time.sleep(pause)
                self._raw = None

    def note(self, window: Window) -> None:
        """Count the frames between a window that is scored and the one before as dropped."""
        self.dropped += max(0, window.first - self._scored - 1)
        self._scored = max(self._scored, window.last)

    def describe_dropped(self) -> str:
        """Say how many frames were dropped, ``''`` for none."""
        if not self.dropped:
            return ''
        share = self.dropped / (self._scored + 1)
        return f'dropped {self.dropped} frames ({share:.0%}): scoring is slower than {self.name}'.replace('%', ' %')

    def close(self) -> None:
        """Close it. Calling it again does nothing."""
        if self._container is not None:
            self._container.close()
            self._container = None
        if self._opening.file is not None:
            os.close(self._opening.file)
            self._opening.file = None

    def _error(self, error: BaseException) -> VideoError:
        reason = _reason(error)
        if self._opening.url == 'fd:' and self._container is not None and 'mp4' in self._container.format.name:
            reason += '; of mp4 files, those can be piped whose index comes first'
        return VideoError(f'stream {self.name!r} cannot be read: {reason}', reason)

    def _open(self) -> None:
        how = self._opening
        self._container = container = av.open(
            how.url, format=how.format, options=how.options, timeout=LIMITS if how.is_network else None
        )
        stream = container.streams.best('video')
        if not isinstance(stream, av.VideoStream) or stream.codec_context is None:
            raise ValueError('it has no video that is known')
        for other in container.streams:
            if other is not stream:
                other.discard = Discard.all  # the sizes of an HLS stream that are not wanted are not downloaded
        self._stream = stream
        self.rate = float(stream.average_rate or stream.guessed_rate or RATE)
        # a file that a server has is as long as it says; of HLS the size is that of the list
        no_end = container.duration is None and (container.size <= 0 or container.format.name == 'hls')
        self.is_live = no_end if how.is_live is None else how.is_live
        flags = Flags(container.format.flags)
        self._timed = Flags.no_timestamps not in flags or not self.is_live  # FFmpeg makes them up
        self._jumps = self.is_live or Flags.ts_discont in flags
        self._convert = Converter(stream)

    def _read(self) -> Iterator[tuple[float, np.ndarray]]:
        """Yield the frames until the stream ends."""
        assert self._container is not None
        decoder = self._stream.codec_context
        failures = 0
        for packet in self._container.demux(self._stream):
            try:
                frames = decoder.decode(packet)
            except av.EOFError:
                return
            except av.FFmpegError:  # as before the first key frame
                failures += 1
                if failures >= UNDECODABLE:
                    raise
                continue
            for frame in frames:
                failures = 0
                if not frame.is_corrupt:
                    yield self._now(frame), self._image(frame)

    def _image(self, frame: av.VideoFrame) -> np.ndarray:
        """Convert a frame, in the size of the first one."""
        self._size = self._size or (frame.width, frame.height)
        self._convert.size = self._size
        return self._convert(frame)

    def _now(self, frame: av.VideoFrame) -> float:
        """When a frame is shown, in seconds after the first one: as the stream says, or where it jumps by the clock."""
        raw = frame.time if self._timed and frame.pts is not None else None
        came = time.monotonic()
        passed = came - self._came if self.is_live else 1 / self.rate
        if raw is None:
            self._moment += passed
        else:
            if self._raw is None or (self._jumps and abs(raw - self._raw) > JUMP):
                self._shift = raw - self._moment - passed
            self._moment = raw - self._shift
        self._raw, self._came = raw, came
        return self._clock(self._moment)


class Ahead(Generic[Item]):
    """An iterator that a thread of its own is ahead of, so that signals are heard while C code waits for a stream.

    It ends where a signal has come that :mod:`mmdualformer.signals` defers.

    Args:
        items (iterable): Where items come from.
        newest (bool): Where they come faster than they are taken, leave out older ones. Otherwise the thread waits.
    """

    def __init__(self, items: Iterable[Item], newest: bool) -> None:
        self._items = items
        self._newest = newest
        self._ready: deque[Item] = deque()
        self._error: BaseException | None = None
        self._is_over = self._is_closed = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name='stream', daemon=True).start()

    def __iter__(self) -> 'Ahead[Item]':
        return self

    def __next__(self) -> Item:
        with self._changed:
            while not self._changed.wait_for(lambda: self._ready or self._is_over, TICK):
                if signals.received():
                    raise StopIteration
            if self._ready:
                self._changed.notify_all()
                return self._ready.popleft()
        if self._error is not None:
            raise self._error
        raise StopIteration

    def close(self) -> None:
        """Have the thread end as soon as it has its next item."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    if self._newest:
                        self._ready.clear()
                    self._changed.wait_for(lambda: not self._ready or self._is_closed)
                    if self._is_closed:
                        break
                    self._ready.append(item)
                    self._changed.notify_all()
        except BaseException as error:
            self._error = error
        finally:
            close = getattr(self._items, 'close', None)
            if close is not None:
                with suppress(Exception):
                    close()
            with self._changed:
                self._is_over = True
                self._changed.notify_all()


def in_background(call: Callable[[], Any]) -> Any:
    """Call a function in a thread, so that signals are heard while C code waits."""
    answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            answers.put((call(), None))
        except BaseException as error:
            answers.put((None, error))

    threading.Thread(target=run, name='stream', daemon=True).start()
    answer, error = answers.get()
    if error is not None:
        raise error
    return answer


def _open_descriptor(name: str, file: int) -> Opening:
    options = {'fd': str(file), 'protocol_whitelist': 'fd', 'format_whitelist': ','.join(DEMUXERS)}
    return Opening(name, 'fd:', None, options, file=file)


def without_password(address: str) -> str:
    """A source as it is shown: an address without a user and a password."""
    return re.sub(r'(://)[^/?#]*@', r'\1', address)


def _reason(error: BaseException) -> str:
    if isinstance(error, av.ExitError):  # as PyAV calls it
        return 'it gives nothing for too long'
    return describe(error, with_file=False)
