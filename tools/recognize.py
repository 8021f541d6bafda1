"""Say what a trained recognizer sees in videos: files, folders, webcams, network streams and pipes."""

import argparse
import io
import logging
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import mmdualformer  # noqa: F401  (mends the installed stack, and says first if there is no mmcv)

# isort: split
from mmdualformer import cli, processes, signals
from mmdualformer.engine.progress_line import Progress, ProgressLine
from mmdualformer.engine.time_left import TimeLeft, duration
from mmdualformer.errors import UserError, printable
from mmdualformer.files import check_target
from mmdualformer.models.precision import DTYPES
from mmdualformer.recognition import Recognizer
from mmdualformer.recognition.bulk import Listing, list_videos, recognize_files
from mmdualformer.recognition.live import is_stream, without_password
from mmdualformer.recognition.output import Count, Plan, ResultFile, describe_writer
from mmdualformer.recognition.ranks import agree, meet, own_device
from mmdualformer.recognition.results import LIKELY
from mmdualformer.recognition.segments import clock
from mmdualformer.recognition.watching import FORMATS as WATCHED_FORMATS
from mmdualformer.recognition.watching import LONG, Rows, Watching, long_seconds, watch_all
from mmdualformer.recognition.writing import FORMATS, Format, Row, make_format, name_format

BATCH_ON_GPU = 8
WINDOW_OPTIONS = ('window', 'step', 'windows', 'overlay', 'stills')  # which make windows of any video
MOST_WORKERS = 16
WARM_UP = 3.0  # seconds until the rate says something
RECENT = 1000  # videos whose mean time is taken for that of the next ones


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    cli.add_model_arguments(parser, 'videos', least=1, most=math.inf)
    cli.add_labels_argument(parser)
    parser.add_argument(
        '--topk',
        type=cli.at_least(1),
        default=5,
        help='classes to print; where videos have several labels, all of at least 50 %% too',
    )
    parser.add_argument('--format', choices=FORMATS, help='of the output (default: what the ending of --out says)')
    parser.add_argument('--out', type=Path, help='file to write, which must not be there yet (default: stdout)')
    parser.add_argument('--resume', action='store_true', help='go on with the file that an earlier run has begun')
    cli.add_device_argument(parser)
    parser.add_argument('--dtype', choices=tuple(DTYPES), default='float32', help='what products are computed in')
    parser.add_argument(
        '--batch-size', type=cli.at_least(1), help=f'videos scored together (default: {BATCH_ON_GPU} on a GPU, else 1)'
    )
    neighbours = int(os.environ.get('LOCAL_WORLD_SIZE', 1))  # processes on this machine, of torchrun
    cores = len(os.sched_getaffinity(0)) // neighbours
    cli.add_workers_argument(parser, default=min(max(cores, 1), MOST_WORKERS))
    cli.add_launcher_argument(parser)
    add_window_arguments(parser)
    args = parser.parse_args()
    args.format = name_format(args.format, args.out)
    if args.out is None and (args.resume or args.launcher != 'none'):
        parser.error(f'{"--resume" if args.resume else "several processes"} need --out FILE')
    if args.launcher != 'none':
        args.device = own_device(args.device)
    if args.batch_size is None:
        args.batch_size = 1 if args.device == 'cpu' else BATCH_ON_GPU
    return args


def add_window_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what long videos and streams are watched with."""
    group = parser.add_argument_group('long videos and streams', f'A single file of more than {LONG:g} s is one too.')
    group.add_argument('--window', type=cli.seconds, help='seconds of the window that slides over each video')
    group.add_argument('--step', type=cli.seconds, help='seconds from one window to the next (default: half a window)')
    group.add_argument('--whole', action='store_true', help='score a long file as one')
    group.add_argument('--threshold', type=share, help=f'least probability of a segment (default: {LIKELY:g})')
    group.add_argument('--least', type=cli.seconds, help='least seconds of a segment (default: half a window)')
    group.add_argument('--windows', action='store_true', help='write the scores of each window instead of segments')
    group.add_argument('--overlay', type=Path, metavar='FILE.mp4', help='write the video with the results in it')
    group.add_argument('--stills', type=Path, metavar='FOLDER', help='write a picture of each segment')


def share(text: str) -> float:
    """Type of an argument that is a probability."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f'{text} must be from 0 to 1')
    return value


def complain(row: Row) -> None:
    """Say what is wrong with a video."""
    if row.complaint:
        print(f'{"error" if row.error else "warning"}: {row.complaint}', file=sys.stderr)


def recognize_to_stdout(recognizer: Recognizer, output: Format, args: argparse.Namespace) -> int:
    """Print a result after the other, and return how many videos have no answer."""
    without_answer = 0
    if isinstance(sys.stdout, io.TextIOWrapper):  # what other programs read is the same in every locale
        if args.format == 'text':
            sys.stdout.reconfigure(errors='backslashreplace')
        else:
            sys.stdout.reconfigure(encoding='utf-8')
    sys.stdout.write(output.head)
    rows = recognize_files(recognizer, list_videos(args.videos), args.topk, args.workers, args.batch_size)
    with closing(rows):
        for row in rows:
            complain(row)
            sys.stdout.write(output.text(row))
            sys.stdout.flush()
            without_answer += bool(row.error)
    return without_answer


