"""Print the papers' tables with our numbers beside theirs.

Costs are counted from the configs, without computing anything. Accuracies are those of tests in --results, a folder
with work dirs; what was not run stays empty.
"""

import argparse
import sys
from pathlib import Path

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.errors import UserError
from mmdualformer.papers import tables
from mmdualformer.papers.report import FORMATS
from mmdualformer.papers.results import find_results


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('--paper', choices=[*tables.PAPERS, tables.QUICKSTART], help='only this paper')
    parser.add_argument('--table', help='only this table of the paper, such as 1, 5a or S1')
    parser.add_argument('--results', type=Path, metavar='DIR', help='folder with work dirs of tests')
    parser.add_argument(
        '--token-labels',
        action=argparse.BooleanOptionalAction,
        help='results of ablations whose rows all have token labels, or all have none; by default one row has them',
    )
    parser.add_argument('--format', choices=FORMATS, default='md', help='Markdown, csv or HTML')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.table and not args.paper:
        raise UserError(f'--table {args.table!r} needs --paper, one of {", ".join(tables.PAPERS)}')
    results, left_out = find_results(args.results) if args.results else ({}, [])
    for line in left_out:
        print(f'left out: {line}', file=sys.stderr)
    rows = [
        row for paper in ([args.paper] if args.paper else tables.PAPERS) for row in tables.load_rows(paper, args.table)
    ]
    if args.token_labels is not None:
        rows = (tables.with_token_labels if args.token_labels else tables.without_token_labels)(rows)
    print(FORMATS[args.format](tables.compare(rows, results)), end='')
    for config in dict.fromkeys(row.config for row in rows if row.config in results):
        print(f'{config}: {results[config].log}', file=sys.stderr)


if __name__ == '__main__':
    cli.run(main)
