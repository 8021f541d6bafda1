"""The papers' tables as text: Markdown, csv or HTML."""

import csv
import html
import io
from collections.abc import Callable, Sequence
from itertools import groupby

from .comparison import Cell
from .published import UNITS, load_paper, paper_name
from .results import METRICS

COLUMNS = (
    'row',
    'data',
    'pretrain',
    'input',
    'views',
    'setting',
    'config',
    'number',
    'paper',
    'ours',
    'difference',
    'multiply-adds, G',
    'verdict',
)


def cell_texts(cell: Cell) -> dict[str, str]:
    """What each column of ``COLUMNS`` says of a cell; what was not run is empty."""
    row = cell.row
    unit = UNITS[cell.name]
    if cell.name == 'gflops':
        unit += ' of a view' if row.gflops_of == 'view' else ' of a video'
    difference = ''
    if cell.here is not None:
        difference = f'{cell.difference:+.1f}' if cell.name in METRICS else f'{cell.difference:+.1%}'
    config = row.config or (f'mmaction::recognition/{row.mmaction}' if row.mmaction else '')
    texts = (
        row.row,
        row.data,
        row.pretrain,
        row.input,
        row.views,
        row.setting,
        config,
        unit,
        f'{cell.published:g}',
        rounded(cell.here),
        difference,
        rounded(cell.macs),
        cell.verdict,
    )
    return dict(zip(COLUMNS, texts))


def rounded(number: float | None) -> str:
    """Write a cost of ours, or nothing."""
    if number is None:
        return ''
    return f'{number:.3f}' if number < 10 else f'{number:.1f}'


def config_link(config: str, root: str = '') -> str:
    """Link to a config, from a page from which ``root`` leads to the repository's root."""
    return f'[`{config.rpartition("/")[2]}`]({root}configs/{config}.py)'


def markdown_table(columns: Sequence[str], lines: Sequence[dict[str, str]]) -> str:
    """Write a table."""
    table = [columns, ['---'] * len(columns), *([line[column] for column in columns] for line in lines)]
    return ''.join(f'| {" | ".join(texts)} |\n' for texts in table)


def _markdown(title: str, columns: Sequence[str], lines: list[dict]) -> str:
    return f'### {title}\n\n{markdown_table(columns, lines)}'


def _html(title: str, columns: Sequence[str], lines: list[dict]) -> str:
    def cells(tag: str, texts: Sequence[str]) -> str:
        return '<tr>' + ''.join(f'<{tag}>{html.escape(text)}</{tag}>' for text in texts) + '</tr>'

    rows = [cells('td', [line[column] for column in columns]) for line in lines]
    return '\n'.join([f'<h3>{html.escape(title)}</h3>', '<table>', cells('th', columns), *rows, '</table>'])


def _by_table(cells: Sequence[Cell], write: Callable[[str, Sequence[str], list[dict]], str]) -> str:
    """Write each table with the columns that say anything in it."""
    texts = []
    for (paper, table), group in groupby(cells, key=lambda cell: (cell.row.paper, cell.row.table)):
        title = next(entry['title'] for entry in load_paper(paper)['tables'] if entry['table'] == table)
        lines = [cell_texts(cell) for cell in group]
        columns = [column for column in COLUMNS if column == 'ours' or any(line[column] for line in lines)]
        texts.append(write(f'{paper_name(paper)}, Table {table}: {title}', columns, lines))
    return '\n'.join(texts)


def to_markdown(cells: Sequence[Cell]) -> str:
    """A table for each of the papers' tables."""
    return _by_table(cells, _markdown)


def to_html(cells: Sequence[Cell]) -> str:
    """A page with a table for each of the papers' tables."""
    return f'<!doctype html>\n<meta charset="utf-8">\n<title>The papers\' tables</title>\n{_by_table(cells, _html)}\n'


def to_csv(cells: Sequence[Cell]) -> str:
    """One line a cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ['table', *COLUMNS], lineterminator='\n')
    writer.writeheader()
    for cell in cells:
        writer.writerow({'table': f'{cell.row.paper}/{cell.row.table}', **cell_texts(cell)})
    return text.getvalue()


FORMATS = {'md': to_markdown, 'csv': to_csv, 'html': to_html}
