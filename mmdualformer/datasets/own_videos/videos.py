"""One video of a user's own: where it is, what it shows, and what else its source says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SPLITS = {
    'train': 'train',
    'training': 'train',
    'val': 'val',
    'valid': 'val',
    'validation': 'val',
    'validate': 'val',
    'dev': 'val',
    'eval': 'val',
    'test': 'test',
    'testing': 'test',
}


@dataclass(frozen=True)
class Video:
    """A video and what its source says of it.

    Attributes:
        path (Path): The file, or the folder of numbered images.
        labels (tuple): Its classes, none where it shows none of them: names as its source has them, and from
            :func:`~.sources.find_videos` on their numbers, rising.
        name (str): Its path in its source, with ``/``: what is the same on every machine.
        parent (str): The folder it is in, inside its class; ``''`` for none.
        split (str): ``'train'``, ``'val'`` or ``'test'`` where the source says it, ``''`` where it is to be drawn.
        group (str): What it is kept together with, see :func:`~.grouping.name_groups`; ``''`` for nothing.
        columns (Mapping): The cells of its row in a table, by the names of their columns.
    """

    path: Path
    labels: tuple
    name: str = ''
    parent: str = ''
    split: str = ''
    group: str = ''
    columns: Mapping[str, str] = field(default_factory=dict, compare=False)


def split_named(name: str) -> str:
    """The split that a folder or a cell names, such as ``'val'`` for ``'Validation'``; ``''`` if it names none."""
    return SPLITS.get(name.strip().lower(), '')
