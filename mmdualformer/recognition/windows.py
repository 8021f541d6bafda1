"""Windows that slide over the frames of a long or endless video, with no more frames in memory than two of them."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mmdualformer.errors import UserError
from mmdualformer.video import FrameArray

EPSILON = 1e-6  # seconds by which times that are equal differ
MOST = 2000  # frames of a window; of a faster source those that are closer than that are left out
RESTART = 1.0  # seconds by which times that go back begin again; by less they come in a wrong order


@dataclass(frozen=True)
class Window:
    """A part of a video.

    Attributes:
        start (float): When it begins, in seconds after the video's first frame.
        end (float): When it ends.
        frames (FrameArray): The frames that are shown in it.
        first (int): Number of its first frame in the source.
        last (int): Number of its last frame there.
    """

    start: float
    end: float
    frames: FrameArray
    first: int
    last: int


class Clock:
    """Times that rise, of a source whose times need not.

    The first time counts as 0. One that is missing (None or NaN), or not later than the one before, counts as one frame
    later. Where times go back by more than a second they begin again, and go on from there, as in a video that is
    shown in a loop.

    Args:
        rate (float): Frames a second.
    """

    def __init__(self, rate: float) -> None:
        self.now = -1 / rate
        self._frame = 1 / rate
        self._shift: float | None = None
        self._earlier = 0.0  # the shift before times last went back

    def __call__(self, time: float | None) -> float:
        """Seconds after the first frame of a frame that is the next one."""
        following = self.now + self._frame
        if time is None or not math.isfinite(time):
            self.now = following
            return following
        if self._shift is None:
            self._shift = self._earlier = time - following
        elif self.now - (time - self._shift) > RESTART:
            self._shift, self._earlier = time - following, self._shift
        elif time - self._shift - self.now > RESTART and abs(time - self._earlier - self.now) <= RESTART:
            self._shift = self._earlier  # they only seemed to begin again
        ahead = time - self._shift
        self.now = ahead if ahead > self.now else following
        return self.now


def slide(
    frames: Iterable[tuple[float, np.ndarray]],
    length: float,
    step: float,
    rate: float,
    shrink: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Iterator[Window]:
    """Slide a window over frames.

    The first window begins with the first frame, each next one ``step`` seconds later. The last one ends with the last
    frame, so that every frame is in a window; a video that is shorter than a window is one. There is no window where
    nothing is shown.

    Args:
        frames (iterable): Time in seconds and RGB frame ``[H, W, 3]``, in the order in which they are shown. Times are
            made to rise, see :class:`Clock`.
        length (float): Seconds of a window.
        step (float): Seconds between the beginnings of two windows.
        rate (float): Frames a second, as far as it is known before.
        shrink (callable): What is done with each frame before it is kept. Defaults to nothing.

    Yields:
        Window: Each window, as soon as its last frame has come.

    Raises:
        UserError: ``length``, ``step`` or ``rate`` is not positive, a step leaves out frames, or the frames of a window
            are not of one size.
    """
    if not 0 < length < math.inf or not 0 < step <= length:
        raise UserError(f'window={length:g} s must be positive, and step={step:g} s positive and at most as long')
    if not 0 < rate < math.inf:
        raise UserError(f'fps={rate:g} must be positive')
    length, step = float(length), float(step)
    apart = length / MOST
    kept: deque[tuple[float, int, np.ndarray]] = deque()
    clock = Clock(rate)
    latest, covered = -math.inf, 0.0
    begin = 0  # the next window begins after so many steps
    for number, (time, frame) in enumerate(frames):
        now = clock(time)
        while now >= begin * step + length - EPSILON:
            window = _cut(kept, begin * step, begin * step + length, rate)
            if window is not None:
                yield window
                covered = window.end
            begin += 1
            while kept and kept[0][0] < (begin - 1) * step - EPSILON:  # the last window may begin a step before
                kept.popleft()
            if not kept:  # nothing was shown for longer than a window
                begin = max(begin, int((now - length) / step))
        if now - latest >= apart - EPSILON:
            kept.append((now, number, shrink(frame)))
            latest = now
    if kept and latest >= covered - EPSILON:  # frames that were in no window
        end = clock.now + 1 / rate
        window = _cut(kept, max(kept[0][0], end - length), end, rate)
        if window is not None:
            yield window


def _cut(kept: Iterable[tuple[float, int, np.ndarray]], start: float, end: float, rate: float) -> Window | None:
    """The frames that are shown from ``start`` on and before ``end``; None if there are none."""
    inside = [part for part in kept if start - EPSILON <= part[0] < end - EPSILON]
    if not inside:
        return None
    times, numbers, frames = zip(*inside)
    if len(times) > 1:
        rate = (len(times) - 1) / (times[-1] - times[0])
    try:
        return Window(start, end, FrameArray(frames, rate, times), numbers[0], numbers[-1])
    except ValueError as error:
        raise UserError(f'frames from {start:.1f} to {end:.1f} s cannot be used: {error}') from None
