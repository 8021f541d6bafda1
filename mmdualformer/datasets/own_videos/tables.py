"""Tables of videos: a csv with or without a header, or a list of ``path label`` lines as MMAction2 has."""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from mmdualformer.errors import UserError
from mmdualformer.video import VideoError, files

from ..annotations import COMMENT, decode, parse_line, read_list, read_names, shorten
from .videos import Video, split_named

PATHS = ('path', 'video', 'video_path', 'file', 'file_path', 'filepath', 'filename', 'file_name', 'clip')
LABELS = ('label', 'labels', 'class', 'class_name', 'category', 'action', 'target', 'label_name')
SUBSETS = ('split', 'subset', 'set')
NAMES = ('label_map.txt', 'classes.txt')  # files that name the classes of numbers
BETWEEN = '|'  # the labels of a video

Row = tuple[int, list[str]]  # its line, and its cells


def read_table(source: Path, known: bool = False, keep: str = '') -> tuple[list[str], list[Video]]:
    """Read a table of videos; its paths start from its own folder.

    Args:
        source (Path): A csv with commas, semicolons or tabs, or a list of ``path label`` lines.
        known (bool): Whether other videos tell the classes, so that this table may lack some. Defaults to False.
        keep (str): A column that is no class, where each class has a column of 0 and 1. Defaults to ``''``.

    Returns:
        tuple: The names of the classes in the order of their labels, and the videos.

    Raises:
        UserError: It is no UTF-8, it is not clear what a column is, or a row is wrong; the message names the line.
    """
    try:
        text = decode(source.read_bytes())
        if _is_list(source, text):
            entries = list(_read_list(source))
        else:
            entries = list(_read_csv(source, text, keep))
    except (ValueError, csv.Error) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f'{str(source)!r} is no csv in UTF-8: {error}') from None
    classes, names = _name_classes(source, [label for entry in entries for label in entry.labels], known)
    return classes, [replace(entry, labels=tuple(names[label] for label in entry.labels)) for entry in entries]


def _is_list(source: Path, text: str) -> bool:
    """Whether the first line is ``path label``, and not a row of a csv."""
    first = next((line for line in text.splitlines() if line.strip() and not COMMENT.match(line.strip())), '')
    if source.suffix.lower() != '.txt' and any(delimiter in first for delimiter in ',;\t'):
        return False
    return bool(parse_line(first)[1])


def _read_list(source: Path) -> Iterator[Video]:
    content = source.read_text(encoding='utf-8-sig')
    first = next(line for line in content.splitlines() if line.strip() and not COMMENT.match(line.strip()))
    for sample in read_list(str(source), str(source.parent), multi_class=True, rawframes=_counts_frames(source, first)):
        path = Path(sample.video)
        if not path.exists():
            raise UserError(f'{source}: there is no {path}')
        yield _entry(source, path, tuple(map(str, sample.labels)))


def _counts_frames(source: Path, line: str) -> bool:
    """Whether a line is ``folder frames label``: its first number is that of the images in the folder."""
    video, numbers = parse_line(line, multi_class=True)
    if len(numbers) < 2:
        return False
    try:
        return len(files.list_frames(source.parent / video)) == numbers[0]
    except VideoError:
        return False


def _read_csv(source: Path, text: str, keep: str) -> Iterator[Video]:
    rows = _parse(source, text)
    header = _header(source, rows[0][1]) if rows else None
    if header is None:
        parts = _without_header(source, rows)
    else:
        parts = _with_header(source, header, rows[1:], keep)
    first: dict[Path, tuple[int, Video]] = {}  # the row of each video
    for line, video, labels, subset, columns in parts:
        path = source.parent / video
        if not os.path.exists(path):
            raise UserError(f'{source} line {line}: there is no {path}')
        split = split_named(subset) if subset is not None else ''
        if subset is not None and not split:
            raise UserError(f'{source} line {line}: split {subset!r} must be train, val or test')
        entry = _entry(source, path, labels, split, columns)
        before, other = first.setdefault(path, (line, entry))
        if set(other.labels) != set(labels):
            raise UserError(
                f'{source} line {line}: {video!r} is of {BETWEEN.join(labels)!r}, but of '
                f'{BETWEEN.join(other.labels)!r} in line {before}; several labels of a video are one cell, as a|b'
            )
        if other.split != split:
            raise UserError(f'{source} line {line}: {video!r} is of {split}, but of {other.split} in line {before}')
        yield entry


def _entry(source: Path, path: Path, labels: tuple[str, ...], split: str = '', columns: dict | None = None) -> Video:
    place = PurePath(os.path.relpath(path, source.parent)) if not path.is_absolute() else path
    if path.is_absolute() and path.is_relative_to(source.parent.absolute()):
        place = path.relative_to(source.parent.absolute())
    return Video(path, labels, place.as_posix(), place.parent.name, split, columns=columns or {})


def _parse(source: Path, text: str) -> list[Row]:
    """Part rows at commas, semicolons or tabs, whichever makes a known header or an existing path of the first one."""
    first: list[str] = []
    best, delimiter = (False, 0), ','
    for candidate in ',;\t':
        first = next((row for row in csv.reader(io.StringIO(text, newline=''), delimiter=candidate) if row), [])
        cells = [cell.strip() for cell in first]
        says = len(cells) > 1 and (_column(cells, PATHS) != [] or any(_is_video(source, cell) for cell in cells))
        if len(cells) > 1 and (says, len(cells)) > best:
            best, delimiter = (says, len(cells)), candidate
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter)
    return [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]


