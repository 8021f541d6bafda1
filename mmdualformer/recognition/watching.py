"""Long videos and streams: rows of what they show from when to when, and pictures of it."""

import io
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import av
import numpy as np
from PIL import Image

from mmdualformer import signals
from mmdualformer.errors import describe, describe_damage, printable
from mmdualformer.video import Video, VideoError, open_video
from mmdualformer.video.files import check_regular
from mmdualformer.video.source import OPTIONS

from .bulk import Listing
from .live import Stream, is_stream, without_password
from .overlay import Caption, OverlayVideo, Painter, Stills
from .recognizer import Recognizer
from .results import LIKELY, Failure, Recognition
from .segments import Segment, clock, find_moments, find_segments
from .windows import EPSILON
from .writing import DIGITS, csv_line, json_line

LONG = 60.0  # seconds from which on a file is watched in windows, as one score says little of it
PROBE_LIMIT = 10.0  # seconds to find out how long a file is
SAY_EVERY = 10.0  # seconds between two lines about dropped frames
FORMATS = ('text', 'jsonl', 'csv')
KEEP_EVERY, KEPT = 0.5, 120  # of a stream's frames for stills: one each so many seconds, and how many


@dataclass(frozen=True)
class Watching:
    """How long videos and streams are watched.

    Attributes:
        window (float, optional): Seconds, see :meth:`Recognizer.watch`.
        step (float, optional): Seconds.
        threshold (float): See :func:`find_segments`.
        least (float, optional): Seconds.
        overlay (Path, optional): The mp4 file to write, with the results in the video's frames.
        stills (Path, optional): The folder to write a picture of each segment to.
    """

    window: float | None = None
    step: float | None = None
    threshold: float = LIKELY
    least: float | None = None
    overlay: Path | None = None
    stills: Path | None = None


def long_seconds(path: str) -> float | None:
    """How long a file is that is long, as its container says; None for a short one, or where it does not say."""
    try:
        check_regular(path)
        if os.path.isdir(path):
            return None
        with av.open(f'file:{os.path.abspath(path)}', options=OPTIONS, timeout=PROBE_LIMIT) as container:
            seconds = (container.duration or 0) / av.time_base
    except (VideoError, av.FFmpegError, OSError, ValueError):  # reading it says why
        return None
    return seconds if seconds > LONG else None


class Watcher:
    """Watches videos and streams, one after the other.

    Args:
        recognizer (Recognizer): What recognizes them.
        watching (Watching): How.
        say (callable): Is given lines about what is to be known besides the results.
    """

    def __init__(self, recognizer: Recognizer, watching: Watching, say: Callable[[str], None]) -> None:
        self._recognizer = recognizer
        self._how = watching
        self._say = say
        self._painter = Painter(say)
        self._stills = None if watching.stills is None else Stills(watching.stills, self._painter)

    def watch(self, source: str) -> Iterator[Recognition | Segment]:
        """Watch a video or a stream to its end, or until a signal comes that is deferred.

        Yields:
            Recognition or Segment: Each window, and each segment as soon as it has ended.

        Raises:
            UserError: It cannot be read, or the way to watch cannot be used.
        """
        if is_stream(source):
            yield from self._watch_stream(source)
        else:
            with open_video(source) as video, _deferred():
                yield from self._watch_file(video)

    def _results(self, windows: Iterable[Recognition]) -> Iterator[Recognition | Segment]:
        """Yield windows, and the segments between them."""
        ended: deque[Recognition] = deque()

        def seen() -> Iterator[Recognition]:
            for window in windows:
                ended.append(window)
                yield window
                if signals.received():
                    return

        for segment in find_segments(seen(), self._how.threshold, self._how.least):
            yield from _emptied(ended)
            yield segment
        yield from _emptied(ended)

    def _watch_file(self, video: Video) -> Iterator[Recognition | Segment]:
        windows: list[Recognition] = []
        segments: list[Segment] = []
        for result in self._results(self._recognizer.watch(video, self._how.window, self._how.step)):
            if isinstance(result, Segment):
                segments.append(result)
            elif self._how.overlay is not None:
                windows.append(result)
            yield result
        if self._stills is not None and segments:
            with open_video(video.path) as again:
                for segment in segments:
                    middle = (segment.start + segment.end) / 2
                    number = max(0, int(np.searchsorted(again.frame_times, middle, 'right')) - 1)
                    (frame,) = again.get_frames([number])
                    self._stills.write(video.path, segment, float(again.frame_times[number]), frame)
        if self._how.overlay is not None and not signals.received():
            with open_video(video.path) as again:
                self._write_overlay(self._how.overlay, again, _Captions(windows, segments))

    def _write_overlay(self, path: Path, video: Video, captions: '_Captions') -> None:
        overlay = OverlayVideo(path, video.average_fps)
        try:
            for seconds, frame in zip(video.frame_times.tolist(), video.iterate_frames()):
                overlay.write(seconds, self._painter(frame, captions.at(seconds), seconds))
                if signals.received():
                    return
            overlay.close()
        finally:
            overlay.close(keep=False)

    def _watch_stream(self, source: str) -> Iterator[Recognition | Segment]:
        tap = _Tap(self._painter, self._how)
        stream = Stream(source, self._say, tap if self._how.overlay or self._stills else None)
        tap.open(stream.rate)
        told, at = 0, time.monotonic()
        try:
            with _deferred():
                for result in self._results(self._recognizer.watch(stream, self._how.window, self._how.step)):
                    if isinstance(result, Recognition):
                        tap.show(result)
                    elif self._stills is not None:
                        seconds, frame = tap.nearest((result.start + result.end) / 2)
                        self._stills.write(stream.name, result, seconds, frame)
                    yield result
                    if stream.dropped > told and time.monotonic() >= at + SAY_EVERY:
                        told, at = stream.dropped, time.monotonic()
                        self._say(stream.describe_dropped())
        finally:
            tap.close()
            if stream.dropped > told:
                self._say(stream.describe_dropped())


