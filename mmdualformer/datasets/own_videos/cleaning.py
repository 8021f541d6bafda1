"""Videos that are left out: those that cannot be read, and copies."""

import hashlib
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from rich.progress import track

from mmdualformer.video import files, open_video
from mmdualformer.video.isolation import map_isolated

from ..decoding import READING_LIMIT
from .sources import OwnVideos, need_every_class


def leave_out_unreadable(
    found: OwnVideos, workers: int, damaged: str = 'use'
) -> tuple[OwnVideos, list[str], list[str]]:
    """Leave out the videos that no decoder reads, also those that crash one, or never end.

    Args:
        found (OwnVideos): All videos.
        workers (int): Processes that read them.
        damaged (str): Whether videos that are damaged, as far as their packets and three frames tell, are read as far
            as they can be (``'use'``) or left out too (``'refuse'``). Defaults to ``'use'``.

    Returns:
        tuple: The readable ones, a line for each of the others, and a line for each damaged one that stays.

    Raises:
        UserError: No video of a class can be read.
    """
    paths = list(dict.fromkeys(path for path, _ in found.videos))
    with closing(map_isolated(_read, paths, workers, READING_LIMIT)) as outcomes:
        unreadable, damages = {}, {}
        for path, damage, error in track(outcomes, 'reading the videos', total=len(paths)):
            if error:
                unreadable[path] = getattr(error, 'reason', None) or str(error)
            elif damage:
                damages[path] = damage
    if damaged == 'refuse':
        unreadable.update({path: f'damaged: {damage}' for path, damage in damages.items()})
        damages = {}
    readable = [video for video in found.videos if video[0] not in unreadable]
    lines, kept = (
        [f'{path}: {reasons[path]}' for path in paths if path in reasons] for reasons in (unreadable, damages)
    )
    first = f', for one {lines[0]}' if lines else ''
    need_every_class(found.classes, readable, f'no video that can be read{first}')
    return replace(found, videos=readable), lines, kept


def leave_out_copies(found: OwnVideos) -> tuple[OwnVideos, list[str]]:
    """Leave out copies within a class, which could be in training and in testing, and find those of other classes.

    Args:
        found (OwnVideos): All videos.

    Returns:
        tuple: Each content of a class once, and a line for each content that is in several classes.
    """
    sizes = {path: sum(file.stat().st_size for file in _files_of(path)) for path, _ in found.videos}
    times = Counter(sizes.values())
    copies: dict[Path | bytes, dict[int, Path]] = defaultdict(dict)  # content -> label -> file
    for path, label in found.videos:
        copies[path if times[sizes[path]] == 1 else _digest(path)].setdefault(label, path)
    kept = [(path, label) for places in copies.values() for label, path in places.items()]
    shared = [
        ', '.join(f'{path} ({found.classes[label]})' for label, path in places.items())
        for places in copies.values()
        if len(places) > 1
    ]
    return replace(found, videos=kept), shared


def _files_of(video: Path) -> list[Path]:
    return [video / name for name in files.list_frames(video)] if video.is_dir() else [video]


def _digest(video: Path) -> bytes:
    digest = hashlib.sha256()
    for path in _files_of(video):
        with open(path, 'rb') as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.digest()


def _read(path: Path) -> str:
    """Read the first, the middle and the last frame of a video, and return what is found to be damaged."""
    with open_video(str(path), READING_LIMIT) as video:
        last = len(video) - 1
        video.get_frames([0, last // 2, last])
        return video.damage
