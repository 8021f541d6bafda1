"""What a recognizer says of a video."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdualformer.errors import describe, printable

LIKELY = 0.5  # a label of several is taken for true from this probability on


@dataclass(frozen=True, eq=False)
class Recognition:
    """The probabilities of the classes for a video, or for a part of it.

    Attributes:
        source (str): The file or folder; ``'frames'`` where the caller gave frames.
        classes (tuple): Names of all classes, in the order of ``probabilities``.
        probabilities (np.ndarray): ``[classes]``, float32. They add up to one, unless a video may have several labels.
        start (float): Where the part begins, in seconds.
        end (float): Where it ends.
        several (bool): Whether a video may have several labels, so that each class has a probability of its own.
        damage (str): What of the file is damaged, ``''`` for nothing.
    """

    source: str
    classes: tuple[str, ...]
    probabilities: np.ndarray
    start: float
    end: float
    several: bool = False
    damage: str = ''

    @property
    def labels(self) -> tuple[int, ...]:
        """Numbers of the classes, the likeliest first."""
        return tuple(np.argsort(-self.probabilities, kind='stable').tolist())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes, the likeliest first."""
        return tuple(self.classes[label] for label in self.labels)

    @property
    def scores(self) -> tuple[float, ...]:
        """Their probabilities, the largest first."""
        return tuple(self.probabilities[list(self.labels)].tolist())

    @property
    def name(self) -> str:
        """Name of the likeliest class."""
        return self.names[0]

    @property
    def score(self) -> float:
        """Its probability."""
        return self.scores[0]

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """Name and probability of the likeliest classes; of several labels, of all those of at least 50 % too."""
        if self.several:
            count = max(count, int((self.probabilities >= LIKELY).sum()))
        return list(zip(self.names[:count], self.scores[:count]))

    def lines(self, count: int = 5) -> Iterator[str]:
        """Yield a line of text for each of :meth:`top`; of several labels, ``*`` marks those of at least 50 %."""
        names, scores = zip(*self.top(count))
        yield from describe_scores(names, scores, self.several)

    def to_dict(self, count: int = 5) -> dict[str, Any]:
        """Plain values, for JSON and tables: ``source``, ``start``, ``end``, ``names``, ``scores`` and ``damage``."""
        top = self.top(count)
        return dict(
            source=self.source,
            start=round(self.start, 3),
            end=round(self.end, 3),
            names=[name for name, _ in top],
            scores=[score for _, score in top],
            damage=self.damage,
        )

    def __str__(self) -> str:
        return '\n'.join([printable(self.source), *self.lines()])

    def __repr__(self) -> str:
        return f'Recognition({self.source!r}, {self.name!r}, {self.score:.2%}, {self.start:.1f} to {self.end:.1f} s)'


@dataclass(frozen=True)
class Failure:
    """A video among several that has no scores. It is false, where a :class:`Recognition` is true.

    Attributes:
        source (str): The file or folder.
        reason (str): Why, in one line.
    """

    source: str
    reason: str

    @classmethod
    def of(cls, source: str, error: Exception) -> 'Failure':
        """Make one of an error, whose reason need not name the video again where it has one."""
        return cls(source, getattr(error, 'reason', None) or describe(error))

    def __bool__(self) -> bool:
        return False

    def to_dict(self) -> dict[str, Any]:
        """Plain values: ``source`` and ``error``."""
        return dict(source=self.source, error=self.reason)

    def __str__(self) -> str:
        return f'{printable(self.source)}\n  {printable(self.reason)}'


def describe_scores(names: Iterable[str], scores: Iterable[float], several: bool) -> Iterator[str]:
    """Yield a line of text for each class.

    Args:
        names (iterable): Names of classes.
        scores (iterable): Their probabilities.
        several (bool): Whether a video may have several labels: ``*`` marks those of at least 50 %.
    """
    for name, score in zip(names, scores):
        mark = '*' if several and score >= LIKELY else ' '
        yield f'{mark} {score:7.2%}  {printable(name)}'


def encodable(text: str) -> str:
    """Write a text with escapes in place of what UTF-8 cannot say, as of file names, or of class names in JSON."""
    return text.encode('utf-8', 'backslashreplace').decode('utf-8')