def recognize_to_file(recognizer: Recognizer, output: Format, args: argparse.Namespace, rank: int, count: int) -> None:
    """Write the results, of several processes each its share."""
    file = ResultFile(args.out, output)

    def decide() -> Plan:
        file.check(args.resume)
        writer = describe_writer(recognizer, args.checkpoint, args.format, args.topk, args.dtype)
        return file.plan(list_videos(args.videos), writer, args.resume, count)

    plan = agree(decide)
    if output.is_read:
        signals.explain(f'; --resume goes on with {args.out}')
    began, written = time.monotonic(), Count()
    share = plan.share(rank, count)
    if share.videos:
        rows = recognize_files(recognizer, share, args.topk, args.workers, args.batch_size)
        with closing(rows), file.open(plan, rank) as lines, progress_of(len(share.videos), rank, count) as show:
            for row in rows:
                complain(row)
                lines.add(row)
                written += Count(1, bool(row.error))
                show(written.rows)
    total = file.finish(plan, rank, written)
    if total is None:  # another process is not done, and says what there is
        return
    said = f'{args.out} has {total.rows:,} videos'
    if total.errors:
        said += f', {total.errors:,} of them without an answer'
    if args.launcher != 'none' and total.errors:  # the launcher says why this process fails
        processes.report(said, is_for_all=True)
    else:
        rate = written.rows / (time.monotonic() - began)
        print(f'{said} ({rate:.1f} a second)' if count == 1 and written.rows else said, file=sys.stderr)
    if total.errors:
        sys.exit(1)


@contextmanager
def progress_of(videos: int, rank: int, count: int) -> Iterator:
    """Show how many videos of the first process are done, how many a second, and how long it still takes."""
    if rank > 0:
        yield lambda done: None
        return
    line, time_left, began = ProgressLine(stderr=True), TimeLeft(window=RECENT), time.monotonic()
    title = 'recognize' if count == 1 else f'process 1 of {count}'

    def show(done: int) -> None:
        time_left.end_step()
        step, left = time_left.step, time_left.seconds(videos - done, 0, 0, 0)
        if step is not None and left is not None and time.monotonic() - began > WARM_UP:
            parts = ((f'{1 / max(step, 1e-6):.1f} a second', 3), (f'{duration(left)} left', 4))
            line.update(Progress(title, done, videos, parts, 'video'))

    line.start(logging.getLogger('mmdualformer'))
    try:
        yield show
    finally:
        line.stop()


def find_watched(args: argparse.Namespace) -> Listing | None:
    """What is to be watched in windows; None where each video is scored as one.

    Raises:
        UserError: Options do not fit the inputs, or each other.
    """
    streams = [source for source in args.videos if is_stream(source)]
    if streams and len(args.videos) > 1:
        raise UserError(f'stream {without_password(streams[0])!r} must be the only input, as it may have no end')
    given = [f'--{name}' for name in WINDOW_OPTIONS if getattr(args, name) not in (None, False)]
    why = given[0] if given else 'a stream'
    if given or streams:
        for name, other in (('whole', False), ('resume', False), ('launcher', 'none')):
            if getattr(args, name) != other:
                raise UserError(f'--{name} does not go with {why}')
        if args.format not in WATCHED_FORMATS:
            raise UserError(f'--format {args.format} does not go with {why}; take {", ".join(WATCHED_FORMATS)}')
        listing = Listing(streams) if streams else list_videos(args.videos)
        if args.overlay is not None:
            check_overlay(args.overlay, listing)
        return listing
    is_plain = args.format in WATCHED_FORMATS and not args.whole and not args.resume and args.launcher == 'none'
    if is_plain and len(args.videos) == 1 and (long := long_seconds(args.videos[0])) is not None:
        print(
            f'{printable(args.videos[0])} is {clock(long)} long, so it is scored in windows; --whole scores it as one',
            file=sys.stderr,
        )
        return Listing(args.videos)
    for name in ('threshold', 'least'):
        if getattr(args, name) is not None:
            raise UserError(f'--{name} is of segments; give --window too')
    return None


def check_overlay(overlay: Path, listing: Listing) -> None:
    """Check that a file can be the overlay of what is watched.

    Raises:
        UserError: It cannot.
    """
    if len(listing.videos) != 1:
        raise UserError(f'--overlay {str(overlay)!r} is of one video, and {len(listing.videos)} are given')
    if overlay.suffix.lower() != '.mp4':
        raise UserError(f'--overlay {str(overlay)!r} must end in .mp4')
    check_target(overlay, option='--overlay')


def watch(recognizer: Recognizer, listing: Listing, args: argparse.Namespace) -> int:
    """Write what is shown from when to when, and return how many videos have no answer."""
    threshold = LIKELY if args.threshold is None else args.threshold
    how = Watching(args.window, args.step, threshold, args.least, args.overlay, args.stills)
    rows = Rows(args.format, args.windows, args.topk)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    if args.out is not None:
        check_target(args.out)
    without_answer = 0
    try:
        with open(args.out, 'x', encoding='utf-8', newline='') if args.out else nullcontext(sys.stdout) as out:
            with closing(watch_all(recognizer, listing, how, rows, say)) as texts:
                for text, is_failure in texts:
                    out.write(text)
                    out.flush()
                    without_answer += is_failure
    except UserError:
        if args.out is not None and args.out.read_text(encoding='utf-8') == rows.head:  # nothing is lost
            args.out.unlink()
        raise
    if signals.received():
        signals.say_first()
        signals.end(128 + signals.received())
    return without_answer


def main() -> None:
    args = parse_args()
    listing = find_watched(args)
    rank, count = meet(args.launcher)
    recognizer = cli.open_recognizer(args)
    if listing is not None:
        sys.exit(1 if watch(recognizer, listing, args) else 0)
    output = make_format(args.format, args.topk, recognizer.scorer.several)
    if args.out is not None:
        recognize_to_file(recognizer, output, args, rank, count)
    elif recognize_to_stdout(recognizer, output, args):
        sys.exit(1)


if __name__ == '__main__':
    cli.run(main)
