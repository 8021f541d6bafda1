"""What was measured, as a table, numbers and a figure."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import geometric_mean, median, quantiles
from typing import Any

from mmdualformer.errors import UserError
from mmdualformer.files import check_target, write_atomically

from .entries import Result
from .sources import Source

ENDINGS = ('.csv', '.json', '.png')
Record = dict[str, Any]


def as_record(result: Result) -> Record:
    """The numbers of a result, by the names of the columns of a csv file; units are in the names."""
    batch, _, frames, height, width = result.clip
    middle = median(result.times)
    low, _, high = quantiles(result.times, n=4, method='inclusive') if len(result.times) > 1 else [middle] * 3
    passes = 3 if result.entry.train else 1  # a backward pass costs two forward passes
    compared = median((result.times, result.cpu_times)[result.clock])
    share = None if result.macs is None else passes * result.macs / (1e-3 * compared) / result.rate
    return {
        'model': result.entry.source.name,
        'form': result.form,
        'dtype': result.dtype,
        'device': result.entry.device,
        'step': 'train' if result.entry.train else 'test',
        'batch': batch,
        'frames': frames,
        'height': height,
        'width': width,
        'ms': round(middle, 3),
        'ms_quartile1': round(low, 3),
        'ms_quartile3': round(high, 3),
        'cpu_ms': round(median(result.cpu_times), 3),
        'clips_per_s': round(1e3 * batch / middle, 3),
        'memory_mib': None if result.memory is None else round(result.memory, 1),
        'gmacs': None if result.macs is None else round(passes * result.macs / 1e9, 3),
        'matmul_gmacs_per_s': round(result.rate / 1e9, 1),
        'share': None if share is None else round(share, 4),
        'difference': result.difference,
        'top1': result.top1,
        'views': result.views,
    }


def results_table(results: Sequence[Result]) -> str:
    """Write results as a Markdown table."""
    columns = {
        'model': lambda row: row['model'],
        'form': lambda row: row['form'],
        'dtype': lambda row: row['dtype'],
        'batch x T x H x W': lambda row: f'{row["batch"]}x{row["frames"]}x{row["height"]}x{row["width"]}',
        'ms': lambda row: _digits(row['ms']),
        'quartiles': lambda row: f'{_digits(row["ms_quartile1"])}-{_digits(row["ms_quartile3"])}',
        'CPU ms': lambda row: _digits(row['cpu_ms']),
        'clips/s': lambda row: _digits(row['clips_per_s']),
        'MiB': lambda row: '' if row['memory_mib'] is None else f'{row["memory_mib"]:.0f}',
        'GMACs': lambda row: '' if row['gmacs'] is None else _digits(row['gmacs']),
        'of the matmul rate': lambda row: '' if row['share'] is None else f'{row["share"]:.1%}',
        'logits differ by': lambda row: '' if row['difference'] is None else f'{row["difference"]:.0e}',
    }
    cells = [list(columns)]
    cells += [[column(record) for column in columns.values()] for record in map(as_record, results)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ['| ' + ' | '.join(cell.ljust(width) for cell, width in zip(row, widths)) + ' |' for row in cells]
    return '\n'.join([lines[0], '| ' + ' | '.join('-' * width for width in widths) + ' |', *lines[1:], ''])


def check_output(path: Path, sources: Sequence[Source], overwrite: bool) -> None:
    """Check a file that results are to be written to, before anything is measured.

    Raises:
        UserError: It has another ending, is there already, or is a figure of models whose accuracy no paper prints.
    """
    if path.suffix not in ENDINGS:
        raise UserError(f'--out {str(path)!r} must end in {", ".join(ENDINGS)}')
    if not path.absolute().parent.is_dir():
        raise UserError(f'--out {str(path)!r}: the folder {str(path.parent)!r} does not exist')
    if path.suffix == '.png' and not any(source.find_row() for source in sources):
        raise UserError(
            f'--out {str(path)!r} draws accuracies that papers print, and none of the models has one; give a config '
            'such as configs/vmf_1g_k400.py'
        )
    check_target(path, overwrite)


def check_json_output(path: Path | None, overwrite: bool) -> None:
    """Check a file that numbers are to be written to, if one is, before anything is measured.

    Raises:
        UserError: It has another ending, is in no folder that exists, or is there already.
    """
    if path is None:
        return
    if path.suffix != '.json' or not path.absolute().parent.is_dir():
        raise UserError(f'--out {str(path)!r} must end in .json and be in a folder that exists')
    check_target(path, overwrite)


def write_json(path: Path, content: dict[str, object]) -> None:
    """Write numbers as JSON."""
    with write_atomically(path) as partial:
        partial.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')


def write_results(results: Sequence[Result], path: Path, conditions: dict[str, object]) -> None:
    """Write results as csv, json or a figure, by the file's ending.

    Args:
        results (sequence): What was measured.
        path (Path): The file.
        conditions (dict): What it was measured with; of json files.
    """
    records = [as_record(result) for result in results]
    if path.suffix == '.json':
        return write_json(path, dict(conditions, results=records))
    with write_atomically(path) as partial:
        if path.suffix == '.csv':
            with open(partial, 'w', newline='', encoding='utf-8') as file:
                writer = csv.DictWriter(file, list(records[0]))
                writer.writeheader()
                writer.writerows(records)
        else:
            _draw(records, partial)


def _draw(records: Sequence[Record], path: Path) -> None:
    """Draw the accuracy that a paper prints against the time that its views of a video take here."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.5), layout='constrained')
    axes = figure.subplots()
    markers = iter('os^Dv*PX' * len(records))
    drawn = [record for record in records if record['top1'] is not None]
    for form in dict.fromkeys((record['form'], record['dtype']) for record in drawn):
        points = [record for record in drawn if (record['form'], record['dtype']) == form]
        seconds = [_video_seconds(point) for point in points]
        axes.plot(seconds, [point['top1'] for point in points], next(markers), label=' '.join(map(str, form)))
    for name, top1 in {record['model']: record['top1'] for record in drawn}.items():
        own = [record for record in drawn if record['model'] == name]
        views = f'{own[0]["views"]} view' + 's' * (own[0]['views'] != 1)
        at = (geometric_mean(map(_video_seconds, own)), top1)
        text = f'{_short(name)}, {views}'
        axes.annotate(text, at, (0, 8), textcoords='offset points', ha='center', fontsize=8)
    axes.set(xscale='log', xlabel='seconds a video here: all its views', ylabel='top-1 accuracy, as papers print it, %')
    axes.margins(x=0.2, y=0.12)
    axes.grid(color='#e5e5e5')
    axes.set_axisbelow(True)
    if drawn:
        axes.legend(loc='lower right')
    figure.savefig(path, dpi=150, format='png')


def _video_seconds(record: Record) -> float:
    return float(record['views']) / float(record['clips_per_s'])


def _short(name: str) -> str:
    """A name without what MMAction2's configs say of weights and data."""
    return name.partition('_facebook')[0].removesuffix('-rgb')


def _digits(value: float) -> str:
    """Three digits, without an exponent."""
    return f'{value:.0f}' if value >= 100 else f'{value:.3g}'
