"""The figures of a report: as PNG files on white, and as SVG in the page's colours, light or dark."""

import io
import logging
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mmdualformer.errors import printable
from mmdualformer.files import write_atomically

from .runs import Curves, in_epochs

# on white, and the variables of the page that take their place; FIRST and SECOND differ for colour-blind eyes too
INK, MUTED, GRID, FIRST, SECOND, ON_FIRST = '#1d2329', '#5c6773', '#d9dee4', '#0b66a8', '#c4570d', '#ffffff'
VARIABLES = {
    INK: '--ink',
    MUTED: '--muted',
    GRID: '--line',
    FIRST: '--first',
    SECOND: '--second',
    ON_FIRST: '--on-first',
}
ON_BOTH = '#2c86cc'  # of images, which cannot follow the page
FONTS = ('DejaVu Sans', 'Noto Sans CJK SC', 'Noto Sans CJK JP', 'WenQuanYi Zen Hei', 'Noto Sans', 'Noto Sans Arabic')
STYLE: dict[Any, Any] = {
    'font.size': 8.5,
    'text.color': INK,
    'text.parse_math': False,  # a class may be called $x$
    'axes.edgecolor': MUTED,
    'axes.labelcolor': MUTED,
    'axes.linewidth': 0.7,
    'axes.titlesize': 9.5,
    'axes.titleweight': 'bold',
    'axes.titlelocation': 'left',
    'axes.titlepad': 9,
    'axes.grid': True,
    'axes.axisbelow': True,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'grid.color': GRID,
    'grid.linewidth': 0.7,
    'xtick.color': MUTED,
    'ytick.color': MUTED,
    'xtick.major.size': 0,
    'ytick.major.size': 0,
    'legend.frameon': False,
    'legend.fontsize': 8,
    'svg.fonttype': 'none',
    'figure.constrained_layout.use': True,
}
SIZE = (4.3, 2.9)  # inches, so that letters can be read on a phone
MOST_NAMES = 40  # classes that a figure names
MOST_COUNTS = 30  # classes whose pairs are numbered
MOST_PIXELS = 2000  # classes whose pairs are drawn, each as a pixel
LONGEST = 22  # characters of a name in a figure
RESOLUTION = 170  # of PNG files, in dots per inch


def shorten(name: str) -> str:
    """Cut a name to what a figure has room for, keeping both ends: names of one kind often begin alike."""
    name = printable(name)
    return name if len(name) <= LONGEST else f'{name[: LONGEST - 8]}…{name[-7:]}'


