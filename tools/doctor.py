"""Check this machine and its packages; each fault comes with the command that mends it."""

import argparse
import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

if importlib.util.find_spec('mmdualformer') is None:  # a clone that is not installed
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if 'mmdualformer' not in sys.modules:
    # the package without running it, which fails where a doctor is needed
    sys.modules['mmdualformer'] = importlib.util.module_from_spec(importlib.util.find_spec('mmdualformer'))

from mmdualformer.commands import program_name
from mmdualformer.doctor.report import examine


class ArgumentParser(argparse.ArgumentParser):
    """Its errors are those of cli.ArgumentParser, which needs torch."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f'error: {message}; see {self.prog} --help\n')


def parse_args() -> argparse.Namespace:
    parser = ArgumentParser(prog=program_name(), description=__doc__, allow_abbrev=False)
    form = parser.add_mutually_exclusive_group()
    form.add_argument('--json', action='store_true', help='print all results as JSON, and nothing else')
    form.add_argument('--brief', action='store_true', help='print warnings, faults and the last line only')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        sys.exit(examine(as_json=args.json, brief=args.brief))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:  # as of `| head`, which has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


if __name__ == '__main__':
    main()
