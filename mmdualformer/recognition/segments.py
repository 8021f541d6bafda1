"""From windows that overlap to what is shown from when to when."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdualformer.errors import printable

from .results import LIKELY, Recognition
from .windows import EPSILON


@dataclass(frozen=True)
class Segment:
    """A part of a video that shows one class.

    Attributes:
        start (float): Seconds.
        end (float): Seconds.
        label (int): Number of the class.
        name (str): Its name.
        score (float): Its mean probability.
    """

    start: float
    end: float
    label: int
    name: str
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dict(start=round(self.start, 3), end=round(self.end, 3), name=self.name, score=self.score)

    def __str__(self) -> str:
        return f'{clock(self.start)} - {clock(self.end)}  {printable(self.name)} {self.score * 100:.0f} %'


@dataclass(frozen=True)
class Moment:
    """A part of a video in which no window begins or ends.

    Attributes:
        start (float): Seconds.
        end (float): Seconds.
        probabilities (np.ndarray): ``[classes]``, the mean of the windows that it is in.
        window (Recognition): The last of these.
    """

    start: float
    end: float
    probabilities: np.ndarray
    window: Recognition


@dataclass
class _Run:
    """A segment that may go on, with the integral of its probability."""

    start: float
    end: float
    area: float = 0.0
    seconds: float = 0.0


def find_segments(
    windows: Iterable[Recognition], threshold: float = LIKELY, least: float | None = None
) -> Iterator[Segment]:
    """Find what is shown from when to when.

    The probabilities of a moment are the mean of those of the windows that it is in. It shows the likeliest class, or
    of several labels each class, if its probability is at least ``threshold``. Of one class, a gap shorter than
    ``least`` is filled, and a segment shorter than ``least`` is left out.

    Args:
        windows (iterable): Windows of one video, in their order, as ``Recognizer.watch`` gives them.
        threshold (float): Least probability, 0 to 1. Defaults to 0.5.
        least (float, optional): Seconds. Defaults to None, half of a window.

    Yields:
        Segment: Each segment, as soon as it has ended, in the order of their ends.
    """
    runs: dict[int, _Run] = {}
    classes: tuple[str, ...] = ()
    for moment in find_moments(windows):
        if least is None:
            least = (moment.window.end - moment.window.start) / 2
        classes = moment.window.classes
        yield from _close(runs, moment.start - max(least, 2 * EPSILON), classes, least)
        for label in np.flatnonzero(_shown(moment, threshold)).tolist():
            run = runs.setdefault(label, _Run(moment.start, moment.end))
            run.end = moment.end
            run.area += float(moment.probabilities[label]) * (moment.end - moment.start)
            run.seconds += moment.end - moment.start
        yield from _close(runs, moment.end - max(least, 2 * EPSILON), classes, least)
    yield from _close(runs, math.inf, classes, least or 0.0)


def find_moments(windows: Iterable[Recognition]) -> Iterator[Moment]:
    """Part a video at the beginnings and ends of its windows; what is in no window is left out.

    Yields:
        Moment: Each part, as soon as no further window can begin in it.
    """
    open_windows: list[Recognition] = []
    reached = 0.0

    def until(limit: float) -> Iterator[Moment]:
        nonlocal reached
        for edge in sorted({window.end for window in open_windows if window.end < limit} | {limit}):
            inside = [window for window in open_windows if window.start <= reached and window.end >= edge]
            if inside and edge - reached > EPSILON:
                mean = np.mean([window.probabilities for window in inside], axis=0)
                yield Moment(reached, edge, mean, inside[-1])
            reached = max(reached, edge)

    for window in windows:
        yield from until(window.start)
        open_windows = [*(earlier for earlier in open_windows if earlier.end > reached), window]
    if open_windows:
        yield from until(max(window.end for window in open_windows))


def clock(seconds: float) -> str:
    """A time such as ``0:12.4``, or ``1:02:03.4`` from an hour on."""
    tenths = round(max(0.0, seconds) * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    ahead = f'{hours}:{minutes:02}' if hours else f'{minutes}'
    return f'{ahead}:{tenths / 10:04.1f}'


def _shown(moment: Moment, threshold: float) -> np.ndarray:
    """Which classes a moment shows ``[classes]``."""
    probabilities = moment.probabilities
    likely = probabilities >= threshold
    if not moment.window.several:
        likely &= np.arange(len(probabilities)) == probabilities.argmax()
    return likely


def _close(runs: dict[int, _Run], until: float, classes: tuple[str, ...], least: float) -> Iterator[Segment]:
    """End what has last been shown by ``until``, and yield it if it is long enough."""
    over = [label for label, run in runs.items() if run.end <= until + EPSILON]
    for label, run in sorted(((label, runs.pop(label)) for label in over), key=lambda item: item[1].end):
        if run.end - run.start >= least - EPSILON:
            yield Segment(run.start, run.end, label, classes[label], run.area / run.seconds)
