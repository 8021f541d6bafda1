"""The tables of the papers as data.

``published/*.yaml`` hold what is printed; a file has ``title``, ``url``, ``counted``, ``inconsistencies`` and
``tables``. What a table says holds for each of its rows, unless a row says otherwise:

- ``row``, ``data``, ``input`` (frames x interval), ``views`` (clips x crops), ``pretrain``, ``setting`` (what else the
  columns say)
- ``config`` (ours, in ``configs/``), ``partner`` (the config of a model whose scores are averaged with those of
  ``config``), ``mmaction`` (of somebody else's model: MMAction2's, in ``configs/recognition/``)
- ``gflops``, ``params`` (M), ``memory`` (GB), ``latency``, ``gpu_latency``, ``cpu_latency`` (ms), ``top1``, ``top5``,
  ``map`` (%): the numbers
- ``gflops_of`` one ``view`` or the whole ``video``; ``counted``: the parameters of the ``backbone`` or of the ``model``
- ``reason``: why a number of ours differs from the paper's by more than 2 %, by the number's name
- ``gpu_hours``: what training took the authors on the file's ``gpu``, where they say so
- ``image_model``: what of ``image_models`` training starts from, where it is not that of ``pretrain``;
  ``partly_inflated``: whether the image model lacks some of the weights

How the models of a paper come to their first weights stands in its file too:

- ``image_models``: ``pretrain`` -> the image model that a config starts from if it says no other. It is a ``released``
  file, which tools/convert_checkpoint.py's ``converter`` turns into ``checkpoint``, or it is what ``config`` trains; a
  config of ours that sets one of the backbone's ``arguments`` starts from an image model that has the same.
- ``makers``: a checkpoint in ``checkpoints/`` -> the config that makes it, where it is not of the same name
"""

import functools
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from mmdualformer.errors import UserError

from .families import FAMILIES

DIRECTORY = Path(__file__).parent / 'published'
QUICKSTART = 'quickstart'  # no paper, but a table of the same form
UNITS = {
    'gflops': 'GFLOPs',
    'params': 'parameters, M',
    'latency': 'latency, ms',
    'gpu_latency': 'GPU latency, ms',
    'cpu_latency': 'CPU latency, ms',
    'memory': 'memory, GB',
    'top1': 'top-1, %',
    'top5': 'top-5, %',
    'map': 'mAP, %',
}
ACCURACIES = ('top1', 'top5', 'map')


@dataclass(frozen=True)
class Row:
    """A row of a table, on one of its data sets; the fields are those of the files."""

    paper: str
    table: str
    row: str
    published: dict[str, float]
    data: str = ''
    input: str = ''
    views: str = ''
    pretrain: str = ''
    setting: str = ''
    config: str = ''
    partner: str = ''
    mmaction: str = ''
    gflops_of: str = 'view'
    counted: str = 'backbone'
    gpu_hours: int | None = None
    image_model: str = ''
    partly_inflated: bool = False
    reason: dict[str, str] = field(default_factory=dict)

    @property
    def is_baseline(self) -> bool:
        """Whether its config is that of a model of others."""
        return self.config.startswith('baselines/')

    @property
    def tested(self) -> str:
        """What a result is found by: the config, or of an ensemble both configs without their folders."""
        return '+'.join(Path(config).name for config in (self.config, self.partner)) if self.partner else self.config

    @property
    def num_views(self) -> int:
        """Clips times crops of a video."""
        clips, _, crops = self.views.partition('x')
        return int(clips) * int(crops)


@functools.cache
def load_paper(paper: str) -> dict:
    """Read a paper's file."""
    return yaml.safe_load((DIRECTORY / f'{paper}.yaml').read_text(encoding='utf-8'))


def paper_name(paper: str) -> str:
    """What a paper's models are called; the quick start, which is of no family, by its title."""
    return FAMILIES[paper].name if paper in FAMILIES else load_paper(paper)['title']


def load_rows(paper: str, table: str | None = None) -> list[Row]:
    """Read the rows of a paper.

    Args:
        paper (str): Name of a file.
        table (str, optional): Only of this table.

    Raises:
        UserError: The paper has no such table here.
    """
    content = load_paper(paper)
    names = [entry['table'] for entry in content['tables']]
    if table is not None and table not in names:
        raise UserError(f'table {table!r} of {paper} must be one of {", ".join(names)}')
    rows = []
    for entry in content['tables']:
        if table in (None, entry['table']):
            shared = {key: value for key, value in entry.items() if key not in ('title', 'rows')}
            for row in entry['rows']:
                fields = {'counted': content['counted'], **shared, **row}
                published = {name: fields.pop(name) for name in UNITS if name in fields}
                rows.append(Row(paper=paper, published=published, **fields))
    return rows


def rows_of_configs(paper: str) -> dict[str, Row]:
    """Find the row that a config stands for: of those that give most of its accuracies, the paper's first.

    Args:
        paper (str): Name of a file.

    Returns:
        dict: Name of the config -> row; a config whose accuracies the paper does not print has none.
    """

    def accuracies(row: Row) -> int:
        return len(row.published.keys() & set(ACCURACIES))

    rows = sorted(filter(accuracies, reversed(load_rows(paper))), key=accuracies)
    return {row.config: row for row in rows if row.config}


def find_rows(
    paper: str, table: str, name: str, data: str | None = None, pretrain: str | None = None, views: str | None = None
) -> list[Row]:
    """Find the rows of ours that a name, and where they are given a data set, a pretraining and views, mean.

    Raises:
        UserError: There is none.
    """
    rows = [row for row in load_rows(paper, table) if row.config]
    found = [
        row
        for row in rows
        if row.row == name
        and data in (None, row.data)
        and pretrain in (None, row.pretrain)
        and views in (None, row.views)
    ]
    if not found:
        names = ', '.join(dict.fromkeys(row.row for row in rows))
        raise UserError(
            f'--row {name!r} must be one of {names}, with a --data, --pretrain and --views of {paper}/{table}'
        )
    return found
