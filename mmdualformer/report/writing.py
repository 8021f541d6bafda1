"""A report, from predictions to its files."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from mmengine.config import Config

from mmdualformer.commands import command_line
from mmdualformer.errors import printable
from mmdualformer.files import write_atomically
from mmdualformer.video.files import natural_key

from .clips import Clips, describe_clips
from .facts import describe_machine, describe_model, list_versions
from .figures import Drawings, draw_curves, draw_predictions
from .measures import find_mistakes, measure
from .predictions import find_names, gather
from .runs import Curves, read_curves, read_ledgers, read_lists, read_seed
from .strips import StripMaker
from .words import describe_training, duration, explain, explain_calibration, number

TEMPLATES = Path(__file__).with_name('templates')
FIGURES = ('accuracy', 'loss', 'learning_rate', 'classes', 'confusion', 'calibration')
MOST_MISTAKES = 12
MOST_ROWS = 200  # of a table of videos


def write_report(
    out: str | Path,
    samples: Sequence[dict],
    cfg: Config | None = None,
    work_dirs: Sequence[str | Path] = (),
    names: Sequence[str] | None = None,
    checkpoint: str | None = None,
    seconds: float | None = None,
    command: str | None = None,
) -> Path:
    """Write what predictions say of a model: a page that needs no other file, figures and numbers.

    Args:
        out (str or Path): Folder for ``report.html``, ``report.json`` and ``figures/``, which is made.
        samples (sequence): Data samples of a test, as MMEngine's ``DumpResults`` saves them: dicts with ``pred_score``
            and ``gt_label``, and ``filename`` for film strips.
        cfg (Config, optional): Of the test. Defaults to None; then the page has neither what the clips are nor the
            model.
        work_dirs (sequence): Folders of the training and of the test, the training's first: the curves, ledgers and
            lists in them are shown. Defaults to ``()``.
        names (sequence, optional): Names of the classes. Defaults to None, those of the config's test data.
        checkpoint (str, optional): What was tested, for the page. Defaults to None.
        seconds (float, optional): How long the test took. Defaults to None, not shown.
        command (str, optional): What made the predictions. Defaults to None: that of ``fit`` where the
            lists are its own, and otherwise what this process was started with.

    Returns:
        Path: The page.

    Raises:
        UserError: The predictions are none of clips with labels.
        OSError: Something cannot be written.

    Example:
        >>> write_report('report', load_predictions('predictions.pkl'))  # doctest: +SKIP
        PosixPath('report/report.html')
    """
    out, folders = Path(out), [Path(folder) for folder in work_dirs]
    lists = read_lists(folders)
    if names is None:
        names = (find_names(cfg) if cfg else []) or [str(name) for name in _list(lists, 'classes')]
    predictions = gather(samples, names)
    numbers = measure(predictions)
    clips = describe_clips(cfg, checkpoint, lists)
    curves = next(filter(None, map(read_curves, folders)), None)
    ledgers = read_ledgers(folders)
    drawings = Drawings(out / 'figures')
    for name in FIGURES:  # of an earlier report
        (out / 'figures' / f'{name}.png').unlink(missing_ok=True)
    if curves:
        draw_curves(drawings, curves)
    draw_predictions(drawings, numbers)

    mistakes = find_mistakes(predictions, MOST_MISTAKES)
    now = datetime.now().astimezone()
    title = folders[0].resolve().name if folders else Path(cfg.filename).stem if cfg and cfg.filename else 'Predictions'
    model = describe_model(cfg) if cfg else None
    seed = (cfg.get('randomness') or {}).get('seed') if cfg else None
    content = dict(
        title=title,
        date=now.isoformat(timespec='seconds'),
        command=command or lists.get('command') or command_line(),
        checkpoint=checkpoint,
        seconds=dict(training=curves.seconds if curves else None, test=seconds),
        seed=read_seed(folders) if seed is None else seed,
        clips=dict(kind=clips.kind, chosen_on=clips.chosen_on, source=clips.source),
        result=numbers,
        mistakes=mistakes,
        model=model,
        machine=describe_machine(),
        versions=list_versions(),
        training=dict(train=curves.train, val=curves.val, runs=curves.runs) if curves else None,
        videos=dict(ledgers, lists=lists),
    )
    page = _render(content, curves, drawings.svg, clips, f'{now:%-d %B %Y, %H:%M %Z}', cfg)
    _write(out / 'report.json', json.dumps(_plain(content), indent=1, ensure_ascii=True, allow_nan=False))
    _write(out / 'report.html', page)
    return out / 'report.html'


def _write(path: Path, text: str) -> None:
    with write_atomically(path) as partial:
        partial.write_bytes(text.encode('utf-8', 'backslashreplace'))  # names of files may be no UTF-8


def _plain(value: Any) -> Any:
    """Make what JSON can hold of a value: NaN and infinite numbers become null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _render(
    content: dict, curves: Curves | None, svg: dict[str, str], clips: Clips, date: str, cfg: Config | None
) -> str:
    """Fill the template."""
    numbers, data = content['result'], _tabulate(content['videos'])
    strips = StripMaker()
    mistakes = [dict(mistake, strip=strips.make(mistake['file'])) for mistake in content['mistakes']]
    problems = {mistake['strip'].problem for mistake in mistakes}
    without_names = mistakes and all(mistake['file'] is None for mistake in mistakes)
    several = numbers['has_several_labels']
    sections = [('training', 'Training')] * bool(curves) + [
        ('classes', 'Classes'),
        ('confusions', 'Wrong labels' if several else 'Confusions'),
        ('mistakes', 'Mistakes'),
        ('calibration', 'Calibration'),
        *([('data', 'Videos')] * bool(data)),
        ('made', 'How this was made'),
    ]
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.filters.update(name=printable, number=number)
    return environment.get_template('report.html').render(
        title=printable(content['title']),
        date=date,
        n=numbers,
        clips=clips,
        sections=sections,
        says=explain(numbers, clips, content['videos']['lists']),
        curves=dict(text=describe_training(curves)) if curves else None,
        svg=svg,
        classes=_order(numbers),
        orders=_orders(several),
        without_clips=', '.join(printable(part['name']) for part in numbers['classes'] if not part['clips']),
        widths={name: _width(figure) for name, figure in svg.items()},
        backbone=printable(content['model']['backbone']) if content['model'] else '',
        mistakes=mistakes,
        strips_missing=f'There are no film strips, as {problems.pop()}.' if without_names else '',
        calibration=explain_calibration(numbers['calibration'], several),
        data=data,
        facts=_list_facts(content, clips),
        config=cfg.pretty_text if cfg else '',
    )


