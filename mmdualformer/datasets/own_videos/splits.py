"""Own videos, split into those to train on and those to test on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..annotations import format_line
from .sources import OwnVideos, Video


def split(found: OwnVideos, val_share: float, seed: int = 0) -> tuple[list[Video], list[Video]]:
    """Split videos into training and validation, each class by itself.

    Args:
        found (OwnVideos): All videos.
        val_share (float): Share of a class that validates, at least one video of each class that has two.
        seed (int): Draws the split. Defaults to 0.

    Returns:
        tuple: Training and validation videos.
    """
    rng = np.random.default_rng(seed)
    train, val = [], []
    for label in range(len(found.classes)):
        videos = [video for video in found.videos if video[1] == label]
        rng.shuffle(videos)
        count = 0 if len(videos) == 1 else min(max(round(val_share * len(videos)), 1), len(videos) - 1)
        val += [(path, label) for path, _ in videos[:count]]
        train += [(path, label) for path, _ in videos[count:]]
    return train, val


def write_training_lists(root: Path, classes: Sequence[str], train: Sequence[Video], val: Sequence[Video]) -> None:
    """Write ``train.txt``, ``val.txt`` and ``label_map.txt`` into a folder."""
    root.mkdir(parents=True, exist_ok=True)
    for name, videos in (('train', train), ('val', val)):
        lines = (format_line(str(Path(path).absolute()), [label]) + '\n' for path, label in videos)
        (root / f'{name}.txt').write_text(''.join(lines), encoding='utf-8')
    (root / 'label_map.txt').write_text(''.join(f'{name}\n' for name in classes), encoding='utf-8')
