"""Turn a released checkpoint into one that our configs load."""

import argparse
from pathlib import Path

import mmdualformer  # noqa: F401  (mends the installed stack)
from mmdualformer import cli
from mmdualformer.checkpoints.convert import read_weights, write_checkpoint
from mmdualformer.checkpoints.dualformer import convert_dualformer
from mmdualformer.checkpoints.vidtr import convert_vidtr, convert_vit
from mmdualformer.errors import UserError

CONVERTERS = {'dualformer': convert_dualformer, 'vidtr': convert_vidtr, 'vit': convert_vit}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('family', choices=sorted(CONVERTERS), help='whose checkpoint it is')
    parser.add_argument('source', type=Path, help='released file')
    parser.add_argument('target', type=Path, help='file to write')
    args = parser.parse_args()
    if args.target.exists() and args.target.samefile(args.source):
        raise UserError(f'target {str(args.target)!r} is the source; choose another name')

    converted = CONVERTERS[args.family](read_weights(args.source))
    write_checkpoint(converted, args.source, args.target)
    print(f'{args.target}: {len(converted.weights)} tensors of {converted.description}')
    if converted.dropped:
        print(f'dropped {len(converted.dropped)}: {", ".join(converted.dropped)}')
    if converted.made:
        print(f'made {len(converted.made)}: {", ".join(converted.made)}')


if __name__ == '__main__':
    cli.run(main)
