"""Measure the latencies of a paper's table on this machine: VidTr's Tables 2 and 3, Video Mobile-Former's Table 12.

A view of each model that a config of ours or of MMAction2's stands for, one at a time, in float32, on a GPU where there
is one and else on the CPU. What was measured stands beside the paper's columns, which are those of its machine.
"""

import argparse

import torch

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.errors import UserError
from mmdualformer.papers import tables
from mmdualformer.papers.latency import LATENCIES, device_name, latency_table, measure_latencies


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('--paper', required=True, choices=tables.PAPERS, help='paper of the table')
    parser.add_argument('--table', required=True, help="such as '2'")
    parser.add_argument('--rows', nargs='+', metavar='ROW', help='only these rows')
    cli.add_device_argument(parser)
    parser.add_argument('--threads', type=cli.at_least(1), default=torch.get_num_threads(), help='threads of a CPU')
    parser.add_argument('--runs', type=cli.at_least(1), default=7, help='timed runs of each')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    rows = [row for row in tables.load_rows(args.paper, args.table) if row.published.keys() & set(LATENCIES)]
    if not rows:
        raise UserError(
            f'--table {args.table!r} of {args.paper} has no latencies; those that have are '
            f'{", ".join(dict.fromkeys(_tables_with_latencies()))}'
        )
    names = [row.row for row in rows]
    unknown = [name for name in args.rows or () if name not in names]
    if unknown:
        raise UserError(f'--rows {unknown[0]!r} must be of {", ".join(names)}')
    rows = [row for row in rows if not args.rows or row.row in args.rows]
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    times = measure_latencies(rows, device, args.runs)
    print(latency_table(rows, times, device_name(device)), end='')


def _tables_with_latencies() -> list[str]:
    return [
        f'{row.paper}/{row.table}'
        for paper in tables.PAPERS
        for row in tables.load_rows(paper)
        if row.published.keys() & set(LATENCIES)
    ]


if __name__ == '__main__':
    cli.run(main)
