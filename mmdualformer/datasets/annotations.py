"""MMAction2's lists of videos: a line is ``video label [label ...]``, or ``folder frames label [label ...]``.

White space around a line and a mark at the start of the file are nothing, so are empty lines, and lines that are ``#``
or start with ``#`` and white space. A line ends with ``\\n``, ``\\r\\n`` or ``\\r``, and with no other character.
A delimiter of one space stands for any number of spaces and tabs. Numbers are read from the right, so that a path may
hold the delimiter; one that ends in numbers, or looks like a comment, is in double quotes, and a quote in it doubled.
"""

import os
import os.path as osp
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from mmengine import fileio

from mmdualformer.errors import UserError

COMMENT = re.compile(r'#+([ \t]|$)')
QUOTED = re.compile(r'"((?:[^"]|"")*)"(.*)', re.DOTALL)
INTEGER = '-?[0-9]{1,18}'  # of 64 bits
BLANK = ' \t'


class Sample(NamedTuple):
    """A line of a list.

    Attributes:
        video (str): The path, under the prefix of the list.
        labels (list): Integers, none where the line has none.
        frames (tuple): Of a list of frame folders, where the video starts and how many frames it has; otherwise None.
    """

    video: str
    labels: list[int]
    frames: tuple[int, int] | None = None


def read_list(
    ann_file: str,
    prefix: str = '',
    delimiter: str = ' ',
    multi_class: bool = False,
    rawframes: bool | None = None,
    with_offset: bool = False,
    need_labels: bool = True,
    num_classes: int | None = None,
    setting: str = 'num_classes',
) -> Iterator[Sample]:
    """Read a list of videos, line by line, for a data set as for the check before it.

    Args:
        ann_file (str): The list.
        prefix (str): What paths that are not absolute start from. Defaults to ``''``.
        delimiter (str): What parts a line. Defaults to ``' '``, any spaces and tabs.
        multi_class (bool): Whether all integers at the end of a line are labels, rather than the last. Defaults to
            False.
        rawframes (bool, optional): Whether lines are ``folder frames label``, as for ``RawframeDataset``. Defaults to
            None, no, but a first line that may be either is refused.
        with_offset (bool): Whether such lines are ``folder offset frames label``. Defaults to False.
        need_labels (bool): Whether each line must have a label. Defaults to True.
        num_classes (int, optional): What labels must be below. Defaults to None, not checked.
        setting (str): What sets ``num_classes``, for messages. Defaults to ``'num_classes'``.

    Raises:
        UserError: The list is empty or no UTF-8, or a line has a NUL, lacks a label, has several or one of no class,
            or gives a video another label than a line before. The message names the line.
    """
    counts = (1 + with_offset) * bool(rawframes)  # numbers before the labels
    valid = f'a number of 0 to {num_classes - 1} ({setting}={num_classes})' if num_classes else 'a whole number'
    form = f'a folder, {"its first frame, " * with_offset}its number of frames' if rawframes else 'a video'
    patterns = _patterns(delimiter)
    most = None if multi_class else counts + 1
    here = '' if osp.isabs(prefix) or '://' in prefix else osp.join(os.getcwd(), '')
    first: dict[object, tuple[int, ...]] = {}  # the line and the labels of each video
    for number, line in _iterate_lines(ann_file):
        video, numbers = _split(line, patterns, most)
        labels = numbers[counts:]
        frames = (numbers[0] * with_offset, numbers[counts - 1]) if counts and len(numbers) >= counts else None
        no_frames = counts and (not frames or frames[0] < 0 or frames[1] < 1)
        if not video or no_frames or (need_labels and not labels):
            raise UserError(f'{ann_file} line {number}: {shorten(repr(line))} must be {form} and its label, {valid}')
        if len(labels) > 1 and not multi_class:
            raise UserError(f'{ann_file} line {number}: {shorten(repr(line))} must have one label (multi_class=False)')
        for label in labels:
            if num_classes and not 0 <= label < num_classes:
                raise UserError(f'{ann_file} line {number}: label {str(label)!r} must be {valid}')
        if not first and rawframes is None:
            _refuse_either(ann_file, number, prefix, video, labels, patterns)

        video = osp.join(prefix, video)
        place = here + video if here and not osp.isabs(video) else video
        if './' in place or '//' in place or place[-1] == '/':
            place = osp.normpath(place)
        before = first.setdefault((place, frames) if counts else place, (number, *labels))
        if before[0] < number and set(before[1:]) != set(labels):
            raise UserError(
                f'{ann_file} line {number}: {video!r} has {_say(labels)}, but in line {before[0]} {_say(before[1:])}'
            )
        yield Sample(video, labels, frames)
    if not first:
        raise UserError(f'{ann_file} is empty; it must have a "video label" line for each video')


def read_names(path: str | Path) -> list[str]:
    """Read a file with the name of a class a line.

    Raises:
        UserError: It is no UTF-8.
    """
    lines = read_lines(path)
    return lines[:-1] if not lines[-1] else lines


