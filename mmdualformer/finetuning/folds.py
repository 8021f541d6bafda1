"""What the folds of a cross-validation came to."""

import json
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mmdualformer.files import write_atomically

from .work_dir import fold_dir

SAME = ('source', 'classes', 'folds', 'seed', 'group_by')  # of folds of one cross-validation


def summarize_folds(work_dir: Path, folds: int) -> dict | None:
    """Summarize the tests of all folds, and write them as ``folds.json``.

    Args:
        work_dir (Path): With a folder ``fold_1`` and so on, in each of which a test has written its metrics.
        folds (int): How many.

    Returns:
        dict or None: For each metric the values of the folds, their mean, and their standard deviation as of a sample.
        None while the test of a fold is missing, or is one of another split.
    """
    read = [_read_test(fold_dir(work_dir, fold)) for fold in range(1, folds + 1)]
    results = [result for result in read if result is not None]
    if len(results) < folds or any(split != results[0][0] for split, _ in results):
        return None
    tests = [metrics for _, metrics in results]
    names = [name for name in tests[0] if all(name in test for test in tests)]
    summary = {}
    for name in names:
        values = [test[name] for test in tests]
        summary[name] = dict(values=values, mean=float(np.mean(values)), std=float(np.std(values, ddof=1)))
    with write_atomically(work_dir / 'folds.json') as partial:
        partial.write_text(json.dumps(summary, indent=1) + '\n', encoding='utf-8')
    return summary


def print_folds(summary: dict) -> None:
    """Print what :func:`summarize_folds` gives as a table."""
    table = Table('fold', *summary)
    columns = list(summary.values())
    for fold, values in enumerate(zip(*(column['values'] for column in columns)), 1):
        table.add_row(str(fold), *(f'{value:.4f}' for value in values))
    table.add_section()
    table.add_row('mean', *(f'{column["mean"]:.4f}' for column in columns))
    table.add_row('standard deviation', *(f'{column["std"]:.4f}' for column in columns))
    Console().print(table)


def _read_test(work_dir: Path) -> tuple[dict, dict[str, float]] | None:
    """Read what split a fold is of, and the metrics of its newest test."""
    # MMEngine's logger writes those of a test as TIMESTAMP/TIMESTAMP.json; there is a report/report.json too
    files = [path for path in work_dir.glob('[0-9]*_[0-9]*/*.json') if path.stem == path.parent.name]
    data = work_dir / 'lists' / 'data.json'
    if not files or not data.is_file():
        return None
    metrics = json.loads(max(files, key=lambda path: path.stat().st_mtime).read_text(encoding='utf-8'))
    content = json.loads(data.read_text(encoding='utf-8'))
    accuracies = {name: value for name, value in metrics.items() if name.startswith('acc/')}
    return {key: content.get(key) for key in SAME}, accuracies