def _is_video(source: Path, cell: str) -> bool:
    """Whether a cell is a video's path; a folder that is called as a column is none, unless it has numbered images."""
    try:
        files.check_regular(source.parent / cell)
    except VideoError:
        return False
    return True


def _column(header: Sequence[str], spellings: Sequence[str]) -> list[int]:
    """Where one of so many spellings stands, in any case, and with spaces or dashes too."""
    return [i for i, cell in enumerate(header) if cell.lower().replace(' ', '_').replace('-', '_') in spellings]


def _header(source: Path, cells: list[str]) -> list[str] | None:
    """The first row, if it is a header: it names a column of paths, and no video is called so."""
    columns = _column(cells, PATHS)
    return cells if columns and not any(_is_video(source, cells[column]) for column in columns) else None


def _without_header(source: Path, rows: list[Row]) -> Iterator[tuple]:
    for line, row in rows:
        if len(row) not in (2, 3) or not all(row) or (len(row) == 3 and not split_named(row[2])):
            form = 'path,label, or path,label,split' if len(row) != 2 else 'path,label'
            raise UserError(
                f'{source} line {line}: {shorten(repr(",".join(row)))} must be {form}; a header names other columns, '
                'such as path,label,person'
            )
        yield line, row[0], _labels(source, line, row[1]), row[2] if len(row) == 3 else None, {}


def _with_header(source: Path, header: list[str], rows: list[Row], keep: str) -> Iterator[tuple]:
    path = _one_column(source, header, PATHS, 'paths')
    subset = _one_column(source, header, SUBSETS, 'splits')
    label = _one_column(source, header, LABELS, 'labels')
    for line, row in rows:
        if len(row) != len(header):
            raise UserError(
                f'{source} line {line}: {shorten(repr(",".join(row)))} has {len(row)} cells, and the header '
                f'{len(header)}'
            )
    taken = {column for column in (path, subset) if column is not None}
    hot = [] if label is not None else _hot_columns(source, header, rows, taken, keep)
    for line, row in rows:
        if not row[path or 0] or (label is not None and not row[label]):
            raise UserError(
                f'{source} line {line}: {",".join(row)!r} must be {",".join(header)}, with a path and label'
            )
        if label is None:
            labels = tuple(header[column] for column in hot if row[column] == '1')
        else:
            labels = _labels(source, line, row[label])
        yield line, row[path or 0], labels, None if subset is None else row[subset], dict(zip(header, row))


def _one_column(source: Path, header: list[str], spellings: Sequence[str], content: str) -> int | None:
    columns = _column(header, spellings)
    names = [header[column] for column in columns]
    if len(columns) == 2 and 'label_name' in (lower := [name.lower() for name in names]):  # beside a number
        return columns[lower.index('label_name')]
    if len(columns) > 1:
        raise UserError(f'{source} line 1: {" and ".join(names)} may both be the column of {content}; keep one')
    return columns[0] if columns else None


def _labels(source: Path, line: int, cell: str) -> tuple[str, ...]:
    labels = tuple(dict.fromkeys(part.strip() for part in cell.split(BETWEEN)))
    if not all(labels):
        raise UserError(f'{source} line {line}: {cell!r} must be a label, or labels as a|b')
    return labels


def _hot_columns(source: Path, header: list[str], rows: list[Row], taken: set[int], keep: str) -> list[int]:
    """The columns of a class each, whose cells are 0 or 1."""
    hot = []
    for column, name in enumerate(header):
        others = [(line, row[column]) for line, row in rows if row[column] not in ('0', '1')]
        if column in taken or name == keep or 2 * len(others) >= max(len(rows), 1):
            continue
        if others:
            line, cell = others[0]
            raise UserError(f'{source} line {line}: {name} is {cell!r}, and must be 0 or 1 as in the other rows')
        hot.append(column)
    if not hot:
        raise UserError(
            f'{source} line 1: {",".join(header)!r} has no column of labels; it must have one of {", ".join(LABELS)}, '
            'or a column of 0 and 1 for each class'
        )
    return hot


def _name_classes(source: Path, labels: list[str], known: bool) -> tuple[list[str], dict[str, str]]:
    """The classes in the order of their numbers, and the class of each label."""
    found = dict.fromkeys(labels)
    own = {label: label for label in found}
    if not found or not all(label.isdecimal() for label in found):
        return sorted(found), own
    beside = next((path for name in NAMES if (path := source.with_name(name)).is_file()), None)
    if beside is not None:
        names = read_names(beside)
        if len(set(names)) < len(names) or not all(names):
            raise UserError(f'{beside} must have the name of another class in each line')
        largest = max(found, key=int)
        if int(largest) >= len(names):
            raise UserError(
                f'{source} has label {largest}, but {beside} names {len(names)} classes, 0 to {len(names) - 1}'
            )
        return names, {label: names[int(label)] for label in found}
    classes = [str(label) for label in range(len(found))]
    if set(found) != set(classes) and not known:
        numbers = sorted(map(int, found))
        raise UserError(
            f'{source} has labels of {numbers[0]} to {numbers[-1]}; as numbers they must be 0 to {len(found) - 1}, '
            f'without a gap, or a {NAMES[0]} beside it names the classes'
        )
    return (classes if not known else sorted(found)), own
