"""Serve a trained recognizer as a web page and an HTTP interface, on this machine."""

import argparse
from pathlib import Path

from mmdualformer import cli, signals
from mmdualformer.errors import UserError, printable
from mmdualformer.models.precision import DTYPES


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    cli.add_model_arguments(parser)
    parser.add_argument('--host', default='127.0.0.1', help='name or address of this machine to listen at')
    parser.add_argument('--port', type=_port, default=8000, help='port to listen at, 0 for a free one')
    parser.add_argument('--max-size', type=cli.at_least(1), default=64, help='MiB that an upload may have')
    parser.add_argument('--max-seconds', type=cli.seconds, default=600.0, help='seconds that a video may last')
    parser.add_argument('--queue', type=cli.at_least(0), default=16, help='videos that may wait for their turn')
    cli.add_labels_argument(parser)
    parser.add_argument('--dtype', choices=list(DTYPES), default='float32', help='what products are computed in')
    parser.add_argument('--access-log', action='store_true', help='print a line for each request')
    cli.add_device_argument(parser)
    return parser.parse_args()


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 1 << 16:
        raise argparse.ArgumentTypeError(f'{text} must be 0 to 65535')
    return port


def main() -> None:
    args = parse_args()
    try:
        from mmdualformer.serving import Limits, prepare, serve
    except ModuleNotFoundError as error:
        raise UserError(f'serving needs the package {error.name}: pip install "mmdualformer[serve]"') from None
    prepare()
    path = Path(args.config if args.checkpoint == 'none' else args.checkpoint)
    recognizer = cli.open_recognizer(args)
    limits = Limits(args.max_size << 20, args.max_seconds, args.queue)
    serve(recognizer, printable(path.name), args.host, args.port, limits, args.access_log)
    if signals.received():
        signals.say_first()
        signals.end(0)


if __name__ == '__main__':
    cli.run(main)
