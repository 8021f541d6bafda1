"""``model-index.yml`` and the families' metafiles, in OpenMMLab's format, from the configs and the papers' tables."""

from pathlib import Path

import yaml

from .tables import Row, dataset_of, load_paper, load_rows, model_cost, read_config

# paper -> name of the collection, of its metafile and page, and its configs
FAMILIES = {
    'dualformer': ('DualFormer', 'dualformer', ('dualformer_*.py',)),
    'vmf': ('Video Mobile-Former', 'video_mobile_former', ('vmf_*.py', 'mobile3d_*.py')),
    'vidtr': ('VidTr', 'vidtr', ('vidtr_*.py', 'cvidtr_*.py')),
}
ACCURACIES = {'top1': 'Top 1 Accuracy', 'top5': 'Top 5 Accuracy', 'map': 'mAP'}


def write_metafiles(root: Path) -> dict[Path, str]:
    """Write the text of all metafiles.

    No weights of ours stand behind them, so accuracies, and what the models start from, are named the paper's.

    Args:
        root (Path): Folder with ``configs/``.

    Returns:
        dict: Path within ``root`` -> text.
    """
    files = {}
    for paper, (name, stem, patterns) in FAMILIES.items():
        content = load_paper(paper)
        collection = dict(Name=name, README=f'docs/{stem}.md', Paper=dict(Title=content['title'], URL=content['url']))
        rows = [row for row in reversed(load_rows(paper)) if row.published.keys() & ACCURACIES]
        rows = {row.config: row for row in sorted(rows, key=lambda row: len(row.published.keys() & ACCURACIES))}
        configs = sorted(path.stem for pattern in patterns for path in (root / 'configs').glob(pattern))
        models = [
            _model(name, config, content['counted'], rows.get(config))
            for config in configs
            if not config.endswith('_motion')  # the quick start's, of no paper
        ]
        files[Path(f'configs/{stem}.metafile.yml')] = _to_yaml(dict(Collections=[collection], Models=models))
    return {Path('model-index.yml'): _to_yaml(dict(Import=[path.as_posix() for path in files])), **files}


def _model(collection: str, config: str, counted: str, row: Row | None) -> dict:
    """A model's entry; ``row`` is the first of the paper's tables that gives most of its accuracies."""
    cfg = read_config(config)
    cost = model_cost(config, counted)
    data = dataset_of(cfg)
    arch = cfg.model.backbone.get('arch')
    metadata = {
        'Architecture': f'{cfg.model.backbone.type} {arch}' if isinstance(arch, str) else cfg.model.backbone.type,
        # of a view, as the model's page has them: VidTr's paper leaves out much of what its own multiply-adds are
        'FLOPs': f'{cost.macs if collection == "VidTr" else cost.gflops:.4g}G',
        'Parameters': f'{cost.params:.4g}M',
        'Training Data': data,
        'Epochs': cfg.train_cfg.max_epochs,
        'Batch Size': cfg.auto_scale_lr.base_batch_size,
    }
    entry = {'Name': config, 'In Collection': collection, 'Config': f'configs/{config}.py', 'Metadata': metadata}
    if row is not None:
        if row.pretrain:
            metadata['Pretrained (paper)'] = row.pretrain
        entry['Results'] = [
            {
                'Task': 'Image Classification' if data == 'ImageNet-1K' else 'Action Recognition',
                'Dataset': data,
                'Metrics': {
                    f'{title} (paper)': row.published[name]
                    for name, title in ACCURACIES.items()
                    if name in row.published
                },
            }
        ]
    return entry


def _to_yaml(content: dict) -> str:
    return '# Written by tools/write_generated.py.\n' + yaml.safe_dump(content, sort_keys=False, width=120)
