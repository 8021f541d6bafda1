"""Own videos, split into those to train on, to validate on and to test on, or into folds."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from mmdualformer.errors import UserError

from .videos import Video


def split(
    videos: Sequence[Video], joined: Sequence[Sequence[int]], shares: Mapping[str, float], seed: int = 0
) -> list[str]:
    """Split videos, each class by itself as far as those that stay together allow it.

    The order of a class follows from a hash of each name, and its first videos are set aside. So a split does not
    depend on the order of files on a disk, and a video more takes the place of at most one other in each split.

    Args:
        videos (sequence): All videos.
        joined (sequence): Places in ``videos`` that stay together, as :func:`~.grouping.join_groups` gives them.
        shares (Mapping): Share of each class by split, such as ``dict(test=0.2, val=0.2)``, in the order of what is set
            aside first. Each split gets a video of each class at least, as long as one is left to train on.
        seed (int): Draws the split. Defaults to 0.

    Returns:
        list: ``'train'`` or a split of ``shares`` for each video.
    """
    units = _sorted_units(videos, joined, seed)
    contents = [Counter(label for place in unit for label in videos[place].labels) for unit in units]
    units_of: dict[int, list[int]] = {}  # class -> its units
    for number, content in enumerate(contents):
        for label in content:
            units_of.setdefault(label, []).append(number)
    free = {label: len(numbers) for label, numbers in units_of.items()}  # units of a class that are trained on
    chosen: dict[int, str] = {}
    given = {name: Counter[int]() for name in shares}

    def may_take(number: int) -> bool:
        return number not in chosen and all(free[label] > 1 for label in contents[number])

    def take(number: int, name: str) -> None:
        chosen[number] = name
        given[name] += contents[number]
        for label in contents[number]:
            free[label] -= 1

    # rare classes first, which have the least choice
    for label, numbers in sorted(units_of.items(), key=lambda item: (len(item[1]), item[0])):
        total = sum(contents[number][label] for number in numbers)
        for name, share in shares.items():
            wanted = max(round(share * total), 1)
            for number in numbers:
                lack = wanted - given[name][label]
                if lack <= 0:
                    break
                # what is too large by more than is lacking is further from the share than nothing
                if contents[number][label] < 2 * lack and may_take(number):
                    take(number, name)
            if not given[name][label]:
                smallest = min(filter(may_take, numbers), key=lambda number: contents[number][label], default=None)
                if smallest is not None:
                    take(smallest, name)
    result = ['train'] * len(videos)
    for number, name in chosen.items():
        for place in units[number]:
            result[place] = name
    return result


def deal_folds(videos: Sequence[Video], joined: Sequence[Sequence[int]], folds: int, seed: int = 0) -> list[int]:
    """Deal videos to folds, each class evenly as far as those that stay together allow it.

    Args:
        videos (sequence): See :func:`split`, as for ``joined`` and ``seed``.
        folds (int): How many.

    Returns:
        list: The fold of each video, from 1.

    Raises:
        UserError: Fewer stay apart than there are folds.
    """
    if len(joined) < folds:
        raise UserError(
            f'--folds {folds} are more than the {len(joined)} groups of videos that stay together; give at most '
            f'{len(joined)}'
        )
    totals = Counter(label for video in videos for label in video.labels)
    counts = [Counter[int]() for _ in range(folds)]
    sizes = [0] * folds
    result = [0] * len(videos)
    # large ones first: small ones then even out what is uneven
    for unit in sorted(_sorted_units(videos, joined, seed), key=len, reverse=True):
        content = Counter(label for place in unit for label in videos[place].labels)

        def crowding(fold: int, content: Counter[int] = content) -> tuple[float, int]:
            """How much of the unit's classes the fold has, and of all."""
            return sum(count * counts[fold][label] / totals[label] for label, count in content.items()), sizes[fold]

        fold = min(range(folds), key=crowding)
        counts[fold] += content
        sizes[fold] += len(unit)
        for place in unit:
            result[place] = fold + 1
    return result


def _sorted_units(videos: Sequence[Video], joined: Sequence[Sequence[int]], seed: int) -> list[Sequence[int]]:
    """Sort what stays together by the smallest hash in it: a video more moves no other."""

    def rank(unit: Sequence[int]) -> bytes:
        return min(hashlib.sha256(f'{seed}/{videos[place].name}'.encode()).digest() for place in unit)

    return sorted(joined, key=rank)
