"""What tries came to, as a table and as a file."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from mmdualformer.files import write_atomically
from mmdualformer.report.runs import read_lists

from .tries import Try
from .try_settings import SETTINGS

RESULTS = 'tries.json'


def show_tries(path: Path, tries: Sequence[Try]) -> None:
    """Write what :meth:`Tries.rank` gives as ``tries.json``, print it, and say what the best number is worth.

    Args:
        path (Path): The work dir.
        tries (sequence): The ranked tries.
    """
    _write(path / RESULTS, tries)
    _print(tries)
    if read_lists([path]).get('test_is_validation'):
        print(
            'the number of the best has chosen it, so it is too high, and so is its test on the same videos; for one '
            'that chose nothing keep videos to test on, as by --test-share 0.2'
        )


def _write(path: Path, tries: Sequence[Try]) -> None:
    rows = [
        {
            'try': one.number,
            'model': one.model,
            **one.settings,
            'metric': one.metric,
            'value': one.score,
            'minutes': round(one.minutes, 2),
            'status': 'failed' if one.score is None else 'trained',
            'exit_status': one.status,
            'work_dir': one.run.path.name,
        }
        for one in tries
    ]
    with write_atomically(path) as partial:
        partial.write_text(json.dumps(rows, indent=1) + '\n', encoding='utf-8')


def _print(tries: Sequence[Try]) -> None:
    names = [setting.name for setting in SETTINGS if any(setting.name in one.settings for one in tries)]
    metric = next((one.metric for one in tries if one.metric), 'result')
    # fits a terminal of 80 columns, also with the longest name of a model
    table = Table(box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    for name in ('try', 'model', *names, metric, 'minutes'):
        table.add_column(name, no_wrap=' ' not in name)
    for one in tries:
        values = [f'{one.settings[name]:.2g}' if name in one.settings else '' for name in names]
        result = 'failed' if one.score is None else f'{one.score:.4f}'
        table.add_row(str(one.number), one.model, *values, result, f'{one.minutes:.1f}')
    Console().print(table)
