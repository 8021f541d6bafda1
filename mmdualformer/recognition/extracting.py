"""Features of many videos, which are read in processes that may crash or hang."""

from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial

import torch

from mmdualformer.errors import UserError
from mmdualformer.features import Features
from mmdualformer.video import VideoError

from .bulk import NO_MEMORY, Listing, read_files
from .recognizer import Recognizer
from .results import Failure


def extract_files(
    recognizer: Recognizer,
    listing: Listing,
    level: str = 'clip',
    stage: int | None = None,
    *,
    window: float | None = None,
    step: float | None = None,
    workers: int = 2,
) -> Generator[Features | Failure, None, None]:
    """Take the features of videos; one that cannot be read, or ends its process, ends nothing.

    Of level ``'window'`` this process reads, as no more than a window is to be in memory.

    Args:
        recognizer (Recognizer): Whose features.
        listing (Listing): The videos.
        level, stage, window, step: See :meth:`Recognizer.features`.
        workers (int): Processes that read. Defaults to 2.

    Yields:
        Features or Failure: One for each, in their order.

    Raises:
        UserError: The model has no such features.
    """
    extractor = recognizer.extractor(level, stage)
    done: dict[int, Features | Failure] = {
        place: Failure(listing.videos[place], error) for place, error in listing.errors.items()
    }
    if level == 'window':
        take_windows = partial(recognizer.features, level=level, stage=stage, window=window, step=step)
        for place, video in enumerate(listing.videos):
            yield done[place] if place in done else _try(video, partial(take_windows, video))
        return
    following = 0
    with closing(read_files(recognizer, listing, workers)) as samples:
        for place, sample in samples:
            if isinstance(sample, Failure):
                done[place] = sample
            else:
                done[place] = _try(listing.videos[place], partial(recognizer.extract, extractor, sample))
            while following in done:
                yield done.pop(following)
                following += 1
    for place in range(following, len(listing.videos)):
        yield done[place]


def _try(video: str, take: Callable[[], Features]) -> Features | Failure:
    """Take features, or say why there are none."""
    try:
        return take()
    except (VideoError, TimeoutError, UserError) as error:
        return Failure.of(video, error)
    except torch.cuda.OutOfMemoryError:
        return Failure(video, NO_MEMORY)
