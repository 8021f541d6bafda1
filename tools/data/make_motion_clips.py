"""Write the motion data set of the quick start: eight classes that no single frame tells apart."""

from pathlib import Path

from mmdualformer import cli
from mmdualformer.datasets.motion_clips import write_dataset


def main() -> None:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('data/motion'), metavar='DIR', help='folder to write to')
    parser.add_argument('--train', type=cli.at_least(1), default=1600, help='training clips')
    parser.add_argument('--val', type=cli.at_least(1), default=160, help='validation clips')
    args = parser.parse_args()
    write_dataset(args.out, args.train, args.val)


if __name__ == '__main__':
    cli.run(main)
