"""Print, or run, all commands from a data set and no weights to a number in a paper's table.

Run it in the root of the repository, or anywhere as `mmdualformer reproduce`. Checkpoints that are in checkpoints/ are
not made again: to leave out a pretraining, put there a released one that tools/convert_checkpoint.py converted.
"""

import argparse
from shlex import quote

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.commands import translate
from mmdualformer.errors import UserError
from mmdualformer.papers.families import FAMILIES
from mmdualformer.papers.published import QUICKSTART, find_rows
from mmdualformer.papers.reproduction import Machine, chain, run_steps
from mmdualformer.papers.twins import with_token_labels, without_token_labels

SELECTORS = ('data', 'pretrain', 'views')  # what tells rows of one name from each other


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('--table', required=True, metavar='PAPER/TABLE', help='such as dualformer/1 or vidtr/5a')
    parser.add_argument('--row', required=True, help='name of the row, such as DualFormer-B')
    parser.add_argument('--data', help='data set, where several rows have the name')
    parser.add_argument('--pretrain', help='pretraining, where several rows have the name')
    parser.add_argument('--views', metavar='CLIPSxCROPS', help='views, such as 4x3, where several rows have the name')
    parser.add_argument(
        '--token-labels',
        action=argparse.BooleanOptionalAction,
        help="train a row of an ablation with token labels, or without; default: a table's default row with",
    )
    parser.add_argument('--gpus', type=cli.at_least(1), default=8, help='GPUs, eight a machine')
    parser.add_argument('--launcher', choices=['pytorch', 'slurm', 'none'], default='pytorch', help='job launcher')
    parser.add_argument('--partition', help="Slurm's partition")
    parser.add_argument(cli.OPTIONS, action='append', default=[], metavar='KEY=VALUE ...', help='settings for all runs')
    parser.add_argument('--run', action='store_true', help='run the commands')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    paper, _, table = args.table.partition('/')
    if paper not in (*FAMILIES, QUICKSTART) or not table:
        raise UserError(f'--table {args.table!r} must be {", ".join(FAMILIES)} or {QUICKSTART}, a slash and a table')
    rows = find_rows(paper, table, args.row, args.data, args.pretrain, args.views)
    if args.token_labels is not None:
        rows = (with_token_labels if args.token_labels else without_token_labels)(rows)
    choices = [
        ' '.join(f'--{name} {quote(getattr(row, name))}' for name in SELECTORS if getattr(row, name)) for row in rows
    ]
    if args.run and len(rows) > 1:
        raise UserError(f'--row {args.row!r} means {len(rows)} rows; choose one of: {"; ".join(choices)}')
    if args.run and args.launcher == 'slurm' and not args.partition:
        raise UserError('--launcher slurm needs --partition')

    machine = Machine(args.gpus, args.launcher, args.partition or 'PARTITION')
    if args.run and args.launcher == 'pytorch' and machine.nodes > 1:
        raise UserError(
            f'--run with --gpus {args.gpus} takes --launcher slurm, which starts processes on '
            f'{machine.nodes} machines; without --run this prints what to run on each'
        )
    steps = chain(rows[0], machine, args.cfg_options)
    if args.run:
        run_steps(steps)
        return
    print(f'# {args.table}, {args.row}: {choices[0]}')
    for choice in choices[1:]:
        print(f'# another row of this name: {choice}')
    if args.launcher == 'pytorch' and machine.nodes > 1:
        print(
            f'# what has NNODES runs on each of {machine.nodes} machines, with its own NODE_RANK, from 0, and the '
            'address of the first in MASTER_ADDR; all else on one, all in one folder'
        )
    for number, step in enumerate(steps, 1):
        print(f'\n# {number}. {step.title}\n{translate(step.command)}')


if __name__ == '__main__':
    cli.run(main)
