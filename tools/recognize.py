"""Print what a trained recognizer sees in video files."""

import argparse
import math
import sys
from contextlib import closing
from pathlib import Path

import mmdualformer  # noqa: F401  (mends the installed stack, and says first if there is no mmcv)

# isort: split
from mmdualformer import cli
from mmdualformer.recognition import Recognizer
from mmdualformer.recognition.bulk import list_videos, recognize_files
from mmdualformer.recognition.recognizer import DTYPES, EXPORTED
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
        '--batch-size', type=cli.at_least(1), help=f'videos to score together (default: {BATCH_ON_GPU} on a GPU, else 1)'
    )
    cli.add_workers_argument(parser, default=2)
    args = parser.parse_args()
    args.format = name_format(args.format, args.out)
    if args.batch_size is None:
        args.batch_size = 1 if args.device == 'cpu' else BATCH_ON_GPU
    return args


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


def main() -> None:
    args = parse_args()
    recognizer = load(args)
    output = make_format(args.format, args.topk, recognizer.scorer.several)
    # An input that is no file, such as a camera or a stream, branches off here.
    without_answer = recognize_to_stdout(recognizer, output, args)
    if without_answer:
        sys.exit(1)


if __name__ == '__main__':
    cli.run(main)
