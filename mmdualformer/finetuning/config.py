"""A config to fine-tune a model of ours on a user's own videos, on the machine at hand."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config

from mmdualformer.checkpoints.starts import Start
from mmdualformer.datasets.annotations import read_names
from mmdualformer.datasets.wrappers import iterate_configs
from mmdualformer.errors import UserError, describe

from .labels import set_labels
from .start_settings import check_start

BASE = 'auto_scale_lr.base_batch_size'
NEEDED = (  # of a config, beside what the batch decides
    'model.backbone',
    'model.cls_head',
    *(f'{name}_pipeline' for name in ('train', 'val', 'test')),
    *(f'{name}_dataloader.dataset' for name in ('train', 'val', 'test')),
    'train_cfg.max_epochs',
    'default_hooks.checkpoint',
    'default_hooks.logger',
)


def check_config(cfg: Config, name: str) -> None:
    """Check that a config is of a recognizer that is trained on videos.

    Args:
        cfg (Config): The config of a data set.
        name (str): What the user calls it.

    Raises:
        UserError: It is for something else, for tests alone, or does not count its training in epochs.
    """
    for key in NEEDED:
        if _find(cfg, key) is None:
            raise UserError(
                f'--model {name!r} has no {key}; it must be the config of a recognizer with a backbone and a cls_head, '
                'and of a training on videos that counts epochs'
            )
    for key, dataset in iterate_configs('train_dataloader.dataset', cfg.train_dataloader.dataset):
        if not dataset['type'].endswith(('VideoDataset', 'RepeatAugDataset')):
            raise UserError(f'--model {name!r} is not for videos: {key}.type={dataset["type"]!r}')


def check_finetuning(cfg: Config, name: str, start: Start | None) -> None:
    """Check that a config, with what the user changes of it, can be fine-tuned, and that a start is of its backbone.

    Args:
        cfg (Config): A config that :func:`check_config` has checked.
        name (str): What the user calls it.
        start (Start, optional): What training starts from.

    Raises:
        UserError: It is not known what batch its learning rate is for, or the start is of another backbone.
    """
    if _find(cfg, BASE) is None:
        raise UserError(
            f'--model {name!r} does not say what batch its learning rate is for; give --cfg-options {BASE}=64 if it is '
            'for 64 clips, on all GPUs together'
        )
    if start:
        check_start(cfg, name, start)


@contextmanager
def explain_options(options: Mapping[str, object]) -> Iterator[None]:
    """Around what builds and tries a model with ``--cfg-options``, which each may fit, and not fit together.

    Args:
        options (mapping): Their keys and values. Where there are none, an error is no matter of the user.

    Raises:
        UserError: Something fails.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # whatever a model does with arguments that it does not expect
        if not options:
            raise
        given = ' '.join(f'{key}={value}' for key, value in options.items())
        raise UserError(
            f'--cfg-options {given} make a model or data that cannot be used: {type(error).__name__}: {describe(error)}'
        ) from None


def _find(cfg: Config, key: str) -> object:
    value: object = cfg
    for name in key.split('.'):
        value = value.get(name) if isinstance(value, Config | dict) else None
    return value


def finetuning_config(
    cfg: Config,
    lists: Path,
    epochs: int,
    checkpoint: str | None,
    num_workers: int,
    damaged: str = 'use',
    multi_label: bool = False,
    clip_seconds: float | None = None,
) -> Config:
    """Turn the config of a data set into one for a user's own videos, complete but for what the batch decides.

    Args:
        cfg (Config): A config with train, val and test pipelines and ``auto_scale_lr``.
        lists (Path): Folder with ``train.txt``, ``val.txt``, ``test.txt`` and ``label_map.txt``.
        epochs (int): Epochs to train.
        checkpoint (str, optional): Weights to start from, which :func:`~mmdualformer.finetuning.write_start` writes.
        num_workers (int): Processes that read videos, for each training process.
        damaged (str): What is done with damaged videos, see ``RobustVideoDataset``. Defaults to ``'use'``.
        multi_label (bool): Whether a video may have several labels. Defaults to False.
        clip_seconds (float, optional): Typical duration of the training clips, which checkpoints carry in their
            ``dataset_meta``, so that longer videos can be looked at in windows as long. Defaults to None.

    Returns:
        Config: Data, a head for their classes, and epochs are in place.
    """
    cfg = copy.deepcopy(cfg)  # its own copy() shares what is nested, and each fold starts from it
    num_classes = len(read_names(lists / 'label_map.txt'))
    set_labels(cfg, num_classes, multi_label)
    several = dict(multi_class=True, num_classes=num_classes) if multi_label else {}
    for name in ('train', 'val', 'test'):
        loader = cfg[f'{name}_dataloader']
        loader.dataset = dict(
            type='RobustVideoDataset',
            ann_file=str(lists / f'{name}.txt'),
            data_prefix=dict(video=''),
            pipeline=cfg[f'{name}_pipeline'],
            damaged=damaged,
            test_mode=name != 'train',
            **several,
        )
        if name == 'train' and clip_seconds is not None:
            loader.dataset.metainfo = dict(clip_seconds=clip_seconds)
        loader.num_workers = num_workers
        loader.persistent_workers = num_workers > 0
    cfg.train_cfg.max_epochs = epochs
    cfg.load_from = checkpoint
    cfg.default_hooks.logger.interval = 10
    cfg.default_hooks.checkpoint.max_keep_ckpts = 1
    return cfg


def set_batch(cfg: Config, batch: int, videos: int, processes: int) -> None:
    """Set the batch, and a schedule for it: a tenth of the iterations to warm up, then cosine to 0.

    The learning rate is scaled from the batch of the config's recipe to this one when training starts. A last batch of
    an epoch with less than a quarter of the clips is left out, which are others in each epoch: a step by one or two
    clips is as large as any, and batch normalization has no statistics of them.

    Args:
        cfg (Config): What :func:`finetuning_config` gives; changed in place.
        batch (int): Clips of a process.
        videos (int): Training videos.
        processes (int): Training processes.
    """
    cfg.train_dataloader.batch_size = batch
    cfg.auto_scale_lr.enable = True
    steps, left = divmod(-(-videos // processes), batch)
    cfg.train_dataloader.drop_last = steps > 0 and 0 < left < batch / 4
    iterations = cfg.train_cfg.max_epochs * (steps if cfg.train_dataloader.drop_last else steps + bool(left))
    warm_up = max(iterations // 10, 1)
    schedule = [dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=warm_up)]
    if iterations > warm_up:
        schedule.append(dict(type='CosineAnnealingLR', eta_min=0, by_epoch=False, begin=warm_up, end=iterations))
    cfg.param_scheduler = schedule
