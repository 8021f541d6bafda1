"""A user's own videos, found in a folder a class or in a csv."""

import csv
import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmdualformer.errors import UserError
from mmdualformer.video import files

from ..annotations import check_name, decode

SPLITS = ('eval', 'test', 'testing', 'train', 'training', 'val', 'valid', 'validation')

Video = tuple[Path, int]  # file, or folder of numbered images, and label


@dataclass(frozen=True)
class OwnVideos:
    """Videos and what they show.

    Attributes:
        classes (list): Names, in the order of their labels.
        videos (list): Files, or folders of numbered images, and labels.
        left_out (Counter): How many other files of each kind there are.
    """

    classes: list[str]
    videos: list[Video]
    left_out: Counter[str] = field(default_factory=Counter, compare=False)


def find_videos(source: Path) -> OwnVideos:
    """Find videos in a folder with one sub-folder a class, or in a csv of ``path,label`` lines.

    Args:
        source (Path): The folder or csv. Paths in a csv start from its own folder; labels are names, or 0 to N - 1.

    Raises:
        UserError: There are fewer than two classes, a class has no video, the sub-folders are splits such as train and
            val, a name has a line break or is no UTF-8, or a csv is no UTF-8, has a row without a path or label, names
            a file that does not exist, gives one two labels, or has labels of other numbers, such as those that start
            at 1.
    """
    left_out: Counter[str] = Counter()
    if source.is_dir():
        folders = sorted(path for path in source.iterdir() if path.is_dir() and files.is_shown(path.name))
        classes = [folder.name for folder in folders]
        videos = []
        for label, folder in enumerate(folders):
            found = files.find_videos(folder)
            videos += [(path, label) for path in found.videos]
            left_out += found.left_out
        outside = sum(path.suffix.lower() in files.VIDEO_SUFFIXES and path.is_file() for path in source.iterdir())
        left_out += Counter({'videos outside the sub-folders': outside})
        _refuse_splits(source, folders, {path for path, _ in videos})
    elif source.is_file():
        classes, videos = _read_csv(source)
    else:
        raise UserError(f'{str(source)!r} does not exist; give a folder with one sub-folder a class, or a csv')
    if len(classes) < 2:
        form = 'one sub-folder each' if source.is_dir() else 'as the labels of its path,label rows'
        raise UserError(
            f'{str(source)!r} has {len(classes)} classes ({", ".join(classes) or "none"}); it must have at '
            f'least two, {form}'
        )
    need_every_class(
        classes,
        videos,
        'no video; known are the endings '
        + ' '.join(files.VIDEO_SUFFIXES)
        + ', and folders of images that differ in their number only',
    )
    for name in (*classes, *(str(path.absolute()) for path, _ in videos)):
        check_name(name)
    return OwnVideos(classes, videos, left_out)


def _refuse_splits(source: Path, folders: Sequence[Path], videos: set[Path]) -> None:
    """Refuse splits, which have a folder of each class in them, in the place of classes."""
    names = [folder.name for folder in folders]
    within = [{path.name for path in folder.iterdir() if path.is_dir() and path not in videos} for folder in folders]
    same_classes = len(within) > 1 and len(within[0]) > 1 and all(classes == within[0] for classes in within)
    if same_classes or (names and all(name.lower().rpartition('_')[2] in SPLITS for name in names)):
        raise UserError(
            f'{str(source)!r} has the sub-folders {", ".join(names)}, which are splits and no classes; '
            'give a folder with one sub-folder a class, or a csv, and a part of each class is set aside to '
            'test'
        )


def _read_csv(source: Path) -> tuple[list[str], list[Video]]:
    try:
        reader = csv.reader(io.StringIO(decode(source.read_bytes()), newline=''))
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except (ValueError, csv.Error) as error:
        raise UserError(f'{str(source)!r} is no csv in UTF-8: {error}') from None
    if rows and not os.path.exists(source.parent / rows[0][1][0]) and rows[0][1][1:2] in (['label'], ['class']):
        rows = rows[1:]
    first: dict[Path, tuple[int, str]] = {}  # the row of each video
    for line, row in rows:
        if len(row) != 2 or not all(row):
            raise UserError(f'{source} line {line}: {",".join(row)!r} must be path,label')
        path, label = source.parent / row[0], row[1]
        if not os.path.exists(path):
            raise UserError(f'{source} line {line}: there is no {path}')
        line_before, label_before = first.setdefault(path, (line, label))
        if label != label_before:
            raise UserError(
                f'{source} line {line}: {row[0]!r} is of {label!r}, but of {label_before!r} in line {line_before}'
            )
    labels = {label for _, (_, label) in rows}
    if all(label.isdecimal() for label in labels):
        classes = [str(label) for label in range(len(labels))]
        if labels != set(classes):
            numbers = sorted(map(int, labels))
            raise UserError(
                f'{source} has labels of {numbers[0]} to {numbers[-1]}; as numbers they must be 0 to '
                f'{len(labels) - 1}, without a gap'
            )
    else:
        classes = sorted(labels)
    return classes, [(source.parent / path, classes.index(label)) for _, (path, label) in rows]


def need_every_class(classes: Sequence[str], videos: Sequence[Video], reason: str) -> None:
    labels = {label for _, label in videos}
    empty = [name for label, name in enumerate(classes) if label not in labels]
    if empty:
        raise UserError(f'class {empty[0]!r} has {reason}')
