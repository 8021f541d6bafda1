"""Print the classes that one model recognises best beside another, and those that it recognises worst.

Both are predictions that `mmdualformer test --dump` has saved. VidTr's paper compares VidTr-S and an I3D50 so (Table
4); what it prints of a class stands beside ours.
"""

import argparse
from pathlib import Path

from mmdualformer import cli
from mmdualformer.analysis import compare_classes, load_predictions
from mmdualformer.checks import read_labels
from mmdualformer.papers.published import load_paper


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('first', help='.pkl file of a model')
    parser.add_argument('second', help='.pkl file of another, of the same videos')
    parser.add_argument('--labels', type=Path, help='text file with the name of a class a line')
    parser.add_argument('--top', type=cli.at_least(1), default=5, help='classes at each end')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    first, second = (load_predictions(path) for path in (args.first, args.second))
    names = []
    if args.labels:
        names = read_labels(args.labels, len(first[0]['pred_score']), 'the predictions have')
    gains = compare_classes(first, second)
    published = load_paper('vidtr')['class_gains']
    for title, part in (
        (f'{args.first} is better', gains[: args.top]),
        (f'{args.second} is better', gains[: -args.top - 1 : -1]),
    ):
        print(title)
        for gain in part:
            name = names[gain.label] if names else str(gain.label)
            paper = f' (paper {published[name]:+.1f} %)' if name in published else ''
            print(f'  {gain.gain:+7.1%}  {name}: {gain.first:.1%} and {gain.second:.1%} of {gain.videos} videos{paper}')


if __name__ == '__main__':
    cli.run(main)