class Drawings:
    """Draws figures: each as a PNG file, and as SVG for the page.

    Args:
        folder (Path): Where the PNG files go.

    Attributes:
        svg (dict): SVG of each figure, by its name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.svg: dict[str, str] = {}

    def draw(self, name: str, size: tuple[float, float], paint: Callable[..., None], *args: Any) -> None:
        """Draw a figure.

        Args:
            name (str): Of the file, without its ending.
            size (tuple): Width and height, in inches.
            paint (callable): Draws on ``Axes``, which are its first argument.
            *args: Its other arguments.
        """
        known = set(font_manager.get_font_names())
        logging.getLogger('matplotlib.font_manager').setLevel(logging.ERROR)
        style = {**STYLE, 'font.family': [font for font in FONTS if font in known], 'svg.hashsalt': name}
        with rc_context(style), warnings.catch_warnings():
            warnings.filterwarnings('ignore', 'Glyph .* missing from')  # the page has the fonts of its reader
            figure = Figure(figsize=size)
            paint(figure.subplots(), *args)
            with write_atomically(self.folder / f'{name}.png') as partial:
                figure.savefig(partial, format='png', dpi=RESOLUTION, facecolor='white')
            figure.set_layout_engine('none')  # it is laid out
            text = io.StringIO()
            metadata = dict.fromkeys(('Date', 'Creator', 'Format', 'Type'))
            figure.savefig(text, format='svg', transparent=True, metadata=metadata)
        self.svg[name] = _for_page(name, text.getvalue())


def draw_curves(drawings: Drawings, curves: Curves) -> None:
    """Draw loss, accuracy and learning rate over a training."""
    drawings.draw('loss', SIZE, _paint_loss, curves)
    drawings.draw('accuracy', SIZE, _paint_accuracy, curves)
    if any('lr' in line for line in curves.train):
        drawings.draw('learning_rate', SIZE, _paint_rate, curves)


def draw_predictions(drawings: Drawings, numbers: dict) -> None:
    """Draw classes, confusions and calibration."""
    classes = [part for part in numbers['classes'] if part['clips']]
    height = 0.9 + 0.21 * len(classes) if len(classes) <= MOST_NAMES else 3.2
    drawings.draw('classes', (5.2, height), _paint_classes, classes, numbers)
    if 'confusion' in numbers and numbers['num_classes'] <= MOST_PIXELS:
        count = numbers['num_classes']
        if count <= MOST_NAMES:
            side = max(0.34 * count if count <= 12 else 0.27 * count, 1.4)
            longest = max(len(shorten(part['name'])) for part in numbers['classes'])
            margin = 0.5 + 0.075 * longest
            size = (side + margin, side + margin)
        else:
            size = (5.3, 5.0)
        drawings.draw('confusion', size, _paint_confusion, numbers)
    drawings.draw('calibration', (4.3, 3.6), _paint_calibration, numbers['calibration'], numbers['has_several_labels'])


def _for_page(name: str, svg: str) -> str:
    """Make SVG a part of a page: with its colours and letters, and names of its own for what it refers to."""
    svg = svg[svg.index('<svg') :]
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1', svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r'\1', svg, count=1)
    svg = re.sub(r'(?<=[ <]id=")', f'{name}-', svg)
    svg = svg.replace('url(#', f'url(#{name}-').replace('href="#', f'href="#{name}-')
    svg = re.sub(r"(\d(?:px)?) 'DejaVu Sans'[^;\"]*", r'\1 var(--font)', svg)
    for color, variable in VARIABLES.items():
        svg = svg.replace(color, f'var({variable})')
    return svg


def _label_epochs(axes: Axes, curves: Curves) -> None:
    axes.set_xlabel('epoch' if curves.by_epoch else 'iteration')
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def _plot_train(axes: Axes, curves: Curves, key: str, **kwargs) -> None:
    lines = [line for line in curves.train if isinstance(line.get(key), int | float)]
    values = np.array([line[key] for line in lines], float)
    places = np.array(in_epochs(curves, lines))
    axes.plot(places, np.where(np.isfinite(values), values, np.nan), solid_capstyle='round', **kwargs)


def _paint_loss(axes: Axes, curves: Curves) -> None:
    axes.set_title('Loss')
    _plot_train(axes, curves, 'loss', color=FIRST, linewidth=1.3, label='training')
    if any('loss' in line for line in curves.val):
        lines = [line for line in curves.val if 'loss' in line]
        axes.plot(in_epochs(curves, lines), [line['loss'] for line in lines], 'o-', color=SECOND, markersize=4)
    axes.set_ylim(bottom=0)
    _label_epochs(axes, curves)


def find_metric(curves: Curves) -> str | None:
    """The metric of the validations that the accuracies are drawn of, such as ``acc/top1``."""
    keys = [key for line in curves.val for key in line]
    wanted = ('acc/top1', 'acc/mean_average_precision')
    return next((key for key in (*wanted, *keys) if key in keys and key.startswith('acc/')), None)


def _paint_accuracy(axes: Axes, curves: Curves) -> None:
    metric = find_metric(curves)
    title = 'Mean average precision' if metric and metric.endswith('precision') else 'Accuracy'
    if any('top1_acc' in line for line in curves.train):
        _plot_train(axes, curves, 'top1_acc', color=FIRST, linewidth=1, alpha=0.5, label='training batch')
    if metric:
        lines = [line for line in curves.val if metric in line]
        places, values = in_epochs(curves, lines), [line[metric] for line in lines]
        axes.plot(places, values, 'o-', color=SECOND, linewidth=1.5, markersize=4, label='validation')
        best = int(np.argmax(values))
        title += f': best {values[best]:.1%} in {"epoch" if curves.by_epoch else "iteration"} {places[best]:,}'
    axes.set_title(title)
    axes.set_ylim(0, 1.03)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    if axes.lines:
        axes.legend(loc='lower right')
    _label_epochs(axes, curves)


def _paint_rate(axes: Axes, curves: Curves) -> None:
    axes.set_title('Learning rate')
    _plot_train(axes, curves, 'lr', color=FIRST, linewidth=1.5)
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(axis='y', style='sci', scilimits=(-2, 3))
    _label_epochs(axes, curves)


def _paint_classes(axes: Axes, classes: Sequence[dict], numbers: dict) -> None:
    """Each class's accuracy with its interval, or average precision; of many classes in the order of their ranks."""
    key = 'average_precision' if numbers['has_several_labels'] else 'accuracy'
    whole = numbers['mean_average_precision'] if numbers['has_several_labels'] else numbers['top1']
    ordered = sorted(classes, key=lambda part: part[key])
    values = np.array([part[key] for part in ordered])
    places = np.arange(len(ordered))
    has_names = len(ordered) <= MOST_NAMES
    draw_line = axes.axvline if has_names else axes.axhline
    draw_line(whole['value'], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    if key == 'accuracy':
        ends = np.array([[part['low'], part['high']] for part in ordered])
        bars = (axes.hlines if has_names else axes.vlines)(
            places, *ends.T, color=to_rgba(FIRST, 0.4), linewidth=4 if has_names else 0.8
        )
        bars.set_capstyle('butt')
    points = (values, places) if has_names else (places, values)
    axes.plot(*points, 'o', color=FIRST, markersize=5 if has_names else 2.5)
    title = 'Average precision of each class' if key != 'accuracy' else 'Accuracy of each class, with 95 % intervals'
    axes.set_title(title)
    share = axes.xaxis if has_names else axes.yaxis
    share.set_major_formatter(PercentFormatter(1, decimals=0))
    (axes.set_xlim if has_names else axes.set_ylim)(-0.02, 1.02)
    if has_names:
        axes.set_yticks(places, [f'{shorten(part["name"])}  ({part["clips"]:,})' for part in ordered], color=INK)
        axes.set_ylim(-0.7, len(ordered) - 0.3)
        axes.grid(False, axis='y')
    else:
        axes.set_xlabel(f'{len(ordered):,} classes, the worst first; dashed: all clips')
        axes.grid(False, axis='x')


def _paint_confusion(axes: Axes, numbers: dict) -> None:
    """The shares of each true class's clips: cells whose colour lies over the page's, with counts where they fit."""
    count = numbers['num_classes']
    matrix = np.zeros((count, count))
    for true, predicted, clips in numbers['confusion']:
        matrix[true, predicted] = clips
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.grid(False)
    axes.set_xlabel('predicted')
    axes.set_ylabel('true')
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(GRID)
    if count > MOST_NAMES:
        cells = np.zeros((count, count, 4))
        cells[..., :3] = to_rgba(ON_BOTH)[:3]
        cells[..., 3] = np.where(matrix > 0, 0.35 + 0.65 * share, 0)  # one of many clips can be seen too
        axes.imshow(cells, interpolation='none')
        axes.set_title('Confusion matrix')
        return
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_aspect('equal')
    size = 8 if count <= 12 else 6.5 if count <= 20 else 5.5
    for i, j in zip(*matrix.nonzero()):
        axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, color=FIRST, alpha=float(share[i, j]), linewidth=0))
        if count <= MOST_COUNTS:
            color = ON_FIRST if share[i, j] > 0.7 else INK
            axes.text(j, i, f'{matrix[i, j]:.0f}', ha='center', va='center', fontsize=size, color=color)
    names = [shorten(part['name']) for part in numbers['classes']]
    axes.set_xticks(range(count), names, rotation=90 if count > 6 else 35, ha='center' if count > 6 else 'right')
    axes.set_yticks(range(count), names)
    axes.tick_params(colors=INK, labelsize=8 if count <= 20 else 7)


def _paint_calibration(axes: Axes, calibration: dict, has_several_labels: bool) -> None:
    """Confidence against accuracy, with what would be right, and how many clips each point is of."""
    bins = calibration['bins']
    axes.set_title('Reliability')
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    places = [part['confidence'] for part in bins]
    values = np.array([part['accuracy'] for part in bins])
    ends = np.array([[part['low'], part['high']] for part in bins]).T
    axes.vlines(places, *ends, color=to_rgba(FIRST, 0.4), linewidth=3)
    axes.plot(places, values, 'o', color=FIRST, markersize=5.5)
    for part in bins:
        count = part['clips']
        text = f'{count / 1e6:.1f}M' if count >= 1e6 else f'{count / 1e3:.0f}k' if count >= 1e4 else f'{count:,}'
        middle = (part['start'] + part['end']) / 2
        axes.text(middle, -0.075, text, ha='center', va='center', fontsize=6.5, color=MUTED)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(-0.12, 1.02)
    axes.set_yticks(np.linspace(0, 1, 6))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel('probability of a label' if has_several_labels else 'probability of the first guess')
    axes.set_ylabel('share that is right')
