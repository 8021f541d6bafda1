"""Videos that are left out: those that cannot be read, and copies."""

import hashlib
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.progress import track

from mmdualformer.video import files, open_video
from mmdualformer.video.isolation import map_isolated

from ..decoding import READING_LIMIT
from .fingerprints import fingerprint
from .sources import OwnVideos, need_every_class
from .videos import Video

COPY_ORDER = ('test', 'val', '', 'train')  # of a copy in training and in testing, that in training is left out


@dataclass(frozen=True)
class Readable:
    """What reading videos told.

    Attributes:
        found (OwnVideos): The videos that can be read.
        unreadable (dict): Why each of the others cannot be.
        damaged (dict): What is damaged of some that can.
        fingerprints (dict): Of each, see :func:`~.fingerprints.fingerprint`.
        durations (dict): Seconds of each.
    """

    found: OwnVideos
    unreadable: dict[Path, str]
    damaged: dict[Path, str]
    fingerprints: dict[Path, np.ndarray]
    durations: dict[Path, float]


def leave_out_unreadable(found: OwnVideos, workers: int, damaged: str = 'use') -> Readable:
    """Leave out the videos that no decoder reads, also those that crash one, or never end.

    Args:
        found (OwnVideos): All videos.
        workers (int): Processes that read them.
        damaged (str): Whether videos that are damaged, as far as their packets and some frames tell, are read as far
            as they can be (``'use'``) or left out too (``'refuse'``). Defaults to ``'use'``.

    Raises:
        UserError: No video of a class can be read.
    """
    paths = list(dict.fromkeys(video.path for video in found.videos))
    unreadable, damages, fingerprints, durations = {}, {}, {}, {}
    with closing(map_isolated(_read, paths, workers, READING_LIMIT)) as outcomes:
        for path, result, error in track(outcomes, 'reading the videos', total=len(paths)):
            if error or result is None:
                unreadable[path] = getattr(error, 'reason', None) or str(error)
                continue
            damage, fingerprints[path], durations[path] = result
            if damage:
                damages[path] = damage
    if damaged == 'refuse':
        unreadable.update({path: f'damaged: {damage}' for path, damage in damages.items()})
        damages = {}
    readable = [video for video in found.videos if video.path not in unreadable]
    # videos are read in any order, and reported in that of the source
    unreadable, damages = ({path: why[path] for path in paths if path in why} for why in (unreadable, damages))
    first = next((f', for one {path}: {reason}' for path, reason in unreadable.items()), '')
    need_every_class(found.classes, readable, f'no video that can be read{first}')
    prints = {path: fingerprints[path] for path in paths if path not in unreadable}
    lengths = {path: durations[path] for path in prints}
    return Readable(replace(found, videos=readable), unreadable, damages, prints, lengths)


def leave_out_copies(found: OwnVideos) -> tuple[OwnVideos, dict[Path, Path], list[str]]:
    """Leave out copies of the same labels, which could be in training and in testing, and find those of others.

    Args:
        found (OwnVideos): All videos.

    Returns:
        tuple: Each content of the same labels once, what each of the others is a copy of, and a line for each content
        that has several labels.
    """
    sizes = {video.path: sum(file.stat().st_size for file in _files_of(video.path)) for video in found.videos}
    times = Counter(sizes.values())
    contents: dict[Path | bytes, dict[tuple, Video]] = defaultdict(dict)
    copies = {}
    for video in sorted(found.videos, key=lambda video: COPY_ORDER.index(video.split)):
        content = video.path if times[sizes[video.path]] == 1 else _digest(video.path)
        first = contents[content].setdefault(video.labels, video)
        if first is not video:
            copies[video.path] = first.path
    shared = [
        ', '.join(
            f'{video.path} ({"|".join(found.classes[label] for label in labels)})' for labels, video in places.items()
        )
        for places in contents.values()
        if len(places) > 1
    ]
    kept = {id(video) for places in contents.values() for video in places.values()}
    return replace(found, videos=[video for video in found.videos if id(video) in kept]), copies, shared


def _files_of(video: Path) -> list[Path]:
    return [video / name for name in files.list_frames(video)] if video.is_dir() else [video]


def _digest(video: Path) -> bytes:
    digest = hashlib.sha256()
    for path in _files_of(video):
        with open(path, 'rb') as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.digest()


def _read(path: Path) -> tuple[str, np.ndarray, float]:
    """Read a video at its start, in its middle and at its end: what is damaged of it, its fingerprint, and seconds."""
    with open_video(str(path), READING_LIMIT) as video:
        small = fingerprint(video)
        return video.damage, small, video.duration