class Rows:
    """Rows of what is shown from when to when, as text, JSON lines or csv.

    Args:
        kind (str): One of ``FORMATS``.
        windows (bool): Whether the rows are windows, rather than segments.
        topk (int): Classes of a window.

    Attributes:
        head (str): What comes first.
    """

    def __init__(self, kind: str, windows: bool, topk: int) -> None:
        self._kind = kind
        self._windows = windows
        self._topk = topk
        pairs = [f'{what}_{number}' for number in range(1, topk + 1) for what in ('name', 'score')]
        self._columns = ['source', 'start', 'end', *(pairs if windows else ('name', 'score')), 'error']
        self.head = csv_line(self._columns) if kind == 'csv' else ''

    def begin(self, source: str) -> str:
        """What comes before the rows of a source."""
        return f'{printable(source)}\n' if self._kind == 'text' else ''

    def row(self, source: str, result: Recognition | Segment | Failure) -> str:
        """The row of a result, ``''`` if it has none."""
        if isinstance(result, Failure):
            if self._kind == 'text':
                return ''
            values = dict(source=source, error=printable(result.reason))
            columns = [source, *[''] * (len(self._columns) - 2), values['error']]
            return csv_line(columns) if self._kind == 'csv' else json_line(values)
        if isinstance(result, Recognition) is not self._windows:
            return ''
        if self._kind == 'text':
            return f'{_text(result, self._topk)}\n'
        start, end = round(result.start, 3), round(result.end, 3)
        if isinstance(result, Segment):
            one = dict(source=source, start=start, end=end, name=result.name, score=round(result.score, DIGITS))
            return csv_line([*one.values(), '']) if self._kind == 'csv' else json_line(one)
        names, scores = zip(*result.top(self._topk))
        scores = tuple(round(score, DIGITS) for score in scores)
        if self._kind == 'jsonl':
            return json_line(dict(source=source, start=start, end=end, names=names, scores=scores))
        pairs = [value for pair in zip(names, scores) for value in pair][: 2 * self._topk]
        return csv_line([source, start, end, *pairs, *[''] * (2 * self._topk - len(pairs)), ''])


def _text(result: Recognition | Segment, topk: int) -> str:
    if isinstance(result, Segment):
        return str(result)
    classes = ', '.join(f'{printable(name)} {score * 100:.0f} %' for name, score in result.top(topk))
    return f'{clock(result.start)} - {clock(result.end)}  {classes}'


