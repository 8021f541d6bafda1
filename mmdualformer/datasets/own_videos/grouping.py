"""Groups of videos that a split keeps on one side: of a person, a session or a source, and near-duplicates."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mmdualformer.errors import UserError

from .videos import Video

PARENT = 'parent'
FORMS = f'a column of a csv, {PARENT!r}, or a regular expression with one group such as "(person[0-9]+)"'


def name_groups(videos: Sequence[Video], group_by: str) -> list[Video]:
    """Give each video its group.

    Args:
        videos (sequence): Of one source.
        group_by (str): A column of a csv; or ``'parent'``, the folder inside that of the class; or a regular expression
            with one group, which is looked for in the path from the source on, such as ``run/p01_morning.mp4``.

    Raises:
        UserError: It is none of these, or some videos get no group by it.
    """
    if any(group_by in video.columns for video in videos):
        names = [video.columns.get(group_by, '') for video in videos]
        lack = 'an empty cell in that column'
    elif group_by == PARENT:
        names = [video.parent for video in videos]
        lack = 'no folder between it and that of its class'
    else:
        pattern = _compile(group_by, videos)
        names = [match[1] or '' if (match := pattern.search(video.name)) else '' for video in videos]
        lack = 'a path that it does not match'
    without = [video.name for video, name in zip(videos, names) if not name]
    if without:
        raise UserError(
            f'--group-by {group_by!r} gives no group to {len(without)} of {len(videos)} videos, such as '
            f'{without[0]!r}: that has {lack}'
        )
    return [replace(video, group=name) for video, name in zip(videos, names)]


def join_groups(videos: Sequence[Video], pairs: Sequence[tuple[Path, Path]]) -> list[list[int]]:
    """Join videos that stay together: those of a group, of a pair of near-duplicates, and of the same file.

    Args:
        videos (sequence): All videos.
        pairs (sequence): Near-duplicates, by their paths.

    Returns:
        list: Places in ``videos`` that stay together, each place once.
    """
    leader = list(range(len(videos)))

    def find(place: int) -> int:
        while leader[place] != place:
            leader[place] = place = leader[leader[place]]
        return place

    first: dict[Path | str, int] = {}
    for place, video in enumerate(videos):
        for key in (video.path, video.group):
            if key:
                leader[find(place)] = find(first.setdefault(key, place))
    for one, other in pairs:
        leader[find(first[other])] = find(first[one])
    joined: dict[int, list[int]] = {}
    for place in range(len(videos)):
        joined.setdefault(find(place), []).append(place)
    return list(joined.values())


def _compile(group_by: str, videos: Sequence[Video]) -> re.Pattern:
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise UserError(f'--group-by {group_by!r} is no regular expression: {error}; it must be {FORMS}') from None
    if pattern.groups != 1:
        columns = list(dict.fromkeys(column for video in videos for column in video.columns))
        known = f'; the columns are {", ".join(columns)}' if columns else ''
        raise UserError(
            f'--group-by {group_by!r} is no column, and a regular expression of {pattern.groups} groups; it must be '
            f'{FORMS}{known}'
        )
    if not any(pattern.search(video.name) for video in videos):
        raise UserError(f'--group-by {group_by!r} matches no path, such as {videos[0].name!r}')
    return pattern
