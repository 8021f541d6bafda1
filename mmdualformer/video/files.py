"""Which files are videos: found in folders by their endings, and opened only if no device is behind the name."""

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mmdualformer.errors import UserError

from .errors import VideoError

VIDEO_SUFFIXES = (
    '.264',
    '.3g2',
    '.3gp',
    '.amv',
    '.asf',
    '.avi',
    '.divx',
    '.dv',
    '.f4v',
    '.flv',
    '.gif',
    '.h264',
    '.h265',
    '.hevc',
    '.ivf',
    '.m1v',
    '.m2t',
    '.m2ts',
    '.m2v',
    '.m4v',
    '.mjpeg',
    '.mjpg',
    '.mkv',
    '.mov',
    '.mp4',
    '.mpe',
    '.mpeg',
    '.mpg',
    '.mts',
    '.mxf',
    '.ogg',
    '.ogm',
    '.ogv',
    '.qt',
    '.rm',
    '.rmvb',
    '.ts',
    '.vob',
    '.webm',
    '.wmv',
    '.wtv',
    '.y4m',
)
IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.webp')

SYSTEM_FILES = ('.ds_store', 'desktop.ini', 'thumbs.db')  # not worth a word
NUMBERED = re.compile(r'(.*?)([0-9]+)([^0-9]*)\.[^.]+', re.DOTALL)  # a name with its last number
FILE_TYPES = {
    stat.S_IFIFO: 'a named pipe',
    stat.S_IFSOCK: 'a socket',
    stat.S_IFCHR: 'a device',
    stat.S_IFBLK: 'a device',
}


@dataclass(frozen=True)
class Found:
    """What a folder holds.

    Attributes:
        videos (list): Video files, and folders of numbered images.
        left_out (Counter): How many other files of each kind there are.
    """

    videos: list[Path] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def find_videos(folder: str | Path) -> Found:
    """Find all videos in a folder and the folders in it, through links too.

    A video is a regular file with one of ``VIDEO_SUFFIXES`` in any case, or a folder whose files are at least two
    images that differ in their number only. They come in natural order, ``2.mp4`` before ``10.mp4``. A folder that
    several links lead to is looked into once, a hidden one never.

    Args:
        folder (str or Path): Where to look.
    """
    found = Found()
    for parent, names in _walk(folder, found.left_out):
        if _are_frames(names):
            found.videos.append(parent)
            continue
        for name in names:
            kind = _other_kind(parent / name)
            if kind:
                found.left_out[kind] += 1
            else:
                found.videos.append(parent / name)
    return found


def describe_left_out(left_out: Counter[str]) -> str:
    """Say in one line what a folder holds besides videos, the most frequent first; ``''`` for nothing."""
    kinds = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    return f'left out: {", ".join(f"{count:,} {kind}" for kind, count in kinds)}' if kinds else ''


def list_frames(folder: str | Path, filename_tmpl: str | None = None) -> list[str]:
    """List the images in a folder in the order of their numbers.

    Args:
        folder (str or Path): The folder.
        filename_tmpl (str, optional): Which images, such as ``img_{:05}.jpg``. Defaults to None, all, whose names may
            then differ in their last number only.

    Raises:
        VideoError: There are none, or their names do not tell the order.
        UserError: See :func:`frame_pattern`.
    """
    pattern = NUMBERED if filename_tmpl is None else frame_pattern(filename_tmpl)
    try:
        names = [name for name in os.listdir(folder) if name[0] != '.' and name.lower().endswith(IMAGE_SUFFIXES)]
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise unreadable(folder, getattr(error, 'strerror', None) or str(error)) from None
    matches = {name: match for name in names if (match := pattern.fullmatch(name))}
    if not matches:
        raise unreadable(folder, f'a folder without numbered images {filename_tmpl or " ".join(IMAGE_SUFFIXES)}')
    series = sorted({f'{match[1]}*{match[3]}' for match in matches.values()})
    if len(series) > 1:
        raise unreadable(
            folder,
            f'a folder of several series of images, such as {series[0]} and {series[1]}; filename_tmpl says which',
        )
    numbers = Counter(int(match[2]) for match in matches.values())
    number, times = numbers.most_common(1)[0]
    if times > 1:
        raise unreadable(folder, f'{times} images of number {number}')
    return sorted(matches, key=lambda name: int(matches[name][2]))


