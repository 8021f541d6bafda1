"""Windows that slide over the frames of a long or endless video, with no more frames in memory than one has."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mmdualformer.errors import UserError
from mmdualformer.video import FrameArray

EPSILON = 1e-6  # seconds by which times that are equal differ
MOST = 2000  # frames of a window; a faster source gives every second, third ... of its frames


@dataclass(frozen=True)
class Window:
    """A part of a video.

    Attributes:
        start (float): When it begins, in seconds after the video's first frame.
        end (float): When it ends.
        frames (FrameArray): The frames that are shown in it.
    """

    start: float
    end: float
    frames: FrameArray


def slide(
    frames: Iterable[tuple[float, np.ndarray]],
    length: float,
    step: float,
    rate: float,
    shrink: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Iterator[Window]:
    """Slide a window over frames.

    The first window begins with the first frame, each next one ``step`` seconds later. The last one ends with the last
    frame, so that every frame is in a window; a video that is shorter than a window is one.

    Args:
        frames (iterable): Time in seconds and RGB frame ``[H, W, 3]``, in the order in which they are shown. A time
            that does not rise counts as one frame later than the one before.
        length (float): Seconds of a window.
        step (float): Seconds between the beginnings of two windows.
        rate (float): Frames a second, as far as it is known before.
        shrink (callable): What is done with each frame before it is kept. Defaults to nothing.

    Yields:
        Window: Each window, as soon as its last frame has come.

    Raises:
        UserError: ``length`` or ``step`` is not positive, or a step leaves out frames.
    """
    if not length > 0 or not 0 < step <= length:
        raise UserError(f'window={length:g} s must be positive, and step={step:g} s at most as long')
    stride = max(1, math.ceil(length * rate / MOST))
    kept: deque[tuple[float, np.ndarray]] = deque()
    first, now, covered = 0.0, -1 / rate, 0.0
    begin = 0  # the next window begins after so many steps
    for number, (time, frame) in enumerate(frames):
        if number == 0:
            first = time
        now = time - first if time - first > now else now + 1 / rate
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
        if number % stride == 0:
            kept.append((now, shrink(frame)))
    if kept and kept[-1][0] >= covered - EPSILON:  # frames that were in no window
        end = kept[-1][0] + 1 / rate
        window = _cut(kept, max(kept[0][0], end - length), end, rate)
        if window is not None:
            yield window


def _cut(kept: Iterable[tuple[float, np.ndarray]], start: float, end: float, rate: float) -> Window | None:
    """The frames that are shown from ``start`` on and before ``end``; None if there are none."""
    inside = [(time, frame) for time, frame in kept if start - EPSILON <= time < end - EPSILON]
    if not inside:
        return None
    times, frames = zip(*inside)
    if len(times) > 1:
        rate = (len(times) - 1) / (times[-1] - times[0])
    return Window(start, end, FrameArray(frames, rate, times))
