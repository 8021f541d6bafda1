"""Many videos, read in processes that may crash or hang, and scored several at a time."""

import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import cv2
import torch

from mmdualformer.datasets.decoding import READING_LIMIT
from mmdualformer.errors import UserError, describe
from mmdualformer.video import VideoError
from mmdualformer.video.isolation import map_isolated

from .live import is_stream, without_password
from .recognizer import Recognizer
from .results import Failure, Recognition
from .sources import find_videos
from .writing import Row

PATIENCE = max(1.0, READING_LIMIT / 10)  # seconds that a decoder has to notice by itself that its time is over
NO_MEMORY = 'the device has not enough memory for it; try --dtype or --device'
SAYS_WHY = (VideoError, TimeoutError, UserError, ChildProcessError)


@dataclass
class Listing:
    """The videos that a command names.

    Attributes:
        videos (list): Their paths, and the inputs that name none.
        errors (dict): Why an input names none, by its place in ``videos``.
    """

    videos: list[str] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)

    def take(self, places: Sequence[int]) -> 'Listing':
        """Some of the videos."""
        errors = {new: self.errors[old] for new, old in enumerate(places) if old in self.errors}
        return Listing([self.videos[place] for place in places], errors)


def list_videos(sources: Iterable[str]) -> Listing:
    """List the videos of files, folders, patterns and lists; one of these that has none does not stop the others.

    A list or a pattern names no streams: it may be from anyone, and would have this connect, film, or wait for a pipe.

    Args:
        sources (iterable): See :func:`~mmdualformer.recognition.sources.find_videos`.
    """
    listing = Listing()
    for source in sources:
        try:
            is_searched = os.path.isdir(source)  # which finds files alone
            for video in find_videos(source):
                if not is_searched and video != source and is_stream(video):
                    listing.errors[len(listing.videos)] = (
                        f'{without_password(video)!r} is a stream, which {source!r} cannot name; give it itself'
                    )
                listing.videos.append(video)
        except UserError as error:
            listing.errors[len(listing.videos)] = describe(error)
            listing.videos.append(source)
    return listing


def recognize_files(
    recognizer: Recognizer, listing: Listing, topk: int, workers: int, batch_size: int
) -> Generator[Row, None, None]:
    """Recognize videos, each as it is recognized alone; one that cannot be read, or ends its process, ends nothing.

    Args:
        recognizer (Recognizer): What recognizes them.
        listing (Listing): The videos.
        topk (int): Classes to name.
        workers (int): Processes that read.
        batch_size (int): Videos that are scored together.

    Yields:
        Row: One for each, in their order.
    """
    videos = listing.videos
    rows = {place: Row.of(Failure(videos[place], error), topk) for place, error in listing.errors.items()}
    following = 0
    batch: dict[int, dict] = {}
    with closing(read_files(recognizer, listing, workers)) as samples:
        for place, sample in samples:
            if isinstance(sample, Failure):
                rows[place] = Row.of(sample, topk)
            else:
                batch[place] = sample
            if len(batch) >= batch_size:
                rows.update(_score(recognizer, batch, topk))
                batch = {}
            while following in rows:
                yield rows.pop(following)
                following += 1
    rows.update(_score(recognizer, batch, topk))
    for place in range(following, len(videos)):
        yield rows[place]


def read_files(
    recognizer: Recognizer, listing: Listing, workers: int
) -> Generator[tuple[int, dict[str, Any] | Failure], None, None]:
    """Read videos in child processes; one that cannot be read, or ends its process, ends nothing.

    Args:
        recognizer (Recognizer): What reads them.
        listing (Listing): The videos, and inputs that name none, which are left out.
        workers (int): Processes that read.

    Yields:
        tuple: Place in ``listing.videos``, and what ``Recognizer.read`` gives, or why it gives nothing; those that are
        done first come first.
    """
    items = [(place, video) for place, video in enumerate(listing.videos) if place not in listing.errors]
    with closing(map_isolated(_Reader(recognizer), items, workers, READING_LIMIT + PATIENCE)) as outcomes:
        for (place, video), sample, error in outcomes:
            if sample is None:
                yield place, _failure(video, error)
            else:
                yield place, dict(sample, inputs=torch.from_numpy(sample['inputs']))


class _Reader:
    """Reads a video in a child process, which has nothing to do with the devices of its parent."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._process = os.getpid()

    def __call__(self, item: tuple[int, str]) -> dict[str, Any]:
        if self._process != os.getpid():
            self._process = os.getpid()
            torch.set_num_threads(1)  # one core for each process, and no threads that a fork has lost
            cv2.setNumThreads(0)
        sample = self._recognizer.read(item[1])
        return dict(sample, inputs=sample['inputs'].numpy())  # arrays come through shared memory


def _failure(video: str, error: Exception | None) -> Failure:
    """Why a video cannot be read."""
    if isinstance(error, SAYS_WHY):
        return Failure.of(video, error)
    return Failure(video, f'{type(error).__name__}: {describe(error)}' if error is not None else 'it has no frames')


def _score(recognizer: Recognizer, batch: dict[int, dict], topk: int) -> dict[int, Row]:
    """Score videos together; where that fails, in halves, and so in the end alone."""
    if not batch:
        return {}
    samples = list(batch.values())
    results: Sequence[Recognition | Failure]
    try:
        results = recognizer.score_all(samples)
    except (UserError, torch.cuda.OutOfMemoryError) as error:
        if len(batch) > 1:
            items = list(batch.items())
            middle = len(items) // 2
            return {
                place: row
                for half in (items[:middle], items[middle:])
                for place, row in _score(recognizer, dict(half), topk).items()
            }
        reason = describe(error) if isinstance(error, UserError) else NO_MEMORY
        results = [Failure(sample['video']['source'], reason) for sample in samples]
    return {place: Row.of(result, topk) for place, result in zip(batch, results)}
