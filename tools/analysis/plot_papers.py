"""Draw the papers' figures as PNG and SVG.

Accuracy against GFLOPs (Figure 1 of DualFormer and of Video Mobile-Former) and against latency (Figure 2 of VidTr) is
drawn from the papers' tables; accuracy against views (Figure 5 of DualFormer) from files that
`mmdualformer sweep-views` wrote.
"""

import argparse
from pathlib import Path

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.errors import UserError
from mmdualformer.papers.families import FAMILIES
from mmdualformer.papers.figures import plot_accuracy, plot_views, save


def named_file(text: str) -> tuple[str, Path]:
    """Split NAME=FILE."""
    name, _, path = text.partition('=')
    if not path:
        raise argparse.ArgumentTypeError(f'{text!r} must be NAME=FILE')
    return name, Path(path)


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('docs/figures'), help='folder')
    parser.add_argument(
        '--views', nargs='+', type=named_file, metavar='NAME=FILE', help='sweeps of views, as Kinetics-400=views.csv'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.out.is_file():
        raise UserError(f'--out {str(args.out)!r} is a file; it must be a folder')
    figures = {f'{family.key}_accuracy': plot_accuracy(family) for family in FAMILIES.values()}
    if args.views:
        figures['views'] = plot_views(dict(args.views))
    for name, figure in figures.items():
        print(*save(figure, args.out / name))


if __name__ == '__main__':
    cli.run(main)
