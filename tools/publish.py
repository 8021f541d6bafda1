"""Make a checkpoint ready to give away: without the state of training, named by its content, with a model card."""

from pathlib import Path

import mmdualformer  # noqa: F401  (mends the installed stack)
from mmdualformer import cli
from mmdualformer.checks import check_file
from mmdualformer.errors import printable
from mmdualformer.publishing import FORMATS, publish


def main() -> None:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', type=Path, help='a checkpoint that a run of ours has written')
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        metavar='FOLDER_OR_FILE',
        help='a folder, or a file NAME.safetensors or NAME.pth; NAME is followed by the date and by the first 8 hex '
        "digits of the file's SHA-256, and README.md comes beside it",
    )
    parser.add_argument(
        '--format', choices=FORMATS, help="form of the file (default: that of --out's name, or safetensors)"
    )
    parser.add_argument('--license', metavar='NAME', help='license of the weights, such as apache-2.0')
    parser.add_argument('--data', metavar='TEXT', help='what it was trained on, in Markdown')
    parser.add_argument('--overwrite', action='store_true', help='replace files that are there')
    args = parser.parse_args()
    check_file('checkpoint', str(args.checkpoint))
    target, card = publish(args.checkpoint, args.out, args.format, args.license, args.data, args.overwrite)
    print(f'{printable(target)}: {target.stat().st_size / 1e6:.2f} MB')
    print(f'{printable(card)}: what it is; read it before you give it away')


if __name__ == '__main__':
    cli.run(main)
