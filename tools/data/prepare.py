"""Write MMAction2's lists and label map for a data set as its owners distribute it.

Its videos stay where they are; where MMAction2 looks for another folder name, a link is made.
"""

import argparse
import os
from pathlib import Path

from mmdualformer import cli
from mmdualformer.datasets.preparation import (
    CLASSES,
    READERS,
    VIDEOS,
    Split,
    check_targets,
    check_videos,
    compare_with_published,
    link_folders,
    resize_splits,
    write_lists,
)
from mmdualformer.errors import UserError


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('dataset', choices=READERS, help='data set')
    parser.add_argument('--root', type=Path, help='its folder (default: data/DATASET, where the configs look)')
    cli.add_workers_argument(parser, default=os.cpu_count() or 1)
    also = parser.add_mutually_exclusive_group()
    also.add_argument('--check', action='store_true', help='decode every video, and list the broken ones')
    also.add_argument(
        '--resize',
        type=Path,
        metavar='OUT',
        help='encode every video again, to be read fast in training; writes a data set of the same layout to OUT',
    )
    return parser.parse_args()


def print_counts(dataset: str, classes: list[str], splits: list[Split]) -> None:
    """Print how many classes and videos there are, beside what is published."""
    print(f'{dataset}: {len(classes)} classes (published: {CLASSES[dataset]})')
    for split in splits:
        missing = f', {len(split.missing):,} missing' if split.missing else ''
        published = compare_with_published(len(split.samples), VIDEOS[dataset][split.name])
        print(f'{split.name}: {len(split.samples):,} videos{missing}; {published}')


def print_broken(broken: dict[Path, str]) -> None:
    for video, reason in broken.items():
        print(f'broken: {video}: {reason}')


def main() -> None:
    args = parse_args()
    root = args.root or Path('data', args.dataset)
    if not root.is_dir():
        raise UserError(f'--root {str(root)!r} is no folder (looked in {Path.cwd()})')
    if args.resize and args.resize.resolve() == root.resolve():
        raise UserError(f'--resize {str(args.resize)!r} must be another folder than --root')

    classes, splits = READERS[args.dataset](root)
    link_folders(root, splits)
    write_lists(root, args.dataset, classes, splits)
    print_counts(args.dataset, classes, splits)
    if args.check:
        broken = check_videos(splits, args.workers)
        print_broken(broken)
        if broken:
            raise UserError(f'{len(broken)} videos are broken (see "broken" above)')
    if args.resize:
        check_targets(args.resize, splits)
        splits, broken = resize_splits(splits, args.resize, args.workers)
        write_lists(args.resize, args.dataset, classes, splits)
        print_broken(broken)
        print(f'{args.resize} lacks the {len(broken)} broken videos')
        print_counts(args.dataset, classes, splits)


if __name__ == '__main__':
    cli.run(main)
