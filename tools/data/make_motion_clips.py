"""Write the motion data set of the quick start: eight classes that no single frame tells apart."""

import argparse
from pathlib import Path

from mmdualformer import cli
from mmdualformer.datasets.motion_clips import write_dataset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--root', type=Path, default=Path('data/motion'), help='folder to write to')
    parser.add_argument('--train', type=int, default=1600, help='training clips')
    parser.add_argument('--val', type=int, default=160, help='validation clips')
    args = parser.parse_args()
    write_dataset(args.root, args.train, args.val)


if __name__ == '__main__':
    cli.run(main)
