"""Find out in eight minutes what a GPU does with this package: tests, a training, speed, memory and waiting.

Each part is a process with a limit of its own. One that fails or is out of time gets a line, and the next goes on. The
folder --out gets gpu_check.json and the page gpu_check.md, also where some parts did not end. The exit status is 0 if
all parts ran and none of their goals is missed; on a GPU a goal that was not measured is missed.
"""

import argparse
import json
import shlex
import sys
import time
from pathlib import Path

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.analysis.gpu_check import PARTS, Job, Outcome, Setting, judge, run_jobs, run_part, write_page
from mmdualformer.errors import UserError, printable


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    cli.add_device_argument(parser)
    parser.add_argument('--quick', action='store_true', help='tiny sizes, to see that the parts work')
    parser.add_argument(
        '--parts', nargs='+', choices=PARTS, default=list(PARTS), metavar='PART', help=f'of {", ".join(PARTS)}'
    )
    parser.add_argument(
        '--time-factor',
        type=cli.at_least(1),
        default=1,
        metavar='X',
        help='give each part X times as long, as on a CPU',
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/gpu_check'), help='folder to write to')
    parser.add_argument('--part', choices=PARTS, help=argparse.SUPPRESS)  # in a process that the driver starts
    parser.add_argument('--seconds', type=cli.seconds, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f'--out {str(args.out)!r} must be a folder, and a file is there') from None
    folder = args.out.absolute()
    if args.part:
        run_part(args.part, Setting(args.device, args.quick, folder, args.seconds or PARTS[args.part].seconds))
        return
    names = [name for name in PARTS if name in args.parts]
    for name in names:
        (folder / f'{name}.json').unlink(missing_ok=True)  # of an earlier check

    def job(name: str) -> Job:
        options = ['--device', args.device, '--out', str(folder), '--part', name, *(['--quick'] if args.quick else [])]
        return Job(
            name,
            lambda seconds: [sys.executable, __file__, *options, '--seconds', str(max(seconds, 1.0))],
            PARTS[name].seconds * args.time_factor,
        )

    def say(outcome: Outcome) -> None:
        reason = f': {printable(outcome.reason)}' if outcome.reason else ''
        print(f'{outcome.name:10} {outcome.seconds:4.0f} s  {outcome.status}{reason}', flush=True)

    start = time.monotonic()
    outcomes = run_jobs([job(name) for name in names], folder, say)
    results = {name: json.loads(path.read_text()) for name in names if (path := folder / f'{name}.json').exists()}
    goals = [goal for goal in judge(results) if goal.part in names]
    command = shlex.join(['bash', 'tools/analysis/gpu_check.sh', *sys.argv[1:]])
    _, page = write_page(folder, command, outcomes, results, goals)
    print()
    for goal in goals:
        verdict = {True: 'met', False: 'missed', None: 'not measured'}[goal.met]
        print(f'{verdict:12}  {goal.text}: {printable(goal.said)}')
    print(f'{time.monotonic() - start:.0f} s; {page}')
    is_complete = all(outcome.status == 'done' for outcome in outcomes)
    is_gpu = args.device != 'cpu'
    sys.exit(not is_complete or any(goal.met is False or (goal.met is None and is_gpu) for goal in goals))


if __name__ == '__main__':
    cli.run(main)
