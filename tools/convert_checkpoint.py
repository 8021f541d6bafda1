"""Turn a released checkpoint into one that our configs load, or a trained one into weights to give away."""

from pathlib import Path

import mmdualformer  # noqa: F401  (mends the installed stack)
from mmdualformer import cli
from mmdualformer.checkpoints.converters import write_converted
from mmdualformer.checkpoints.dualformer import convert_dualformer
from mmdualformer.checkpoints.trained import convert_trained
from mmdualformer.checkpoints.vidtr import convert_vidtr, convert_vit
from mmdualformer.checks import check_file
from mmdualformer.errors import UserError, printable
from mmdualformer.files import check_target
from mmdualformer.weights import read_weights

CONVERTERS = {'dualformer': convert_dualformer, 'vidtr': convert_vidtr, 'vit': convert_vit}

TRAINED = 'trained'


def main() -> None:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument(
        'family',
        choices=[*sorted(CONVERTERS), TRAINED],
        help=f'whose checkpoint it is; {TRAINED} is one that a run of ours wrote, whose state of training is left out',
    )
    parser.add_argument('source', type=Path, help='file to convert, .safetensors or of torch.save')
    parser.add_argument('target', type=Path, nargs='?', help='file to write, the same as --out')
    cli.add_out_arguments(parser, metavar='FILE', help='file to write, .pth or .safetensors')
    args = parser.parse_args()
    if (args.target is None) is (args.out is None):
        parser.error('one file to write is needed, as --out FILE or after the source')
    target = args.out or args.target
    check_file('source', str(args.source))
    if target.exists() and target.samefile(args.source):
        raise UserError(f'--out {str(target)!r} is the source; choose another name')
    check_target(target, args.overwrite)

    if args.family == TRAINED:
        converted = convert_trained(args.source)
    else:
        converted = CONVERTERS[args.family](read_weights(args.source))
    write_converted(converted, args.source, target)
    print(f'{target}: {len(converted.weights)} tensors of {printable(converted.description)}')
    if converted.dropped:
        print(f'dropped {len(converted.dropped)}: {printable(", ".join(converted.dropped))}')
    if converted.made:
        print(f'made {len(converted.made)}: {printable(", ".join(converted.made))}')


if __name__ == '__main__':
    cli.run(main)
