"""Measure how time and memory grow with the frames and the size of a clip, and with the batch.

One length is varied at a time, the others stay those of --base. Each cost is fitted as a power of the length: 1 is
proportional, 2 is four times for twice the length.
"""

import argparse
import sys

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)

# isort: split
import torch

from mmdualformer import cli
from mmdualformer.analysis.benchmark import Entry, Result, Source, measure, read_models
from mmdualformer.analysis.benchmark.output import as_record, check_json_output, write_json
from mmdualformer.analysis.scaling import AXES, fit_growth, list_points
from mmdualformer.analysis.scaling.growth import describe_growth
from mmdualformer.errors import UserError, printable
from mmdualformer.models.precision import DTYPES
from mmdualformer.papers.latency import device_name
from mmdualformer.papers.report import markdown_table

COSTS = {'cpu': ('cpu_ms', 'CPU ms'), 'cuda': ('ms', 'ms')}  # column of the record, and what it is called


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('models', nargs='+', metavar='CONFIG|CHECKPOINT', help='as of mmdualformer benchmark')
    lengths = cli.at_least(1)
    parser.add_argument('--frames', type=lengths, nargs='+', default=[8, 16, 32, 64, 128], help='of a clip')
    parser.add_argument('--size', type=lengths, nargs='+', default=[112, 160, 224, 320, 448], help='pixels of a side')
    parser.add_argument('--batch', type=lengths, nargs='+', default=[1, 4, 16, 64], help='clips at a time')
    parser.add_argument('--base', type=cli.clip_size, default='16x112', metavar='TxS', help='what is not varied')
    parser.add_argument('--train', action='store_true', help='training steps: forward, backward, SGD with momentum')
    cli.add_device_argument(parser)
    parser.add_argument('--dtype', choices=DTYPES, default='float32', help='what products are computed in')
    parser.add_argument('--threads', type=cli.at_least(1), default=torch.get_num_threads(), help='threads of a CPU')
    parser.add_argument('--runs', type=cli.at_least(1), default=5, help='timed runs of each')
    cli.add_out_arguments(parser, metavar='FILE.json', help='also write all that was measured')
    return parser.parse_args()


def measure_points(
    args: argparse.Namespace, sources: list[Source], points: dict[str, dict[int, tuple[int, int, int]]]
) -> list[Result]:
    """Measure every clip once, though several axes have it."""
    entries = {
        Entry(source, 'eager', args.dtype, args.device, batch, (frames, size, size), args.train): None
        for source in sources
        for lengths in points.values()
        for frames, size, batch in lengths.values()
    }
    results, left_out = measure(list(entries), args.runs, args.threads, lambda line: print(line, file=sys.stderr))
    for title, reason in left_out.items():
        print(f'warning: {printable(title)} is left out: {printable(reason)}', file=sys.stderr)
    return results


def fit_table(records: list[dict], points: dict[str, dict[int, tuple[int, int, int]]], device: str) -> str:
    """Exponents of time and memory, for each model and axis."""
    column, name = COSTS[torch.device(device).type]
    columns = ('model', 'varied', name, 'exponent of time', 'exponent of memory')
    lines = []
    for model in dict.fromkeys(record['model'] for record in records):
        for axis, lengths in points.items():
            found = {
                length: record
                for length, (frames, size, batch) in lengths.items()
                for record in records
                if (record['model'], record['frames'], record['height'], record['batch'])
                == (model, frames, size, batch)
            }
            if len(found) < 2:
                continue
            costs = {length: record[column] for length, record in found.items()}
            memory = {length: record['memory_mib'] for length, record in found.items()}
            fits = [describe_growth(fit_growth(costs))]
            fits.append(describe_growth(fit_growth(memory)) if all(memory.values()) else '')
            values = ', '.join(f'{length}: {cost:.0f}' for length, cost in costs.items())
            lines.append(dict(zip(columns, (model, axis, values, *fits))))
    return markdown_table(columns, lines)


def main() -> None:
    args = parse_args()
    sources = read_models(args.models)
    check_json_output(args.out, args.overwrite)
    frames, size, width = args.base
    if size != width:
        raise UserError(f'--base {frames}x{size}x{width} must be frames and one size')
    base = (frames, size, 1)
    points = list_points(base, {axis: getattr(args, axis) for axis in AXES})
    results = measure_points(args, sources, points)
    if not results:
        raise UserError('nothing could be measured, for the reasons above')
    records = [as_record(result) for result in results]
    torch.set_num_threads(args.threads)
    where = device_name(torch.device(args.device))
    step = 'a training step' if args.train else 'a batch'
    print(f'{where}; {step} of 1 x {frames} x {size} x {size}, where not varied; medians of {args.runs}\n')
    print(fit_table(records, points, args.device), end='')
    if args.out is not None:
        conditions = dict(device=where, threads=args.threads, runs=args.runs, torch=torch.__version__)
        write_json(args.out, dict(conditions, results=records))


if __name__ == '__main__':
    cli.run(main)
