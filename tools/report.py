"""Write a report of predictions that `mmdualformer test --dump` has saved: a page, its figures and its numbers.

With CONFIG it says what the clips are, how their classes are called, and what the model costs. With the work dir of the
run it has the curves of the training, and which videos could not be read.
"""

import argparse
from pathlib import Path

from mmdualformer import cli
from mmdualformer.analysis import load_predictions
from mmdualformer.checks import read_labels
from mmdualformer.configs import read_config
from mmdualformer.errors import UserError
from mmdualformer.report import write_report


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('predictions', metavar='PREDICTIONS.pkl', help='what `mmdualformer test --dump` saved')
    parser.add_argument('config', nargs='?', metavar='CONFIG', help='config file of the test')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder of the report')
    parser.add_argument('--work-dir', type=Path, metavar='DIR', help='folder of the training')
    parser.add_argument('--checkpoint', help='the checkpoint that made the predictions, for the page')
    parser.add_argument('--labels', type=Path, help='text file with the name of a class a line')
    cli.add_options_argument(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.cfg_options and not args.config:
        raise UserError('--cfg-options needs a config')
    if args.work_dir and not args.work_dir.is_dir():
        raise UserError(f'--work-dir {str(args.work_dir)!r} is no folder (looked in {Path.cwd()})')
    samples = load_predictions(args.predictions)
    cfg = read_config(args.config, args.cfg_options) if args.config else None
    names = read_labels(args.labels, len(samples[0]['pred_score']), 'the predictions have') if args.labels else None
    work_dirs = [args.work_dir] if args.work_dir else []
    print(write_report(args.out, samples, cfg, work_dirs, names, args.checkpoint))


if __name__ == '__main__':
    cli.run(main)
