"""The papers' figures, from their tables and from sweeps of views."""

import csv
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from mmdualformer.errors import UserError

from .families import Family
from .published import Row, load_rows

DATA = 'Kinetics-400'
HIGHLIGHT, REST = '#b2182b', '#4d4d4d'
# where a label stands beside its point: to the right, up (in points), and its alignment
PLACES = (
    (6, -3, 'left'),
    (-6, -3, 'right'),
    (0, 6, 'center'),
    (0, -13, 'center'),
    (6, 6, 'left'),
    (-6, 6, 'right'),
    (6, -13, 'left'),
    (-6, -13, 'right'),
    (0, 16, 'center'),
    (0, -23, 'center'),
    (-6, 14, 'right'),
    (-6, -21, 'right'),
)


def _label(row: Row, rows: Sequence[Row]) -> str:
    """Name of a point; where several have it, with what tells them apart."""
    namesakes = [other for other in rows if other.row == row.row]
    if len({other.pretrain for other in namesakes}) > 1:
        return f'{row.row}, {row.pretrain.replace("ImageNet", "IN")}'
    if len(namesakes) == 1:
        return row.row
    return f'{row.row}, {row.views} views' if all(other.views for other in namesakes) else f'{row.row}, {row.input}'


def _annotate(figure: Figure, axes: Axes, points: Sequence[tuple[float, float, str, str]]) -> None:
    """Write a label beside each (x, y, label, colour): at the first of a few places where it covers nothing."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)  # lays it out
    marks = axes.transData.transform([point[:2] for point in points])
    taken: list[Bbox] = []

    def is_free(box: Bbox, own: int) -> bool:
        others, box = np.delete(marks, own, axis=0), box.padded(3)
        return (
            axes.bbox.x0 < box.x0
            and box.x1 < axes.bbox.x1
            and not any(box.overlaps(other) for other in taken)
            and not any(box.contains(*mark) for mark in others)
        )

    for own, (x, y, label, color) in enumerate(points):
        text = axes.annotate(label, (x, y), PLACES[0][:2], textcoords='offset points', fontsize=8, color=color)
        for *offset, side in PLACES:
            text.set(position=offset, horizontalalignment=side)
            if is_free(text.get_window_extent(renderer), own):
                break
        else:
            text.set(position=PLACES[0][:2], horizontalalignment=PLACES[0][2])
        taken.append(text.get_window_extent(renderer))


def _plot(figure: Figure, axes: Axes, rows: Sequence[Row], number: str, family: str) -> None:
    """Draw accuracy against one of the rows' numbers; the rows of ours are those of the family."""
    others = [row for row in rows if not row.config or row.is_baseline]
    ours = sorted(
        (row for row in rows if row.config and not row.is_baseline),
        key=lambda row: (row.published[number], row.published['top1']),
    )
    for group, line, size, color, label in (
        (others, '', 4, REST, 'other models'),
        (ours, '-', 6, HIGHLIGHT, family),
    ):
        points = [row.published[number] for row in group], [row.published['top1'] for row in group]
        axes.plot(*points, color=color, linestyle=line, marker='o', markersize=size, label=label)
    axes.set(xscale='log', ylabel=f'top-1 accuracy on {DATA}, %')
    axes.margins(x=0.12, y=0.08)
    axes.grid(color='#e5e5e5')
    axes.set_axisbelow(True)
    axes.legend(loc='lower right')
    _annotate(
        figure,
        axes,
        [
            (row.published[number], row.published['top1'], _label(row, rows), color)
            for group, color in ((ours, HIGHLIGHT), (others, REST))
            for row in group
        ],
    )


def plot_accuracy(family: Family) -> Figure:
    """A paper's figure of accuracy on Kinetics-400 against cost, a part for each number of the cost.

    Args:
        family (Family): One of ``FAMILIES``.

    Returns:
        Figure: All numbers are the paper's; a model without one of them has no point in that part.
    """
    tables, numbers = family.figure.tables, family.figure.numbers
    rows = [row for table in tables for row in load_rows(family.key, table) if row.data == DATA]
    labels = {
        'gflops': 'GFLOPs of a video, all views' if rows[0].gflops_of == 'video' else 'GFLOPs of a view',
        'latency': 'latency of a view, ms',
    }
    printed = f'its Table {tables[0]} prints' if len(tables) == 1 else f'its Tables {" and ".join(tables)} print'
    figure = Figure(figsize=(8, 5.5) if len(numbers) == 1 else (7 * len(numbers), 6), layout='constrained')
    figure.suptitle(f'{family.name}: accuracy and cost, as {printed} them')
    for number, axes in zip(numbers, figure.subplots(1, len(numbers), squeeze=False)[0]):
        axes.set(xlabel=labels[number])
        _plot(figure, axes, [row for row in rows if number in row.published], number, family.name)
    return figure


def read_views(path: Path) -> list[dict[str, float]]:
    """Read what ``tools/analysis/sweep_views.py`` writes.

    Raises:
        UserError: It is no such file.
    """
    try:
        with open(path, newline='') as file:
            rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, TypeError, ValueError) as error:
        raise UserError(f'{str(path)!r} is no file of tools/analysis/sweep_views.py: {error}') from None
    if not rows or not {'clips', 'crops', 'top1'} <= rows[0].keys():
        raise UserError(f'{str(path)!r} is no file of tools/analysis/sweep_views.py: it has no clips, crops or top1')
    return rows


def plot_views(files: dict[str, Path]) -> Figure:
    """Figure 5 of DualFormer, measured: accuracy against the clips of a video, a line for each number of crops.

    Args:
        files (dict): What a part of the figure is called -> its views.csv.

    Raises:
        UserError: See :func:`read_views`.
    """
    figure = Figure(figsize=(4.5 * len(files), 3.8), layout='constrained')
    for axes, (name, path) in zip(figure.subplots(1, len(files), squeeze=False)[0], files.items()):
        rows = sorted(read_views(path), key=lambda row: (row['crops'], row['clips']))
        for crops, line in groupby(rows, key=lambda row: row['crops']):
            points = [(row['clips'], 100 * row['top1']) for row in line]
            axes.plot(*zip(*points), marker='o', label=f'{crops:g} crop' + 's' * (crops > 1))
        axes.set(xlabel='clips of a video', ylabel='top-1 accuracy, %', title=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(color='#e5e5e5')
        axes.legend()
    return figure


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and SVG."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(f'{stem.name}.{kind}') for kind in ('png', 'svg')]
    figure.savefig(paths[0], dpi=150)
    figure.savefig(paths[1], metadata={'Date': None})
    return paths
