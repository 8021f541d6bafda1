"""The data of a fine-tuning: found, cleaned, split, and written as lists."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mmdualformer import cli
from mmdualformer.commands import command_line
from mmdualformer.datasets import own_videos
from mmdualformer.datasets.own_videos import OwnVideos, Video
from mmdualformer.errors import UserError, name_some
from mmdualformer.video.files import describe_left_out

from .known_classes import compare_classes, order_classes
from .work_dir import fold_dir

VAL_SHARE = 0.2
MOST_LINES = 5  # of one kind, where there may be very many
MOST_NAMES = 20  # of classes in a line
VERBS = {'train': 'train', 'val': 'validate', 'test': 'test'}


@dataclass(frozen=True)
class PreparedData:
    """Lists of videos, ready to train from.

    Attributes:
        work_dir (Path): Where a training on them goes; they are in its folder ``lists``.
        classes (list): Names, in the order of their labels.
        train (int): Clips of an epoch: the videos to train on, those of rare classes more than once.
        multi_label (bool): Whether a video may have several labels.
        clip_seconds (float): Median duration of the videos to train on, rounded to hundredths.
    """

    work_dir: Path
    classes: list[str]
    train: int
    multi_label: bool
    clip_seconds: float

    @property
    def lists(self) -> Path:
        """The folder of the lists."""
        return self.work_dir / 'lists'


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says where the videos are and how they are split."""
    forms = 'a folder with one sub-folder a class, a csv, or a list of path label lines'
    parser.add_argument('folder', type=Path, help=f'{forms}; the folders may be in folders train, val and test')
    parser.add_argument('--val', type=Path, metavar='FOLDER|LIST', help='videos to validate on, in any of these forms')
    parser.add_argument('--test', type=Path, metavar='FOLDER|LIST', help='videos to test on, in any of these forms')
    parser.add_argument('--val-share', type=float, help=f'share of each class to validate on (default: {VAL_SHARE})')
    parser.add_argument('--test-share', type=float, help='share of each class to test on (default: 0)')
    parser.add_argument('--seed', type=int, default=0, help='draws the split, new weights and the order of clips')
    parser.add_argument(
        '--group-by',
        metavar='COLUMN|PATTERN|parent',
        help='keep together videos with the same cell in a column of the csv, the same match of a regular expression '
        "with one group in their paths, or, by 'parent', in the same folder inside that of their class",
    )
    parser.add_argument(
        '--folds', type=cli.at_least(2), help='train and test so many times, on each part of the videos'
    )
    parser.add_argument('--fold', type=cli.at_least(1), help='train and test this one of the folds only')
    parser.add_argument(
        '--damaged',
        choices=('use', 'refuse'),
        default='use',
        help='read damaged videos as far as they can be read, or leave them out',
    )


def check_data_arguments(args: argparse.Namespace) -> None:
    """Check what can be known to be wrong before a video is looked at.

    Raises:
        UserError: A share is out of range, or two arguments exclude each other.
    """
    if args.val_share is not None and not 0 < args.val_share < 1:
        raise UserError(f'--val-share {args.val_share} must be between 0 and 1')
    if args.test_share is not None and not 0 <= args.test_share < 1:
        raise UserError(f'--test-share {args.test_share} must be at least 0, and less than 1')
    shares = (args.val_share or VAL_SHARE) * (args.val is None) + (args.test_share or 0)
    if shares >= 1:
        raise UserError(f'--val-share and --test-share make {shares:g} together, which must be less than 1')
    for name in ('val', 'test'):
        if getattr(args, name) is not None and getattr(args, f'{name}_share') is not None:
            raise UserError(f'--{name} gives the videos that --{name}-share would set aside; leave one of them out')
    if args.folds is None:
        if args.fold is not None:
            raise UserError(f'--fold {args.fold} needs --folds, how many there are')
        return
    if args.fold is not None and args.fold > args.folds:
        raise UserError(f'--fold {args.fold} must be 1 to {args.folds}, as --folds says')
    for name in ('val', 'test', 'val_share', 'test_share'):
        if getattr(args, name) is not None:
            option = f'--{name.replace("_", "-")}'
            raise UserError(f'{option} sets videos aside, but --folds tests on each video once; leave one of them out')


