"""Measure how fast models are, in all their forms, side by side: a model of ours, of MMAction2's, or a model file.

All that is named is measured in turn in one process, so that what else the machine does meets all alike. The table has
medians, quartiles, the time of all threads of the CPU, and how much of the device's own rate of matrix products a model
reaches. Models of configs have random weights, which are as fast.
"""

import argparse
import itertools
import sys

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)

# isort: split
import torch

from mmdualformer import cli
from mmdualformer.analysis.benchmark import (
    ENDINGS,
    Entry,
    Source,
    check_output,
    measure,
    read_source,
    results_table,
    write_results,
)
from mmdualformer.analysis.benchmark.entries import EXPORTED, FORMS
from mmdualformer.errors import UserError, printable
from mmdualformer.export import DTYPES
from mmdualformer.papers.latency import device_name


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument(
        'models',
        nargs='+',
        metavar='CONFIG|CHECKPOINT|FILE',
        help='configs, also such as mmaction::recognition/x3d/NAME.py; checkpoints that describe their model; .onnx '
        'and .xml files that mmdualformer export wrote',
    )
    parser.add_argument('--forms', nargs='+', choices=FORMS, default=['eager'], help='of configs and checkpoints')
    cli.add_device_argument(parser)
    parser.add_argument(
        '--dtype',
        nargs='+',
        choices=[name for name in DTYPES if name != 'int8'],
        default=['float32'],
        help='what products are computed in',
    )
    parser.add_argument('--batch', nargs='+', type=cli.at_least(1), default=[1], help='clips at a time')
    parser.add_argument(
        '--shapes', nargs='+', type=cli.clip_size, metavar='TxS', help="frames and size (default: of the model's test)"
    )
    parser.add_argument('--compile', action='store_true', help='add the form compile')
    parser.add_argument(
        '--train', action='store_true', help='measure training steps: forward, backward, SGD with momentum'
    )
    parser.add_argument('--threads', type=cli.at_least(1), default=torch.get_num_threads(), help='threads of a CPU')
    parser.add_argument('--runs', type=cli.at_least(1), default=7, help='timed runs of each')
    cli.add_out_arguments(
        parser,
        nargs='+',
        default=[],
        metavar='FILE',
        help=f'files to write, which end in {", ".join(ENDINGS)}: the last is a figure of the accuracy that a paper '
        'prints against time',
    )
    return parser.parse_args()


def list_entries(args: argparse.Namespace, sources: list[Source]) -> list[Entry]:
    """All that is to be measured.

    Raises:
        UserError: A form cannot be measured so.
    """
    forms = list(dict.fromkeys([*args.forms, *(['compile'] if args.compile else [])]))
    exported = [form for form in forms if form in EXPORTED]
    files = [source for source in sources if source.kind == 'file']
    if (exported or files) and args.device != 'cpu':
        what = f'--forms {exported[0]}' if exported else printable(files[0].path)
        raise UserError(f'{what} runs on a CPU: give --device cpu')
    if args.train and (exported or files):
        what = f'--forms {exported[0]}' if exported else printable(files[0].path)
        raise UserError(f'--train is of the forms eager and compile, not {what}')
    entries = []
    for source, shape, batch in itertools.product(sources, args.shapes or [None], args.batch):
        if source.kind == 'file':
            entries.append(Entry(source, 'file', 'float32', args.device, batch, shape))
            continue
        for form, dtype in itertools.product(forms, args.dtype):
            entries.append(Entry(source, form, dtype, args.device, batch, shape, args.train))
    return list(dict.fromkeys(entries))


def main() -> None:
    args = parse_args()
    sources = [read_source(text) for text in args.models]
    for path in args.out:
        check_output(path, sources, args.overwrite)
    entries = list_entries(args, sources)
    results, left_out = measure(entries, args.runs, args.threads, lambda line: print(line, file=sys.stderr))
    for title, reason in left_out.items():
        print(f'warning: {printable(title)} is left out: {printable(reason)}', file=sys.stderr)
    if not results:
        raise UserError('nothing could be measured, for the reasons above')
    torch.set_num_threads(args.threads)
    where = device_name(torch.device(args.device))
    step = 'a training step' if args.train else 'a batch'
    print(f'{where}; {step}; medians of {args.runs}\n')
    print(results_table(results), end='')
    for path in args.out:
        write_results(results, path, dict(device=where, threads=args.threads, runs=args.runs, torch=torch.__version__))


if __name__ == '__main__':
    cli.run(main)
