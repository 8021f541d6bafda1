"""Write features of video files: a vector a video or a window, or the map of a stage."""

import argparse
import math
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import mmdualformer  # noqa: F401  (mends the installed stack, and says first if there is no mmcv)

# isort: split
from rich.console import Console
from rich.progress import track

from mmdualformer import cli
from mmdualformer.errors import UserError, describe, describe_damage, printable
from mmdualformer.features import LEVELS, Features, FeatureTable, write_features
from mmdualformer.files import check_target, sha256
from mmdualformer.recognition import Failure
from mmdualformer.recognition.bulk import list_videos
from mmdualformer.recognition.extracting import extract_files


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    cli.add_model_arguments(parser, 'videos', least=1, most=math.inf)
    cli.add_out_arguments(parser, required=True, metavar='FILE', help='.npz or .parquet file to write')
    parser.add_argument(
        '--level',
        choices=LEVELS,
        default='clip',
        help='clip: a vector a video; window: a vector a window of long videos; token: a map over time and place',
    )
    parser.add_argument(
        '--stage',
        type=cli.at_least(1),
        help='stage of the backbone, or layer, from 1; a vector is then the mean of its map (default: what the '
        'classifier takes, or the last map)',
    )
    parser.add_argument(
        '--window', type=cli.seconds, help='seconds of a window (default: what a clip of the test spans)'
    )
    parser.add_argument('--step', type=cli.seconds, help='seconds from one window to the next (default: half a window)')
    cli.add_workers_argument(parser, default=2)
    cli.add_device_argument(parser)
    args = parser.parse_args()
    if args.level != 'window' and (args.window, args.step) != (None, None):
        parser.error('--window and --step are for --level window')
    return args


def follow(videos: list[str]) -> Iterable[str]:
    """Show on a terminal how far the videos are."""
    console = Console(stderr=True)
    return track(videos, 'features', console=console, transient=True, disable=not console.is_terminal)


def add(table: FeatureTable, features: Features) -> Failure | None:
    """Add the features of a video to the file, or say why they cannot be there."""
    try:
        for arrays, start, end in features.rows():
            table.add(features.source, arrays, start, end)
    except UserError as error:
        return Failure(features.source, describe(error))
    if features.damage:
        print(f'warning: {describe_damage(features.source, features.damage)}', file=sys.stderr)
    return None


def main() -> None:
    args = parse_args()
    if cli.is_exported(args):
        raise UserError(f'{args.checkpoint!r} is an exported model, which has no features; give its checkpoint')
    check_target(args.out, args.overwrite)
    described = dict(
        checkpoint=Path(args.checkpoint).name,
        sha256=sha256(args.checkpoint) if args.checkpoint != 'none' else '',
        level=args.level,
        stage=args.stage or 0,
    )
    failures = 0
    with write_features(args.out, described) as table:
        recognizer = cli.open_recognizer(args)
        listing = list_videos(args.videos)
        options = dict(window=args.window, step=args.step, workers=args.workers)
        with closing(extract_files(recognizer, listing, args.level, args.stage, **options)) as results:
            for video, result in zip(follow(listing.videos), results):
                failure = add(table, result) if isinstance(result, Features) else result
                if failure is not None:
                    print(f'error: video {video!r} has no features: {printable(failure.reason)}', file=sys.stderr)
                    failures += 1
    if len(table):
        shapes = ' and '.join(' x '.join(map(str, shape)) for shape in table.shapes.values())
        print(f'{args.out}: {len(table)} x {shapes}, of {len(listing.videos) - failures} videos')
    if failures:
        sys.exit(1)


if __name__ == '__main__':
    cli.run(main)
