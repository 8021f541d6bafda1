"""The lists that a training reads, and what a report says of the data."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmdualformer.files import write_atomically

from ..annotations import format_line
from .videos import Video


def write_training_lists(
    root: Path,
    classes: Sequence[str],
    train: Sequence[Video],
    val: Sequence[Video],
    test: Sequence[Video] | None = None,
) -> None:
    """Write ``train.txt``, ``val.txt``, ``test.txt`` and ``label_map.txt`` into a folder.

    Args:
        root (Path): The folder, which is made.
        classes (sequence): Names, in the order of their labels.
        train (sequence): Videos to train on.
        val (sequence): Videos to validate on.
        test (sequence, optional): Videos to test on. Defaults to None, those to validate on.
    """
    for name, videos in (('train', train), ('val', val), ('test', val if test is None else test)):
        _write(root / f'{name}.txt', [format_line(str(v.path.absolute()), list(v.labels)) for v in videos])
    _write(root / 'label_map.txt', classes)


def write_data_json(root: Path, content: Mapping) -> None:
    """Write what is known of the data as ``data.json`` into a folder."""
    with write_atomically(root / 'data.json') as partial:
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')


def count_classes(classes: Sequence[str], videos: Sequence[Video]) -> list[int]:
    """Count the videos of each class."""
    return [sum(label in video.labels for video in videos) for label in range(len(classes))]


def _write(path: Path, lines: Sequence[str]) -> None:
    with write_atomically(path) as partial:
        partial.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')