def watch_all(
    recognizer: Recognizer, listing: Listing, watching: Watching, rows: Rows, say: Callable[[str], None]
) -> Generator[tuple[str, bool], None, None]:
    """Watch videos, or a stream; one that cannot be read ends nothing. A signal ends it, and nothing known is lost.

    Yields:
        tuple: Text of the output, and whether it is that of a source that cannot be read.
    """
    watcher = Watcher(recognizer, watching, say)
    yield rows.head, False
    for place, source in enumerate(listing.videos):
        name = without_password(source)
        if place in listing.errors:
            say(f'error: {listing.errors[place]}')
            yield rows.row(name, Failure(name, listing.errors[place])), True
            continue
        damage, began = '', False
        try:
            for result in watcher.watch(source):
                if not began:
                    began = True
                    yield rows.begin(name), False
                if isinstance(result, Recognition) and result.damage and not damage:
                    damage = result.damage
                    say(f'warning: {describe_damage(name, damage)}')
                yield rows.row(name, result), False
        except (VideoError, TimeoutError) as error:
            say(f'error: {describe(error)}')
            yield rows.row(name, Failure(name, getattr(error, 'reason', None) or describe(error))), True
        if signals.received():
            return


@contextmanager
def _deferred() -> Iterator[None]:
    """Let signals wait for who asks for them."""
    signals.defer()
    try:
        yield
    finally:
        signals.defer(False)


def _emptied(ended: deque[Recognition]) -> Iterator[Recognition]:
    while ended:
        yield ended.popleft()


class _Captions:
    """Captions of a video whose windows and segments are known, for times that rise."""

    def __init__(self, windows: list[Recognition], segments: list[Segment]) -> None:
        self._coming = deque(sorted(segments, key=lambda segment: segment.start))
        self._active: list[Segment] = []
        self._moments = deque(find_moments(windows))
        self._last: tuple[object, Caption] | None = None

    def at(self, seconds: float) -> Caption:
        while len(self._moments) > 1 and self._moments[1].start <= seconds + EPSILON:
            self._moments.popleft()
        while self._coming and self._coming[0].start <= seconds + EPSILON:
            self._active.append(self._coming.popleft())
        self._active = [segment for segment in self._active if segment.end > seconds + EPSILON]
        if not self._moments:
            return Caption()
        moment = self._moments[0]
        key = moment, tuple(self._active)
        if self._last is None or self._last[0] != key:
            self._last = key, Caption.of(replace(moment.window, probabilities=moment.probabilities), self._active)
        return self._last[1]


class _Tap:
    """Takes the frames of a stream as they come, with what the last window said.

    Args:
        painter (Painter): What writes into frames.
        how (Watching): What of them is kept.
    """

    def __init__(self, painter: Painter, how: Watching) -> None:
        self._painter = painter
        self._how = how
        self._overlay: OverlayVideo | None = None
        self._caption = Caption()
        self._kept: deque[tuple[float, bytes]] = deque(maxlen=KEPT)
        self._lock = Lock()

    def open(self, rate: float) -> None:
        """Begin, once the rate is known."""
        if self._how.overlay is not None:
            self._overlay = OverlayVideo(self._how.overlay, rate)

    def __call__(self, seconds: float, frame: np.ndarray) -> None:
        """Take a frame."""
        if self._overlay is not None:
            self._overlay.write(seconds, self._painter(frame, self._caption, seconds))
        if self._how.stills is not None and (not self._kept or seconds >= self._kept[-1][0] + KEEP_EVERY):
            packed = io.BytesIO()
            Image.fromarray(frame).save(packed, 'jpeg', quality=95)
            with self._lock:
                self._kept.append((seconds, packed.getvalue()))

    def show(self, window: Recognition) -> None:
        """Write what a window says into the frames from now on."""
        shown = [
            Segment(window.start, window.end, label, window.classes[label], float(window.probabilities[label]))
            for label in (window.labels if window.several else window.labels[:1])
            if window.probabilities[label] >= self._how.threshold
        ]
        self._caption = Caption.of(window, shown)

    def nearest(self, seconds: float) -> tuple[float, np.ndarray]:
        """The frame nearest to a time of those that are kept, after its own time."""
        with self._lock:
            at, packed = min(self._kept, key=lambda kept: abs(kept[0] - seconds))
        return at, np.array(Image.open(io.BytesIO(packed)))

    def close(self) -> None:
        """Finish what is written."""
        if self._overlay is not None:
            self._overlay.close()
