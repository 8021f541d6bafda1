"""``model-index.yml`` and the families' metafiles, in OpenMMLab's format, from the configs and the papers' tables."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from .costs import comparable_gflops, model_cost
from .families import FAMILIES, Family
from .leaves import dataset_of, named_config
from .published import Row, load_paper, rows_of_configs

METRICS = {'top1': 'Top 1 Accuracy', 'top5': 'Top 5 Accuracy', 'map': 'mAP'}


def write_metafiles(root: Path) -> dict[Path, str]:
    """Write the text of all metafiles.

    No weights of ours stand behind them, so accuracies, and what the models start from, are named the paper's.

    Args:
        root (Path): Folder with ``configs/``.

    Returns:
        dict: Path within ``root`` -> text.
    """
    files = {}
    for family in FAMILIES.values():
        content = load_paper(family.key)
        paper = dict(Title=content['title'], URL=content['url'])
        collection = dict(
            Name=family.name,
            Metadata=dict(Checkpoints=family.checkpoints),
            README=f'docs/{family.page}.md',
            Paper=paper,
        )
        rows = rows_of_configs(family.key)
        models = [_model(family, config, content['counted'], rows.get(config)) for config in family.leaves(root)]
        files[Path(f'configs/{family.page}.metafile.yml')] = _to_yaml(dict(Collections=[collection], Models=models))
    return {Path('model-index.yml'): _to_yaml(dict(Import=[path.as_posix() for path in files])), **files}


def _model(family: Family, config: str, counted: str, row: Row | None) -> dict:
    """A model's entry; ``row`` is where the paper prints its accuracies, if it does."""
    cfg = named_config(config)
    cost = model_cost(config, counted)
    data = dataset_of(cfg)
    arch = cfg.model.backbone.get('arch')
    metadata = {
        'Architecture': f'{cfg.model.backbone.type} {arch}' if isinstance(arch, str) else cfg.model.backbone.type,
        'FLOPs': _count(comparable_gflops(config, counted), 9),  # of a view
        'Parameters': _count(cost.params, 6),
        'Training Data': data,
        'Epochs': cfg.train_cfg.max_epochs,
        'Batch Size': cfg.auto_scale_lr.base_batch_size,
    }
    entry: dict[str, Any] = {
        'Name': config,
        'In Collection': family.name,
        'Config': f'configs/{config}.py',
        'Metadata': metadata,
    }
    if row is not None:
        if row.pretrain:
            metadata['Pretrained (paper)'] = row.pretrain
        entry['Results'] = [
            {
                'Task': 'Image Classification' if data == 'ImageNet-1K' else 'Action Recognition',
                'Dataset': data,
                'Metrics': {
                    f'{title} (paper)': row.published[name] for name, title in METRICS.items() if name in row.published
                },
            }
        ]
    return entry


def _count(number: float, exponent: int) -> int:
    """The number times a power of ten, to four digits: OpenMIM sorts numbers and compares them, and texts as texts."""
    return int(Decimal(f'{number:.4g}').scaleb(exponent))


def _to_yaml(content: dict) -> str:
    return '# Written by tools/write_generated.py.\n' + yaml.safe_dump(content, sort_keys=False, width=120)