def _width(svg: str) -> int:
    """The width of a figure on the page in pixels, at which its letters are as large as the page's notes."""
    return round(1.45 * float(svg.partition('viewBox="')[2].split()[2]))


def _orders(several: bool) -> list[tuple[str, str]]:
    main = 'average precision' if several else 'accuracy'
    return [('main', main), ('name', 'name'), ('clips', 'clips'), ('precision', 'precision'), ('f1', 'F1')]


def _order(numbers: dict) -> list[dict]:
    """The classes with clips, the worst first, each with its place in the order of each column."""
    key = 'average_precision' if numbers['has_several_labels'] else 'accuracy'
    rows = [dict(part, bar=dict(value=part[key], low=None, high=None)) for part in numbers['classes'] if part['clips']]
    if key == 'accuracy':
        for row in rows:
            row['bar'].update(low=row['low'], high=row['high'])
    rows.sort(key=lambda row: (row[key], -row['clips'], natural_key(row['name'].lower())))

    def places(rank) -> dict[int, int]:
        return {row['label']: place for place, row in enumerate(sorted(rows, key=rank))}

    orders = dict(
        main=places(lambda row: 0),  # as they are
        name=places(lambda row: natural_key(row['name'].lower())),
        clips=places(lambda row: -row['clips']),
        precision=places(lambda row: 2 if row['precision'] is None else row['precision']),
        f1=places(lambda row: 2 if row['f1'] is None else row['f1']),
    )
    for row in rows:
        row['order'] = {name: place[row['label']] for name, place in orders.items()}
    return rows


def _tabulate(videos: dict) -> dict | None:
    """What the page says of videos that were left out, and of the lists; None where there is nothing to say."""
    lists, lines, tables = videos['lists'], [], []

    def add(title: str, columns: Sequence[str], rows: Sequence[Sequence]) -> None:
        if rows:
            tables.append(dict(title=title, columns=columns, rows=rows[:MOST_ROWS], total=len(rows)))

    if lists.get('source'):
        lines.append(f'Made from {printable(lists["source"])}.')
    if lists.get('seed') is not None:
        lines.append(f'Split with the seed {printable(lists["seed"])}.')
    add('Warnings', ('',), [[text] for text in _list(lists, 'warnings')])
    left_out = [[part.get('path', ''), part.get('reason', '')] for part in _list(lists, 'left_out', dict)]
    add('Left out of the lists', ('video', 'why'), left_out)
    add('Nearly the same video', ('video', 'and'), [part[:2] for part in _list(lists, 'near_duplicates', list)])
    add('Could not be read in a run', ('video', 'why'), videos['unreadable'])
    add('Damaged, and read as far as they can be', ('video', 'what'), videos['damaged'])
    counts = _count_table(lists)
    return dict(lines=lines, tables=tables, counts=counts) if lines or tables or counts else None


def _list(lists: Mapping, key: str, kind: type = object) -> list:
    found = lists.get(key)
    return [part for part in found if isinstance(part, kind)] if isinstance(found, list) else []


def _count_table(lists: Mapping) -> dict | None:
    """Videos of each class in each split."""
    counts = lists.get('counts')
    names = [str(name) for name in _list(lists, 'classes')]
    if not isinstance(counts, dict) or not all(
        isinstance(part, list) and len(part) == len(names) for part in counts.values()
    ):
        return None
    rows = [dict(name=name, counts=[part[i] for part in counts.values()]) for i, name in enumerate(names)]
    return dict(splits=list(counts), rows=rows)


def _list_facts(content: dict, clips: Clips) -> list[tuple[str, str]]:
    """What the page's last table says."""
    model, times = content['model'], content['seconds']
    facts = [('command', content['command'])]
    if content['checkpoint']:
        facts.append(('checkpoint', content['checkpoint']))
    if clips.source:
        facts.append(('clips', clips.source))
    if model and 'params' in model:
        views = f' x {model["views"]} views' if model['views'] > 1 else ' a clip'
        cost = f'{model["gflops"]:.3g} GFLOPs (multiply-adds){views} of {model["input"]}'
        facts.append(('model', f'{model["backbone"]}: {model["params"] / 1e6:.2f} M parameters, {cost}'))
    elif model:
        facts.append(('model', f'{model["backbone"]}; its cost cannot be counted: {model["uncounted"]}'))
    if times['training']:
        facts.append(('training took', duration(times['training'])))
    if times['test'] is not None:
        facts.append(('test took', duration(times['test'])))
    facts.append(('seed', 'not known' if content['seed'] is None else str(content['seed'])))
    facts.append(('report made on', '; '.join(f'{name}: {value}' for name, value in content['machine'].items())))
    facts.append(('versions', ', '.join(f'{name} {version}' for name, version in content['versions'].items())))
    return facts
