"""From windows that overlap to what is shown from when to when."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdualformer.errors import printable

from .results import LIKELY, Recognition


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
        return f'{clock(self.start)} - {clock(self.end)}  {printable(self.name)} {self.score:.0%}'.replace('%', ' %')


@dataclass
class _Run:
    start: float
    end: float
    scores: list[float]


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
        Segment: Each segment, as soon as it has ended.
    """
    runs: dict[int, _Run] = {}
    classes: tuple[str, ...] = ()
    for start, end, window, probabilities in _moments(windows):
        if least is None:
            least = (window.end - window.start) / 2
        classes = window.classes
        for label in np.flatnonzero(_shown(window, probabilities, threshold)).tolist():
            run = runs.get(label)
            if run is not None and start - run.end >= max(least, 1e-6):
                yield from _close({label: run}, classes, least)
                run = None
            if run is None:
                run = runs[label] = _Run(start, end, [])
            run.end = end
            run.scores.append(float(probabilities[label]))
        over = {label: run for label, run in runs.items() if end - run.end >= max(least, 1e-6)}
        yield from _close(over, classes, least)
        for label in over:
            del runs[label]
    yield from _close(runs, classes, least or 0.0)


def clock(seconds: float) -> str:
    """A time such as ``0:12.4``, or ``1:02:03.4`` from an hour on."""
    tenths = round(max(0.0, seconds) * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    ahead = f'{hours}:{minutes:02}' if hours else f'{minutes}'
    return f'{ahead}:{tenths / 10:04.1f}'


def _moments(windows: Iterable[Recognition]) -> Iterator[tuple[float, float, Recognition, np.ndarray]]:
    """Yield the parts between the beginnings and ends of windows, each with the mean of the windows that it is in."""
    open_windows: list[Recognition] = []
    reached = 0.0

    def until(limit: float) -> Iterator[tuple[float, float, Recognition, np.ndarray]]:
        nonlocal reached
        for edge in sorted({window.end for window in open_windows if window.end < limit} | {limit}):
            inside = [window for window in open_windows if window.start <= reached and window.end >= edge]
            if inside and edge - reached > 1e-6:
                yield reached, edge, inside[-1], np.mean([window.probabilities for window in inside], axis=0)
            reached = max(reached, edge)

    for window in windows:
        yield from until(window.start)
        open_windows = [*(earlier for earlier in open_windows if earlier.end > reached), window]
    if open_windows:
        yield from until(max(window.end for window in open_windows))


def _shown(window: Recognition, probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Which classes a moment shows ``[classes]``."""
    likely = probabilities >= threshold
    if not window.several:
        likely &= np.arange(len(probabilities)) == probabilities.argmax()
    return likely


def _close(runs: dict[int, _Run], classes: tuple[str, ...], least: float) -> Iterator[Segment]:
    for label, run in sorted(runs.items(), key=lambda item: item[1].start):
        if run.end - run.start >= least - 1e-6:
            yield Segment(run.start, run.end, label, classes[label], float(np.mean(run.scores)))