def read_lines(path: str | Path) -> list[str]:
    """Read the lines of a text, the last of which is empty where the text ends with a line break.

    Raises:
        UserError: See :func:`read_text`.
    """
    return read_text(path).replace('\r\n', '\n').replace('\r', '\n').split('\n')


def read_text(path: str | Path) -> str:
    """Read a text.

    Raises:
        UserError: It is no UTF-8 or has a NUL; the message names the line.
    """
    try:
        return decode(fileio.get(str(path)))
    except IsADirectoryError:
        raise UserError(f'{path} is a folder') from None
    except ValueError as error:
        raise UserError(f'{path} {error}') from None


def decode(content: bytes) -> str:
    """Decode UTF-8, with or without a mark at its start.

    Raises:
        ValueError: It is none, or has a NUL; the message is the line and the reason.
    """
    try:
        text = content.decode('utf-8-sig')
        place = content.find(b'\0')
        fault = 'a NUL'
    except UnicodeDecodeError as error:
        place = error.start + len(content) - len(error.object)
        fault = f'byte 0x{content[place]:02x}, which is no UTF-8'
    if place >= 0:
        line = 1 + len(re.findall(b'\r\n|\r|\n', content[:place]))
        raise ValueError(f'line {line}: {fault}')
    return text


def parse_line(line: str, delimiter: str = ' ', multi_class: bool = False) -> tuple[str, list[int]]:
    """Read a line that is no comment.

    Args:
        line (str): The line.
        delimiter (str): What parts it. Defaults to ``' '``, any spaces and tabs.
        multi_class (bool): Whether all integers at its end are labels, rather than the last. Defaults to False.

    Returns:
        tuple: The video's path, and its labels, none where the line does not end in an integer.
    """
    return _split(line.strip(BLANK), _patterns(delimiter), None if multi_class else 1)


def format_line(video: str, labels: list[int], delimiter: str = ' ') -> str:
    """Write a line that :func:`read_list` and :func:`parse_line` read, in quotes only where it must be.

    Raises:
        UserError: See :func:`check_name`.
    """
    check_name(video)
    line = delimiter.join([video, *map(str, labels)])
    if COMMENT.match(line) or parse_line(line, delimiter, multi_class=True) != (video, labels):
        quoted = video.replace('"', '""')
        line = delimiter.join([f'"{quoted}"', *map(str, labels)])
    return line


def check_name(name: str) -> None:
    """Check that a list can hold the name of a video or of a class.

    Raises:
        UserError: It is empty, has a line break or a NUL, or is no UTF-8.
    """
    if not name or re.search('[\n\r\0]', name) or name != name.encode(errors='replace').decode():
        raise UserError(f'{name!r} is empty, has a line break or is no UTF-8, and cannot be in a list; rename it')


def shorten(text: str) -> str:
    """Cut what a message quotes where it would be no line to read."""
    return text if len(text) < 200 else f'{text[:200]}...'


def _iterate_lines(ann_file: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, and their numbers."""
    try:
        lines = read_lines(ann_file)
    except UserError as error:
        raise UserError(f'{error}; this is no list of "video label" lines') from None
    for number, line in enumerate(lines, 1):
        line = line.strip(BLANK)
        if line and not (line[0] == '#' and COMMENT.match(line)):
            yield number, line


def _split(line: str, patterns: tuple[re.Pattern, re.Pattern], most: int | None) -> tuple[str, list[int]]:
    """Part a path and the integers after it, at most so many where the path is not in quotes."""
    before, numbers = patterns
    if line[:1] == '"' and (quoted := QUOTED.fullmatch(line)) and numbers.fullmatch(quoted[2]):
        return quoted[1].replace('""', '"'), [int(number) for number in re.findall(INTEGER, quoted[2])]
    found: list[int] = []
    while len(found) != most and (match := before.fullmatch(line)):
        line = match[1]
        found.append(int(match[2]))
    return line, found[::-1]


@lru_cache
def _patterns(delimiter: str) -> tuple[re.Pattern, re.Pattern]:
    """Patterns of what ends in an integer, and of integers after a path in quotes."""
    between = '[ \t]+' if delimiter == ' ' else f'[ \t]*{re.escape(delimiter)}[ \t]*'
    return (re.compile(f'(.*[^ \t]){between}({INTEGER})', re.DOTALL), re.compile(f'({between}{INTEGER})*'))


def _refuse_either(ann_file: str, number: int, prefix: str, video: str, labels: list[int], patterns: tuple) -> None:
    """Refuse a line whose path is a folder and that may tell how many frames are in it."""
    folder, frames = _split(video, patterns, 1)
    if frames and not osp.exists(osp.join(prefix, video)) and osp.isdir(osp.join(prefix, folder)):
        labels = [*frames, *labels]
    else:
        folder = video
    if len(labels) > 1 and osp.isdir(osp.join(prefix, folder)):
        raise UserError(
            f'{ann_file} line {number}: {folder!r} is a folder, so {labels[0]} may be its number of frames '
            'or a label; set rawframes=True or rawframes=False'
        )


def _say(labels: Iterable[int]) -> str:
    return f'label {" ".join(map(str, labels))}' if labels else 'none'