def prepare_data(args: argparse.Namespace, known: Sequence[str] = ()) -> list[PreparedData]:
    """Find the videos, leave out what cannot be used, split them, and write the lists.

    Args:
        args (Namespace): What :func:`add_data_arguments` adds, checked by :func:`check_data_arguments`; ``workers``,
            the processes that read videos; and ``work_dir``.
        known (sequence): Classes that a checkpoint knows, whose labels come first. Defaults to none.

    Returns:
        list: One for each training: one, or with folds one of each of them that is to be trained.

    Raises:
        UserError: The videos cannot be used as the arguments say.
    """
    return _Preparation(args, known).prepare()


class _Preparation:
    """The way from the arguments to the lists, which says what it does and keeps it for ``data.json``."""

    def __init__(self, args: argparse.Namespace, known: Sequence[str]) -> None:
        self.args = args
        self.known = known
        self.warnings: list[str] = []
        self.left_out: list[dict[str, str]] = []
        self.pairs: list[tuple[Path, Path]] = []  # near-duplicates
        self.durations: dict[Path, float] = {}  # seconds

    def prepare(self) -> list[PreparedData]:
        found = self._clean(self._find())
        if self.args.folds:
            return self._prepare_folds(found)
        videos = self._split(found)
        parts = {name: [video for video in videos if video.split == name] for name in VERBS}
        if not parts['train']:
            is_copied = any(left['reason'].startswith('a copy of ') for left in self.left_out)
            copies = ', but copies of those to validate or to test on' if is_copied else ''
            raise UserError(f'{str(self.args.folder)!r} has no videos to train on{copies}')
        self._say_counts(found, parts)
        self._warn_of_sides(found, videos)
        return [self._write(found, parts, self.args.work_dir)]

    def _find(self) -> OwnVideos:
        args = self.args
        found = own_videos.find_videos(args.folder, group_by=args.group_by or '')
        found = own_videos.order_videos(found, order_classes(found.classes, self.known))
        for line in compare_classes(found.classes, self.known):
            print(line)
        if args.group_by:
            found = replace(found, videos=own_videos.name_groups(found.videos, args.group_by))
        given = {video.split for video in found.videos} - {'', 'train'}
        for name in ('val', 'test'):
            source = getattr(args, name)
            if name in given and (source is not None or getattr(args, f'{name}_share') is not None):
                option = f'--{name}' if source is not None else f'--{name}-share'
                raise UserError(
                    f'{option} is not needed: {str(args.folder)!r} has a split {name!r} itself; leave it out'
                )
            if source is not None:
                more = own_videos.find_videos(source, found.classes, f'--{name}', args.group_by or '')
                videos = [*found.videos, *(replace(video, split=name) for video in more.videos)]
                found = OwnVideos(found.classes, videos, found.left_out + more.left_out)
        if given and args.folds:
            raise UserError(f'--folds {args.folds} splits videos, but {str(args.folder)!r} is split itself')
        if found.left_out:
            print(describe_left_out(found.left_out))
        return found

    def _clean(self, found: OwnVideos) -> OwnVideos:
        readable = own_videos.leave_out_unreadable(found, self.args.workers or 1, self.args.damaged)
        for path, reason in readable.unreadable.items():
            print(f'left out, as it cannot be read: {path}: {reason}')
            self.left_out.append(dict(path=str(path), reason=reason))
        for path, damage in readable.damaged.items():
            self._warn(f'damaged, and used as far as it can be read: {path}: {damage}')
        found, copies, shared = own_videos.leave_out_copies(readable.found)
        if copies:
            print(f'left out {len(copies)} copies of other videos of their class')
        self.left_out += [dict(path=str(path), reason=f'a copy of {first}') for path, first in copies.items()]
        for line in shared:
            self._warn(f'the same video in several classes: {line}')
        kept = {video.path for video in found.videos}
        prints = {path: small for path, small in readable.fingerprints.items() if path in kept}
        self.pairs = own_videos.find_near_duplicates(prints)
        self.durations = readable.durations
        return found

    def _split(self, found: OwnVideos) -> list[Video]:
        """Give each video its split."""
        args, given = self.args, {video.split for video in found.videos}
        shares = {}  # the test first: where a class has too few videos for both, it is tested
        if 'test' not in given and args.test_share:
            shares['test'] = args.test_share
        if 'val' not in given:
            shares['val'] = args.val_share or VAL_SHARE
        pool = [video for video in found.videos if video.split in ('', 'train')]
        splits = own_videos.split(pool, self._join(pool), shares, args.seed)
        videos = [replace(video, split=split) for video, split in zip(pool, splits)]
        videos += [video for video in found.videos if video.split in ('val', 'test')]
        if not any(video.split == 'val' for video in videos):
            together = 'videos of each class that all stay together' if len(pool) > len(found.classes) else ''
            raise UserError(
                f'{str(args.folder)!r} has {together or "one video of each class"}; at least one class must have two '
                f'{"groups" if together else "videos"}, to test on one of them'
            )
        return videos

    def _join(self, videos: Sequence[Video]) -> list[list[int]]:
        """Join what stays together, and say so."""
        here = {video.path for video in videos}
        pairs = [pair for pair in self.pairs if here.issuperset(pair)]
        self._say_pairs('near-duplicates, kept on one side', pairs)
        return own_videos.join_groups(videos, pairs)

    def _prepare_folds(self, found: OwnVideos) -> list[PreparedData]:
        args = self.args
        joined = self._join(found.videos)
        folds = own_videos.deal_folds(found.videos, joined, args.folds, args.seed)
        self._say_groups(found.videos)
        places: list[set[int]] = [set() for _ in found.classes]
        for video, fold in zip(found.videos, folds):
            for label in video.labels:
                places[label].add(fold)
        self._warn_of_classes(
            [
                f'class {name!r} is in fold {min(place)} only, so what is tested of it is never trained on'
                for name, place in zip(found.classes, places)
                if len(place) == 1
            ]
        )
        prepared = []
        for fold in range(1, args.folds + 1):
            if args.fold in (None, fold):
                parts = {
                    'train': [video for video, other in zip(found.videos, folds) if other != fold],
                    'val': [video for video, other in zip(found.videos, folds) if other == fold],
                    'test': [],
                }
                print(f'fold {fold} of {args.folds}: {self._describe(parts)}')
                prepared.append(self._write(found, parts, fold_dir(args.work_dir, fold), fold))
        return prepared

    def _write(
        self, found: OwnVideos, parts: dict[str, list[Video]], work_dir: Path, fold: int | None = None
    ) -> PreparedData:
        args, test = self.args, parts['test'] or parts['val']
        clip_seconds = round(float(np.median([self.durations[video.path] for video in parts['train']])), 2)
        repeats = own_videos.count_repeats(parts['train'], len(found.classes))
        train = own_videos.repeat(parts['train'], repeats)
        if repeats:
            names = name_some([f'{found.classes[label]} {times} times' for label, times in repeats.items()], MOST_NAMES)
            print(f'an epoch shows the videos of rare classes more often: {names}')
        prepared = PreparedData(work_dir, found.classes, len(train), found.multi_label, clip_seconds)
        own_videos.write_training_lists(prepared.lists, found.classes, train, parts['val'], test)
        groups = {video.group for videos in parts.values() for video in videos if video.group}
        content = dict(
            command=command_line(),
            source=str(args.folder),
            classes=found.classes,
            counts={
                name: own_videos.count_classes(found.classes, videos)
                for name, videos in {**parts, 'test': test}.items()
            },
            repeats={found.classes[label]: times for label, times in repeats.items()},
            seed=args.seed,
            group_by=args.group_by,
            groups=len(groups),
            clip_seconds=clip_seconds,
            folds=args.folds,
            fold=fold,
            left_out=self.left_out,
            other_files=dict(found.left_out),
            warnings=self.warnings,
            near_duplicates=[list(map(str, pair)) for pair in self.pairs],
            test_is_validation=not parts['test'],
            multi_label=found.multi_label,
        )
        own_videos.write_data_json(prepared.lists, content)
        return prepared

    def _warn(self, line: str) -> None:
        self.warnings.append(line)
        print(f'warning: {line}')

    def _warn_of_classes(self, lines: Sequence[str]) -> None:
        for line in lines[:MOST_LINES]:
            self._warn(line)
        if len(lines) > MOST_LINES:
            self.warnings += lines[MOST_LINES:]
            print(f'warning: so it is with {len(lines) - MOST_LINES} more classes; lists/data.json has all')

    def _say_pairs(self, what: str, pairs: Sequence[tuple[Path, Path]]) -> None:
        for first, second in pairs[:MOST_LINES]:
            print(f'{what}: {first} and {second}')
        if len(pairs) > MOST_LINES:
            print(f'{what}: {len(pairs) - MOST_LINES} more pairs; lists/data.json has all')

    @staticmethod
    def _describe(parts: dict[str, list[Video]]) -> str:
        verbs = VERBS if parts['test'] else {'train': 'train', 'val': 'test'}
        words = [f'{len(parts[name])} {"videos " * (name == "train")}to {verb}' for name, verb in verbs.items()]
        return ', '.join(words)

    def _say_counts(self, found: OwnVideos, parts: dict[str, list[Video]]) -> None:
        """Say what each split has, and which class lacks what."""
        print(f'{len(found.classes)} classes: {name_some(found.classes, MOST_NAMES)}; {self._describe(parts)}')
        self._say_groups([video for videos in parts.values() for video in videos])
        totals = own_videos.count_classes(found.classes, [video for videos in parts.values() for video in videos])
        alone, lacking = [], []
        for split in ('val', 'test') if parts['test'] else ('val',):
            verb = VERBS[split] if parts['test'] else 'test'
            for name, total, count in zip(found.classes, totals, own_videos.count_classes(found.classes, parts[split])):
                if total == 1 and not count:
                    alone.append(f'class {name!r} has one video, which is trained on and not tested')
                elif not count:
                    lacking.append(f'class {name!r} has {total} videos, and none of them to {verb} on')
        self._warn_of_classes(list(dict.fromkeys(alone)))  # of each split the same
        self._warn_of_classes(lacking)

    def _say_groups(self, videos: Sequence[Video]) -> None:
        groups: dict[str, set[str]] = {}
        for video in videos:
            if video.group:
                groups.setdefault(video.group, set()).add(video.split)
        if groups:
            print(f'{len(groups)} groups by --group-by {self.args.group_by!r}')
        torn = [name for name, splits in groups.items() if len(splits) > 1]
        if torn:
            self._warn(
                f'{len(torn)} groups are in several splits, which {str(self.args.folder)!r} gives, such as {torn[0]!r}'
            )

    def _warn_of_sides(self, found: OwnVideos, videos: Sequence[Video]) -> None:
        """Warn of near-duplicates on both sides of a split that was given."""
        splits: dict[Path, str] = {video.path: video.split for video in videos}
        across = [pair for pair in self.pairs if splits[pair[0]] != splits[pair[1]]]
        for first, second in across[:MOST_LINES]:
            self._warn(
                f'near-duplicates in {splits[first]} and {splits[second]}, as they were given: {first} and {second}'
            )
        if len(across) > MOST_LINES:
            self._warn(
                f'{len(across) - MOST_LINES} more pairs of near-duplicates in two splits; lists/data.json has all'
            )
