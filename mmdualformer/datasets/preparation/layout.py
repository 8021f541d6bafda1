"""What the readers of the data sets share: finding what is there, and telling it from what is missing."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmdualformer.errors import UserError
from mmdualformer.video.files import VIDEO_SUFFIXES


@dataclass
class Split:
    """The videos of a list.

    Attributes:
        name (str): The list's, in MMAction2's words: ``'train_list'`` or ``'val_split_1'``.
        folder (str): Where MMAction2 looks for the videos, under the data set's folder.
        source (Path): Where they are.
        samples (list): Those that are there: ``(path under the folder, labels)``.
        missing (list): The paths of the others.
    """
    name: str
    folder: str
    source: Path
    samples: list[tuple[str, list[int]]]
    missing: list[str]


def make_split(name: str, folder: str, source: Path, annotated: Iterable[tuple[str, list[int]]]) -> Split:
    """Part the annotated videos of a list in those that are there and those that are missing.

    Args:
        name (str): See :class:`Split`, as the next two.
        folder (str): Likewise.
        source (Path): Likewise.
        annotated (iterable): ``(path under the folder, labels)`` of each.

    Raises:
        UserError: Not one is there.
    """
    samples, missing = [], []
    for video, labels in annotated:
        if (source / video).is_file():
            samples.append((video, labels))
        else:
            missing.append(video)
    if not samples:
        raise UserError(f'{source} has none of the {len(missing)} videos of {name}'
                        + (f', such as {missing[0]}' if missing else ''))
    return Split(name, folder, source, samples, missing)


def locate(root: Path, *names: str) -> Path:
    """Find the first of several files or folders that is there.

    Raises:
        UserError: None is.
    """
    for name in names:
        if (root / name).exists():
            return root / name
    raise UserError(f'{root} has no {" or ".join(names)}')


def index_videos(folder: Path) -> dict[str, str]:
    """Map the names of all videos in a folder and its folders, without suffix, to their paths under it."""
    videos = {}
    for parent, _, files in os.walk(folder, followlinks=True):
        for name in files:
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in VIDEO_SUFFIXES:
                videos[stem] = os.path.relpath(os.path.join(parent, name), folder)
    return videos


def link_folders(root: Path, splits: Iterable[Split]) -> None:
    """Make a relative link where MMAction2 looks for a folder that its owners name otherwise.

    Raises:
        UserError: Something else is in the place of a link.
    """
    for folder, source in {split.folder: split.source for split in splits}.items():
        link = root / folder
        if link.exists():
            continue
        if link.is_symlink():
            raise UserError(f'{link} links to {os.readlink(link)}, which does not exist; remove it')
        link.symlink_to(os.path.relpath(source, link.parent), target_is_directory=True)
