"""Turn a released checkpoint into one that our configs load."""

from pathlib import Path

import mmdualformer  # noqa: F401  (mends the installed stack)
from mmdualformer import cli
from mmdualformer.checkpoints.converters import write_converted
from mmdualformer.checkpoints.dualformer import convert_dualformer
from mmdualformer.checkpoints.vidtr import convert_vidtr, convert_vit
from mmdualformer.checks import check_file
from mmdualformer.errors import UserError
from mmdualformer.weights import read_weights

CONVERTERS = {'dualformer': convert_dualformer, 'vidtr': convert_vidtr, 'vit': convert_vit}


def main() -> None:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('family', choices=sorted(CONVERTERS), help='whose checkpoint it is')
    parser.add_argument('source', type=Path, help='released file')
    parser.add_argument('target', type=Path, nargs='?', help='file to write, the same as --out')
    parser.add_argument('--out', type=Path, metavar='FILE.pth', help='file to write')
    args = parser.parse_args()
    if (args.target is None) is (args.out is None):
        parser.error('one file to write is needed, as --out FILE.pth or after the source')
    target = args.out or args.target
    check_file('source', str(args.source))
    if target.is_dir():
        raise UserError(f'--out {str(target)!r} is a folder; it must be a file, such as model.pth')
    if target.exists() and target.samefile(args.source):
        raise UserError(f'--out {str(target)!r} is the source; choose another name')

    converted = CONVERTERS[args.family](read_weights(args.source))
    write_converted(converted, args.source, target)
    print(f'{target}: {len(converted.weights)} tensors of {converted.description}')
    if converted.dropped:
        print(f'dropped {len(converted.dropped)}: {", ".join(converted.dropped)}')
    if converted.made:
        print(f'made {len(converted.made)}: {", ".join(converted.made)}')


if __name__ == '__main__':
    cli.run(main)
