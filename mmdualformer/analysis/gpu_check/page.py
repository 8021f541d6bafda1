"""What was found, as a page that also says what was not."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdualformer.errors import printable
from mmdualformer.files import write_atomically
from mmdualformer.papers.report import markdown_table

from .goals import Goal
from .running import Outcome
from .setting import PARTS

VERDICTS = {True: 'met', False: '**missed**', None: 'not measured'}
Results = Mapping[str, Any]


def write_page(
    folder: Path, command: str, outcomes: Sequence[Outcome], results: Results, goals: Sequence[Goal]
) -> tuple[Path, Path]:
    """Write ``gpu_check.json`` and ``gpu_check.md``.

    Args:
        folder (Path): Where.
        command (str): What was called.
        outcomes (sequence): What became of the parts.
        results (mapping): What they have found, by their names.
        goals (sequence): The goals.

    Returns:
        tuple[Path, Path]: The two files.
    """
    content = {
        'command': command,
        'goals': [vars(goal) for goal in goals],
        'parts': [vars(outcome) for outcome in outcomes],
        'results': dict(results),
    }
    paths = folder / 'gpu_check.json', folder / 'gpu_check.md'
    with write_atomically(paths[0]) as partial:
        partial.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')
    with write_atomically(paths[1]) as partial:
        partial.write_text(_page(command, outcomes, results, goals), encoding='utf-8')
    return paths


def _page(command: str, outcomes: Sequence[Outcome], results: Results, goals: Sequence[Goal]) -> str:
    lines = ['# GPU check', '', f'```\n{command}\n```', '']
    lines.append(_table([{'goal': goal.text, '': VERDICTS[goal.met], 'measured': goal.said} for goal in goals]))
    for outcome in outcomes:
        lines += [f'## {PARTS[outcome.name].title}', '']
        if outcome.status != 'done':
            lines += [f'**{outcome.status}**: {_cell(outcome.reason)}', '']
        found = results.get(outcome.name)
        if found:
            lines.append(SECTIONS[outcome.name](found))
        lines += [f'{outcome.seconds:.0f} s', '']
    return '\n'.join(lines)


def _table(rows: Sequence[Mapping[str, object]]) -> str:
    """A Markdown table of rows that have the same columns."""
    if not rows:
        return ''
    columns = list(rows[0])
    return markdown_table(columns, [{column: _cell(row[column]) for column in columns} for row in rows])


def _cell(value: object) -> str:
    """A value in a table; texts come from messages of others."""
    return '' if value is None else printable(value).replace('|', '\\|').replace('<', '&lt;')


def _device(found: dict) -> str:
    facts = [{'fact': name, 'value': value} for name, value in found.items() if name not in ('side', 'matmul_tflops')]
    rates = [
        {'matrix products': name, 'TFLOP/s': rate, 'of matrices': f'{found["side"]} x {found["side"]}'}
        for name, rate in found.get('matmul_tflops', {}).items()
    ]
    return f'{_table(facts)}\n{_table(rates)}'


def _tests(found: dict) -> str:
    failed = ''.join(f'- {_cell(name)}\n' for name in found['failed'])
    return f'{found["passed"]} passed, {len(found["failed"])} failed, {found["skipped"]} skipped.\n\n{failed}'


def _training(found: dict) -> str:
    return _table([{'dtype': dtype, **values} for dtype, values in found.items()])


def _waiting(found: dict) -> str:
    rows = [{f'step on {found["on"]}': name, 'waits at': place or 'no place'} for name, place in found['waits'].items()]
    return _table(rows)


def _speed(found: dict) -> str:
    columns = ('model', 'step', 'form', 'dtype', 'batch', 'ms', 'clips_per_s', 'memory_mib', 'share')
    rows = [{column: row[column] for column in columns} for row in found['results']]
    left_out = [{'left out': title, 'because': reason} for title, reason in found['left_out'].items()]
    return f'`ms` is of a batch, `share` of the rate of matrix products.\n\n{_table(rows)}\n{_table(left_out)}'


def _profile(found: dict) -> str:
    parts = [f'{name}: {values["ms"]} ms\n\n{_table(values["kernels"])}' for name, values in found.items()]
    return '\n'.join(parts)


def _memory(found: dict) -> str:
    columns = ('config', 'batch', 'with_cp', 'estimate_gib', 'measured_gib', 'reserved_gib', 'reason')
    rows = [{column: row.get(column) for column in columns} for row in found['rows']]
    return f'The estimate is of a bfloat16 step with AdamW, without a GPU.\n\n{_table(rows)}'


def _attention(found: dict) -> str:
    return f'`{" ".join(found["command"])}`\n\n```\n{found["table"]}```\n'


def _data(found: dict) -> str:
    rows = [
        {
            'config': row['config'],
            'training takes, clips/s': row['needed'],
            f'{found["workers"]} workers read, clips/s': row['read'],
            'workers needed': f'{row["workers_needed"]:.0f}',
        }
        for row in found['rows']
    ]
    return f'{found["batch"]} clips a batch.\n\n{_table(rows)}'


SECTIONS: dict[str, Callable[[dict], str]] = {
    'device': _device,
    'tests': _tests,
    'training': _training,
    'waiting': _waiting,
    'speed': _speed,
    'profile': _profile,
    'memory': _memory,
    'attention': _attention,
    'data': _data,
}
