"""What the readers of the data sets share: finding what is there, and telling it from what is missing."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeVar

from mmdualformer.datasets.annotations import check_name, read_text, shorten
from mmdualformer.errors import UserError
from mmdualformer.video.files import find_videos

Content = TypeVar('Content', list, dict)


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
        UserError: Not one is there, a path leads out of the folder or cannot be in a list, or one has different labels.
    """
    samples, missing = [], []
    known: dict[str, list[int]] = {}
    for video, labels in annotated:
        check_name(video)
        if os.path.isabs(video) or '..' in video.split('/'):
            raise UserError(f'{video!r} of {name} leads out of {source}, where its videos are')
        if known.setdefault(video, labels) != labels:
            raise UserError(f'{video!r} is in {name} with the labels {known[video]} and {labels}')
        if os.path.isfile(source / video):
            samples.append((video, labels))
        else:
            missing.append(video)
    if not samples:
        raise UserError(
            f'{source} has none of the {len(missing)} videos of {name}' + (f', such as {missing[0]}' if missing else '')
        )
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
    return {path.stem: path.relative_to(folder).as_posix() for path in find_videos(folder).videos}


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the rows of a csv, each after the words for its place.

    Raises:
        UserError: It is no csv in UTF-8, or lacks a column.
    """
    reader = csv.DictReader(io.StringIO(read_text(path), newline=''))
    try:
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise UserError(f'{path} has no column {missing[0]!r}')
        for row in reader:
            yield f'{path} line {reader.line_num}', row
    except csv.Error as error:
        raise UserError(f'{path} after line {reader.line_num}: {error}') from None


def read_json(path: Path, kind: type[Content]) -> Content:
    """Read a list or a dict.

    Raises:
        UserError: The file is none.
    """
    text = read_text(path)
    try:
        content = json.loads(text)
    except (RecursionError, ValueError) as error:
        raise UserError(f'{path} is no JSON: {error}') from None
    if not isinstance(content, kind):
        raise UserError(f'{path} must be a {kind.__name__} in JSON')
    return content


@contextmanager
def reading(place: str, entry: object, form: str) -> Iterator[None]:
    """Say in one line which entry of the owners' files is not what it must be.

    Args:
        place (str): Where it is.
        entry (object): What it is.
        form (str): What it must be.

    Raises:
        UserError: Something in the context raised what a wrong entry raises.
    """
    try:
        yield
    except UserError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        raise UserError(f'{place}: {shorten(repr(entry))} must be {form}') from None


def check_label(label: int, classes: Sequence[str]) -> int:
    """Return a label that is one of the classes.

    Raises:
        ValueError: It is none.
    """
    if type(label) is not int or not 0 <= label < len(classes):
        raise ValueError(label)
    return label


def check_inside(root: Path, path: Path) -> None:
    """Check that what is written to a path ends up in a folder, whatever is a link.

    Raises:
        UserError: It does not.
    """
    goal = Path(os.path.realpath(path))
    if not goal.is_relative_to(os.path.realpath(root)):
        raise UserError(f'{path} is {goal}, out of {root}, where alone is written to; remove the link')


def check_targets(out: Path, splits: Iterable[Split]) -> None:
    """Check that videos that are written to a folder, in the layout of a data set, end up in it.

    Raises:
        UserError: One does not.
    """
    for folder in {out / split.folder / PurePath(video).parent for split in splits for video, _ in split.samples}:
        check_inside(out, folder)


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
