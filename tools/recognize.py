"""Print what a trained recognizer sees in video files."""

import argparse
import math
import os
import sys
from contextlib import closing, nullcontext
from pathlib import Path

import mmdualformer  # noqa: F401  (mends the installed stack, and says first if there is no mmcv)

# isort: split
from mmdualformer import cli, signals
from mmdualformer.errors import UserError, printable
from mmdualformer.recognition import Recognizer
from mmdualformer.recognition.bulk import Listing, list_videos, recognize_files
from mmdualformer.recognition.live import is_stream, without_password
from mmdualformer.recognition.recognizer import DTYPES, EXPORTED
from mmdualformer.recognition.results import LIKELY
from mmdualformer.recognition.segments import clock
from mmdualformer.recognition.watching import FORMATS as WATCHED_FORMATS
from mmdualformer.recognition.watching import LONG, Rows, Watching, long_seconds, watch_all
from mmdualformer.recognition.writing import FORMATS, Format, make_format, name_format

BATCH_ON_GPU = 8


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    cli.add_model_arguments(parser, 'videos', least=1, most=math.inf)
    parser.add_argument(
        '--labels', type=Path, help='text file with the name of a class a line, if the checkpoint has none'
    )
    parser.add_argument(
        '--topk',
        type=cli.at_least(1),
        default=5,
        help='classes to print; where videos have several labels, all of at least 50 %% too',
    )
    parser.add_argument('--format', choices=FORMATS, help='of the output (default: what the ending of --out says)')
    parser.add_argument('--out', type=Path, help='file to write (default: stdout)')
    cli.add_device_argument(parser)
    parser.add_argument('--dtype', choices=tuple(DTYPES), default='float32', help='what products are computed in')
    parser.add_argument(
        '--batch-size',
        type=cli.at_least(1),
        help=f'videos to score together (default: {BATCH_ON_GPU} on a GPU, else 1)',
    )
    cli.add_workers_argument(parser, default=2)
    add_window_arguments(parser)
    args = parser.parse_args()
    args.format = name_format(args.format, args.out)
    if args.batch_size is None:
        args.batch_size = 1 if args.device == 'cpu' else BATCH_ON_GPU
    return args


def add_window_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what long videos and streams are watched with."""
    group = parser.add_argument_group('long videos and streams', f'A single file of more than {LONG:g} s is one too.')
    group.add_argument('--window', type=seconds, help='seconds of the window that slides over each video')
    group.add_argument('--step', type=seconds, help='seconds from one window to the next (default: half a window)')
    group.add_argument('--whole', action='store_true', help='score a long file as one')
    group.add_argument('--threshold', type=share, help=f'least probability of a segment (default: {LIKELY:g})')
    group.add_argument('--least', type=seconds, help='least seconds of a segment (default: half a window)')
    group.add_argument('--windows', action='store_true', help='write the scores of each window instead of segments')
    group.add_argument('--overlay', type=Path, metavar='FILE.mp4', help='write the video with the results in it')
    group.add_argument('--stills', type=Path, metavar='FOLDER', help='write a picture of each segment')


def seconds(text: str) -> float:
    """Type of an argument that is a time."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f'{text} must be seconds, more than 0')
    return value


def share(text: str) -> float:
    """Type of an argument that is a probability."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f'{text} must be from 0 to 1')
    return value


def load(args: argparse.Namespace) -> Recognizer:
    """Load what recognizes the videos."""
    is_exported = Path(args.checkpoint).suffix in EXPORTED
    model = args.checkpoint if is_exported else cli.load_model(args)
    return Recognizer(model, args.config if is_exported else None, labels=args.labels, dtype=args.dtype)


def recognize_to_stdout(recognizer: Recognizer, output: Format, args: argparse.Namespace) -> int:
    """Print a result after the other, and return how many videos have no answer."""
    without_answer = 0
    listing = list_videos(args.videos)
    sys.stdout.write(output.head)
    with closing(recognize_files(recognizer, listing, args.topk, args.workers, args.batch_size)) as rows:
        for row in rows:
            if row.complaint:
                print(f'{"error" if row.error else "warning"}: {row.complaint}', file=sys.stderr)
            sys.stdout.write(output.text(row))
            sys.stdout.flush()
            without_answer += bool(row.error)
    return without_answer


def find_watched(args: argparse.Namespace) -> Listing | None:
    """What is to be watched in windows; None where each video is scored as one.

    Raises:
        UserError: Options do not fit the inputs, or each other.
    """
    streams = [source for source in args.videos if is_stream(source)]
    if streams and len(args.videos) > 1:
        raise UserError(f'stream {without_password(streams[0])!r} must be the only input, as it may have no end')
    given = [f'--{name}' for name in ('window', 'step', 'windows', 'overlay', 'stills') if getattr(args, name)]
    if args.whole and (streams or given):
        raise UserError(f'--whole does not go with {given[0] if given else "a stream"}')
    listing = Listing(streams) if streams else list_videos(args.videos)
    single = listing.videos[0] if len(listing.videos) == 1 else None
    if args.overlay:
        if single is None:
            raise UserError(f'--overlay {str(args.overlay)!r} is of one video, and {len(listing.videos)} are given')
        if args.overlay.suffix.lower() != '.mp4':
            raise UserError(f'--overlay {str(args.overlay)!r} must end in .mp4')
        if args.overlay.exists() and args.overlay.samefile(single if not streams else os.devnull):
            raise UserError(f'--overlay {str(args.overlay)!r} is the video itself')
    if streams or given:
        return listing
    long = long_seconds(single) if single is not None and not args.whole else None
    if long is not None:
        print(
            f'{printable(single)} is {clock(long)} long, so it is scored in windows; --whole scores it as one',
            file=sys.stderr,
        )
        return listing
    for name in ('threshold', 'least'):
        if getattr(args, name) is not None:
            raise UserError(f'--{name} is of segments; give --window too')
    return None


def watch(recognizer: Recognizer, listing: Listing, args: argparse.Namespace) -> int:
    """Write what is shown from when to when, and return how many videos have no answer."""
    if args.format not in WATCHED_FORMATS:
        raise UserError(f'--format {args.format} has no segments; take one of {", ".join(WATCHED_FORMATS)}')
    threshold = LIKELY if args.threshold is None else args.threshold
    how = Watching(args.window, args.step, threshold, args.least, args.overlay, args.stills)
    rows = Rows(args.format, args.windows, args.topk)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    without_answer = 0
    with open(args.out, 'w', encoding='utf-8', newline='') if args.out else nullcontext(sys.stdout) as out:
        with closing(watch_all(recognizer, listing, how, rows, say)) as texts:
            for text, is_failure in texts:
                out.write(text)
                out.flush()
                without_answer += is_failure
    if signals.received():
        signals.say_first()
        signals.end(128 + signals.received())
    return without_answer


def main() -> None:
    args = parse_args()
    listing = find_watched(args)
    recognizer = load(args)
    if listing is not None:
        sys.exit(1 if watch(recognizer, listing, args) else 0)
    output = make_format(args.format, args.topk, recognizer.scorer.several)
    without_answer = recognize_to_stdout(recognizer, output, args)
    if without_answer:
        sys.exit(1)


if __name__ == '__main__':
    cli.run(main)