def frame_pattern(filename_tmpl: str) -> re.Pattern:
    """Make a pattern of a template such as ``img_{:05}.jpg``, as MMAction2 names the images of a folder.

    Raises:
        UserError: It has no place for one number.
    """
    parts = re.split(r'\{[^{}]*\}', filename_tmpl)
    if len(parts) != 2:
        raise UserError(f'filename_tmpl={filename_tmpl!r} must have one number, as img_{{:05}}.jpg has')
    before, after = map(re.escape, parts)
    return re.compile(f'({before})([0-9]+)({after})')


def check_regular(path: str | Path) -> None:
    """Check that a video is a regular file or a folder of numbered images, or a link to one: reading those ends.

    Raises:
        VideoError: It is something else, or is not there.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        raise unreadable(path, getattr(error, 'strerror', None) or str(error)) from None
    if stat.S_ISDIR(mode):
        list_frames(path)
    elif not stat.S_ISREG(mode):
        raise unreadable(path, f'{FILE_TYPES.get(stat.S_IFMT(mode), "something else")}, not a regular file')


def unreadable(path: str | Path, reason: str) -> VideoError:
    """The error of a video that cannot be read, to raise."""
    return VideoError(f'video {str(path)!r} cannot be read: {reason}', reason)


def is_shown(folder: str) -> bool:
    """Whether a folder of this name is looked into: it is neither hidden nor of AppleDouble files."""
    return folder[0] != '.' and folder != '__MACOSX'


def natural_key(name: str) -> tuple:
    """A key that sorts names by the numbers in them, ``2.mp4`` before ``10.mp4``."""
    return tuple(int(part) if i % 2 else part for i, part in enumerate(re.split('([0-9]+)', name))), name


def _walk(folder: str | Path, left_out: Counter[str]) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder once, and the names of the files in it, in natural order."""
    seen = set()

    def is_new(path: str | Path) -> bool:
        status = os.stat(path)
        place = status.st_dev, status.st_ino
        new = place not in seen
        seen.add(place)
        return new

    def leave_out(_: OSError) -> None:
        left_out['folders that cannot be opened'] += 1

    is_new(folder)
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=leave_out):
        folders[:] = (
            name for name in sorted(folders, key=natural_key) if is_shown(name) and is_new(os.path.join(parent, name))
        )
        yield Path(parent), sorted((name for name in names if name.lower() not in SYSTEM_FILES), key=natural_key)


def _are_frames(names: list[str]) -> bool:
    """Whether the files in a folder are images that differ in their number only, at least two."""
    names = [name for name in names if name[0] != '.']
    if len(names) < 2 or not all(name.lower().endswith(IMAGE_SUFFIXES) for name in names):
        return False
    matches = [match for name in names if (match := NUMBERED.fullmatch(name))]
    return (
        len(matches) == len(names)
        and len({(match[1], match[3]) for match in matches}) == 1
        and len({int(match[2]) for match in matches}) == len(names)
    )


def _other_kind(path: Path) -> str:
    """What a file is that is no video; ``''`` for a video."""
    suffix = path.suffix.lower()
    if path.name[0] == '.':
        return 'AppleDouble files ._*' if path.name.startswith('._') else 'hidden files'
    if suffix not in VIDEO_SUFFIXES:
        return suffix or 'without an ending'
    if not path.is_file():
        return f'{suffix} that are no regular files'
    if suffix in ('.m2t', '.m2ts', '.mts', '.ts') and not _is_transport_stream(_head(path)):
        return f'{suffix} that are no MPEG-TS'  # TypeScript has these endings too
    if suffix == '.ogg' and not any(mark in _head(path) for mark in (b'theora', b'OVP80', b'BBCD', b'\x01video')):
        return f'{suffix} without video'
    return ''


def _head(path: Path) -> bytes:
    try:
        with open(path, 'rb') as file:
            return file.read(4096)
    except OSError:
        return b''


def _is_transport_stream(head: bytes) -> bool:
    """Whether a sync byte comes every 188 bytes, or more with time stamps before or checks after the packets."""
    for size in (188, 192, 204):
        for start in range(size):  # recordings may start in the middle of a packet
            marks = head[start::size]
            if len(marks) > 2 and marks == b'G' * len(marks):
                return True
    return False
