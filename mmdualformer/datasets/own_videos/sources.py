"""A user's own videos, found in folders or in a table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmdualformer.errors import UserError
from mmdualformer.video import files

from ..annotations import check_name
from .tables import read_table
from .videos import Video, split_named

FORMS = 'a folder with one sub-folder a class, a csv, or a list of path label lines'


@dataclass(frozen=True)
class OwnVideos:
    """Videos and what they show.

    Attributes:
        classes (list): Names, in the order of their labels.
        videos (list): Each a :class:`Video`.
        left_out (Counter): How many other files of each kind there are.
    """

    classes: list[str]
    videos: list[Video]
    left_out: Counter[str] = field(default_factory=Counter, compare=False)

    @property
    def multi_label(self) -> bool:
        """Whether a video shows several classes, or none of them."""
        return any(len(video.labels) != 1 for video in self.videos)


def find_videos(source: Path, classes: Sequence[str] | None = None, option: str = '', group_by: str = '') -> OwnVideos:
    """Find videos in a folder with one sub-folder a class, in folders of splits with such folders, or in a table.

    Args:
        source (Path): The folder; or the table, see :func:`~.tables.read_table`.
        classes (sequence, optional): The classes that the videos must be of, in their order. Defaults to None: those
            that are found, which are at least two and have a video each.
        option (str): What gave the source, such as ``'--val'``, for messages. Defaults to ``''``.
        group_by (str): What is to group them, see :func:`~.grouping.name_groups`: it may be a column that is no class,
            and by it folders of the same names in each class are no fault. Defaults to ``''``.

    Raises:
        UserError: There are fewer than two classes, a class has no video, or none to train on, a class is none of
            ``classes``, a name has a line break or is no UTF-8, or the table cannot be used.
    """
    left_out: Counter[str] = Counter()
    if source.is_dir():
        names, entries = _read_folders(source, left_out, may_repeat=bool(group_by))
    elif source.is_file():
        names, entries = read_table(source, known=classes is not None, keep=group_by)
    else:
        raise UserError(f'{option} {str(source)!r} does not exist; give {FORMS}'.strip())
    unique = {entry.path: entry for entry in reversed(entries)}
    left_out += Counter({'rows of a video that has one already': len(entries) - len(unique)})
    entries = list(reversed(unique.values()))
    if classes is None:
        _check_classes(source, names, entries)
        classes = names
    else:
        _check_known(source, classes, entries, option)
    for name in (*classes, *(str(entry.path.absolute()) for entry in entries)):
        check_name(name)
    numbers = {name: number for number, name in enumerate(classes)}
    videos = [replace(entry, labels=tuple(sorted(numbers[name] for name in entry.labels))) for entry in entries]
    return OwnVideos(list(classes), videos, left_out)


def order_videos(found: OwnVideos, classes: Sequence[str]) -> OwnVideos:
    """Give videos other labels: the same classes in another order."""
    numbers = {name: number for number, name in enumerate(classes)}
    videos = [
        replace(video, labels=tuple(sorted(numbers[found.classes[label]] for label in video.labels)))
        for video in found.videos
    ]
    return replace(found, classes=list(classes), videos=videos)


def need_every_class(classes: Sequence[str], videos: Sequence[Video], reason: str) -> None:
    """Check that each class has a video to train on.

    Raises:
        UserError: One has none; the message says the reason.
    """
    labels = {label for video in videos if video.split in ('', 'train') for label in video.labels}
    empty = [name for label, name in enumerate(classes) if label not in labels]
    if empty:
        raise UserError(f'class {empty[0]!r} has {reason}')


def _read_folders(source: Path, left_out: Counter[str], may_repeat: bool) -> tuple[list[str], list[Video]]:
    """Read the folder of each class, or of each split with those of the classes in it."""
    folders = _folders_of(source)
    splits = [split_named(folder.name.rpartition('_')[2]) for folder in folders]
    if not folders or not all(splits):
        entries = _read_classes(source, left_out)
        if not may_repeat:
            _refuse_same_classes(source, folders, {entry.path for entry in entries})
        return [folder.name for folder in folders], entries
    names = ', '.join(folder.name for folder in folders)
    if 'train' not in splits or len(folders) < 2 or len(set(splits)) < len(splits):
        raise UserError(
            f'{str(source)!r} has the sub-folders {names}; folders of splits are train, and val or test or both, each '
            'with one sub-folder a class'
        )
    entries = []
    for folder, split in zip(folders, splits):
        within = _folders_of(folder)
        if not within:
            raise UserError(f'{str(folder)!r} is a split without sub-folders; it must have one a class')
        entries += _read_classes(folder, left_out, split)
    classes = {path.name for folder, split in zip(folders, splits) if split == 'train' for path in _folders_of(folder)}
    return sorted(classes), entries


def _folders_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and files.is_shown(path.name))


def _read_classes(root: Path, left_out: Counter[str], split: str = '') -> list[Video]:
    outside = sum(path.suffix.lower() in files.VIDEO_SUFFIXES and path.is_file() for path in root.iterdir())
    left_out += Counter({'videos outside the sub-folders': outside})
    entries = []
    for folder in _folders_of(root):
        found = files.find_videos(folder)
        left_out += found.left_out
        for path in found.videos:
            place = path.relative_to(root)
            parent = place.parts[1] if len(place.parts) > 2 else ''
            entries.append(Video(path, (folder.name,), place.as_posix(), parent, split))
    return entries


def _refuse_same_classes(source: Path, folders: Sequence[Path], videos: set[Path]) -> None:
    """Refuse folders that have the same folders in them: they may be classes, or splits by other names."""
    within = [{path.name for path in folder.iterdir() if path.is_dir() and path not in videos} for folder in folders]
    if len(within) > 1 and len(within[0]) > 1 and all(classes == within[0] for classes in within):
        raise UserError(
            f'{str(source)!r} has the sub-folders {", ".join(folder.name for folder in folders)} with the same '
            'sub-folders in each; if they are classes, and those in them persons or sessions, give --group-by parent, '
            'and if they are splits, name them train, val and test'
        )


def _check_classes(source: Path, names: Sequence[str], entries: Sequence[Video]) -> None:
    """Check that there are two classes, and a video to train on of each."""
    splits = {entry.split for entry in entries}
    training = {label for entry in entries if entry.split in ('', 'train') for label in entry.labels}
    if entries and '' not in splits and 'train' not in splits:
        raise UserError(f'{str(source)!r} has no training videos, only {" and ".join(sorted(splits))}')
    for entry in entries:
        strange = [label for label in entry.labels if label not in training]
        if strange:
            raise UserError(
                f'class {strange[0]!r} of {str(source)!r} is only in {entry.split}, as {str(entry.path)!r}; it must '
                'have videos to train on too'
            )
    if len(names) < 2:
        form = 'one sub-folder each' if source.is_dir() else 'as the labels of its path,label rows'
        raise UserError(
            f'{str(source)!r} has {len(names)} classes ({", ".join(names) or "none"}); it must have at least two, '
            f'{form}'
        )
    empty = [name for name in names if name not in training]
    if empty:
        known = ' '.join(files.VIDEO_SUFFIXES)
        raise UserError(
            f'class {empty[0]!r} has no video; known are the endings {known}, and folders of images that differ in '
            'their number only'
        )


def _check_known(source: Path, classes: Sequence[str], entries: Sequence[Video], option: str) -> None:
    """Check videos beside others: they are of the same classes, and of no split of their own."""
    if not entries:
        raise UserError(f'{option} {str(source)!r} has no video; give {FORMS}')
    if any(entry.split for entry in entries):
        raise UserError(f'{option} {str(source)!r} is split itself; give {FORMS}, without a split')
    for entry in entries:
        for label in entry.labels:
            if label not in classes:
                raise UserError(
                    f'{option} {str(source)!r} has class {label!r}, as {str(entry.path)!r}; the classes to train on '
                    f'are {", ".join(classes)}'
                )
