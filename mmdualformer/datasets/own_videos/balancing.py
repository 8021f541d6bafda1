"""Classes of few videos, of which an epoch shows each video more than once."""

import math
from collections import Counter
from collections.abc import Sequence

from .videos import Video

RARE = 0.5  # a class is rare with fewer videos than this share of what classes have on average


def count_repeats(videos: Sequence[Video], num_classes: int) -> dict[int, int]:
    """Find how often an epoch shows each video of the rare classes.

    It is the square root of what such a class lacks, as of MMEngine's ``ClassBalancedDataset`` with an
    ``oversample_thr`` of ``RARE / num_classes`` (arXiv:1908.03195). Videos of several labels are left as they are.

    Args:
        videos (sequence): Videos to train on.
        num_classes (int): Classes.

    Returns:
        dict: Label of a rare class -> times, at least two.
    """
    if any(len(video.labels) != 1 for video in videos):
        return {}
    counts = Counter(video.labels[0] for video in videos)
    least = RARE * len(videos) / num_classes
    return {label: math.ceil(math.sqrt(least / count)) for label, count in sorted(counts.items()) if count < least}


def repeat(videos: Sequence[Video], repeats: dict[int, int]) -> list[Video]:
    """List each video as often as an epoch shows it."""
    return [video for video in videos for _ in range(repeats.get(video.labels[0], 1) if video.labels else 1)]
