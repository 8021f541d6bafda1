"""The tables of the papers as data, and what their cells are here.

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
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn as nn
import yaml
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import init_default_scope

from mmdualformer.analysis import clip_shape, count_cost, count_vidtr_paper_macs
from mmdualformer.errors import UserError
from mmdualformer.models import VidTr

from .results import Result

DIRECTORY = Path(__file__).parent / 'published'
PAPERS = ('dualformer', 'vmf', 'vidtr')
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
METRICS = {'top1': 'acc/top1', 'top5': 'acc/top5', 'map': 'acc/mean_average_precision'}
DATASETS = {  # folder in data/ -> name
    'kinetics400': 'Kinetics-400',
    'kinetics600': 'Kinetics-600',
    'kinetics700': 'Kinetics-700',
    'diving48': 'Diving-48',
    'hmdb51': 'HMDB-51',
    'ucf101': 'UCF-101',
    'sthv2': 'Something-Something V2',
    'charades': 'Charades',
    'imagenet': 'ImageNet-1K',
    'imagenet21k': 'ImageNet-21K',
    'motion': 'Motion',
}
TOKEN_LABELLED = '_tokenlabel'  # how the name of a twin that is trained with token labels ends
TOLERANCE = 0.02  # of a cost; what differs by more has a reason
POINTS = 0.5  # of an accuracy


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


@dataclass(frozen=True)
class Cell:
    """A number of a table beside ours.

    Attributes:
        row (Row): Where it stands.
        name (str): Which number of the row, a key of ``UNITS``.
        here (float, optional): Ours, in the paper's convention and unit.
        macs (float, optional): For GFLOPs, the true multiply-adds in 1e9.
    """

    row: Row
    name: str
    here: float | None = None
    macs: float | None = None

    @property
    def published(self) -> float:
        """What the paper prints."""
        return self.row.published[self.name]

    @property
    def difference(self) -> float | None:
        """Of an accuracy in points, of any other number as a share of the paper's."""
        if self.here is None:
            return None
        return self.here - self.published if self.name in METRICS else self.here / self.published - 1

    @property
    def verdict(self) -> str:
        """What the difference means."""
        if not self.row.config:
            return 'not ours'
        if self.here is None:
            return 'not run'
        if self.name in METRICS:
            return 'met' if abs(self.difference) <= POINTS else 'higher' if self.difference > 0 else 'lower'
        if abs(self.difference) <= TOLERANCE:
            return 'met'
        return f'differs: {self.row.reason.get(self.name, "without a reason")}'


@functools.cache
def load_paper(paper: str) -> dict:
    """Read a paper's file."""
    return yaml.safe_load((DIRECTORY / f'{paper}.yaml').read_text(encoding='utf-8'))


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


def with_token_labels(rows: Sequence[Row]) -> list[Row]:
    """Put the token-labelled twin, ``CONFIG_tokenlabel``, in the place of each config that has one.

    The default row of DualFormer's Tables 3 to 7 has token labels; the paper does not say whether the others have.
    """
    twins = (row.config + TOKEN_LABELLED for row in rows)
    return [replace(row, config=twin) if _has_config(twin) else row for row, twin in zip(rows, twins)]


def without_token_labels(rows: Sequence[Row]) -> list[Row]:
    """Put the twin without token labels in the place of the default row of each table whose other rows have twins."""
    return [
        replace(row, config=row.config.removesuffix(TOKEN_LABELLED)) if has_twins(row.paper, row.table) else row
        for row in rows
    ]


@functools.cache
def has_twins(paper: str, table: str) -> bool:
    """Whether configs of a table have twins with token labels."""
    return any(row.config and _has_config(row.config + TOKEN_LABELLED) for row in load_rows(paper, table))


@functools.cache
def _has_config(name: str) -> bool:
    try:
        read_config(name)
    except FileNotFoundError:
        return False
    return True


def read_config(name: str) -> Config:
    """Read one of our configs by its name, such as ``ablations/dualformer/dualformer_t_k400_conv``."""
    return get_config(f'mmdualformer::{name}.py')


def data_folder(cfg: Config) -> str:
    """Name of the folder in ``data/`` that a config trains on."""
    return re.search(r"'data/(\w+)", repr(cfg.train_dataloader.dataset.to_dict()))[1]


def dataset_of(cfg: Config) -> str:
    """What a config trains on, as the papers call it."""
    return DATASETS[data_folder(cfg)]


@dataclass(frozen=True)
class ModelCost:
    """What one view costs: GFLOPs in the convention of the model's paper, multiply-adds (1e9), parameters (1e6)."""

    gflops: float
    macs: float
    params: float


_COUNTED: dict[str, ModelCost] = {}


@functools.cache
def model_cost(config: str, counted: str) -> ModelCost:
    """Count the model of a config for the clip that its test pipeline makes; equal models are counted once.

    Args:
        config (str): Name of a config.
        counted (str): 'backbone', or 'model' for backbone and head.
    """
    cfg = read_config(config)
    init_default_scope(cfg.default_scope)
    parts = [cfg.model.backbone] if counted == 'backbone' else [cfg.model.backbone, cfg.model.cls_head]
    parts[0].pop('init_cfg', None)
    shape = clip_shape(cfg)
    key = repr((parts, shape))
    if key not in _COUNTED:
        # without weights, but for MMAction2's Swin, which reads a tensor's numbers while it is built
        with torch.device('cpu' if parts[0].type == 'SwinTransformer3D' else 'meta'):
            model = nn.Sequential(*(MODELS.build(part) for part in parts))
        cost = count_cost(model, shape)
        flops = count_vidtr_paper_macs(model[0], shape) if isinstance(model[0], VidTr) else cost.flops
        _COUNTED[key] = ModelCost(flops / 1e9, cost.macs / 1e9, cost.params / 1e6)
    return _COUNTED[key]


def compare(rows: Sequence[Row], results: dict[str, Result] | None = None) -> list[Cell]:
    """Put our numbers beside those of the papers: costs from the configs, accuracies from test logs.

    Args:
        rows (sequence): Rows of the papers.
        results (dict, optional): Test results by config; see :func:`~mmdualformer.papers.results.find_results`.

    Returns:
        list: A cell for each number of the rows; what was not run is empty.
    """
    cells = []
    for row in rows:
        result = (results or {}).get(row.tested)
        for name in row.published:
            here = macs = None
            if row.config and name in ('gflops', 'params'):
                costs = [model_cost(config, row.counted) for config in (row.config, row.partner) if config]
                views = row.num_views if row.gflops_of == 'video' else 1
                here, macs = sum(cost.params for cost in costs), None
                if name == 'gflops':
                    here, macs = (views * sum(getattr(cost, kind) for cost in costs) for kind in ('gflops', 'macs'))
            elif result is not None and METRICS.get(name) in result.metrics:
                here = 100 * result.metrics[METRICS[name]]
            cells.append(Cell(row, name, here, macs))
    return cells
