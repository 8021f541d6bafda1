"""What can be known to fail before a run starts, said in one line.

A missing list is found here rather than after the model is built, a missing validation set before the first epoch is
trained, and a label outside the classes before it becomes a CUDA assertion.
"""

import os.path as osp
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch.nn as nn
from mmaction.datasets import VideoDataset
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.model import is_model_wrapper
from torch import Tensor
from torch.utils.data import Dataset

from mmdualformer.checkpoints.convert import check_names, load_safely
from mmdualformer.datasets.annotations import read_list, read_names
from mmdualformer.datasets.image_folder import find_classes
from mmdualformer.datasets.wrappers import iterate_configs
from mmdualformer.errors import UserError
from mmdualformer.models.layers import Mlp


def check_datasets(cfg: Config, loaders: Sequence[str], overrides: dict | None = None) -> None:
    """Check that the data of a config is there, that its labels fit the head, and that batches have clips.

    Args:
        cfg (Config): The merged config.
        loaders (sequence): The loaders a tool uses, such as ``('train_dataloader', 'val_dataloader')``.
        overrides (dict, optional): What ``--cfg-options`` gave, to say where a path was set.

    Raises:
        UserError: A list or folder is missing, or a label is not one of ``model.cls_head.num_classes``.
    """
    num_classes = (cfg.model.get('cls_head') or {}).get('num_classes')
    for loader in loaders:
        if not isinstance(cfg.get(loader), dict):  # none, or the several loaders of a multi-loader loop
            continue
        batch = cfg[loader].get('batch_size', 1)
        if not isinstance(batch, int) or batch < 1:
            raise UserError(f'{loader}.batch_size={batch!r} must be a number of clips, at least 1')
        for key, dataset in iterate_configs(f'{loader}.dataset', cfg[loader]['dataset']):
            root = dataset.get('data_root') or ''
            if root and '://' not in root and not Path(root).exists():
                raise UserError(
                    f'{key}.data_root={root!r}, set in {_origin(cfg, root, overrides or {})}, does not '
                    f'exist: there is no {Path(root).absolute()}; set it with --cfg-options '
                    f'{key}.data_root=PATH'
                )
            ann_file = dataset.get('ann_file')
            paths = {'ann_file': ann_file} if ann_file else {}
            paths.update({f'data_prefix.{name}': path for name, path in dataset.get('data_prefix', {}).items() if path})
            for name, path in paths.items():
                if '://' not in path and not Path(root, path).exists():
                    raise UserError(
                        f'{key}.{name}={path!r}, set in {_origin(cfg, path, overrides or {})}, does not '
                        f'exist: there is no {Path(root, path).absolute()}; set it with --cfg-options '
                        f'{key}.{name}=PATH'
                    )
            if ann_file and num_classes and _reads_videos(dataset.get('type')):
                may_lack = dataset.get('multi_class') or loader == 'test_dataloader'
                _check_list(dataset, 'video', num_classes, need_labels=not may_lack)
                _check_names(
                    Path(dataset.get('label_map') or Path(root, ann_file).with_name('label_map.txt')), num_classes
                )
            if dataset.get('type') == 'ImageFolderDataset' and num_classes:
                _check_image_folder(key, dataset, num_classes)


def _reads_videos(dataset_type: object) -> bool:
    """Whether a data set is MMAction2's ``VideoDataset`` or derives from it."""
    cls = DATASETS.get(dataset_type) if isinstance(dataset_type, str) else dataset_type
    return isinstance(cls, type) and issubclass(cls, VideoDataset)


def check_file(argument: str, path: str) -> None:
    """Check that a file exists, unless it is elsewhere on the network.

    Raises:
        UserError: It does not.
    """
    if '://' not in path and not Path(path).is_file():
        raise UserError(f'{argument} {path!r} does not exist (looked in {Path.cwd()})')


def check_checkpoint(model: nn.Module, path: str, prefix: str = '', resume: bool = False) -> None:
    """Check that a checkpoint fits a model, which MMEngine would only warn of.

    Args:
        model (nn.Module): The recognizer.
        path (str): A checkpoint.
        prefix (str): Only tensors whose names start with this must fit. Defaults to ``''``, all.
        resume (bool): Whether training is to go on from it. Defaults to False.

    Raises:
        UserError: The file is missing or unsafe to load, a tensor is missing, has no name or another shape, a converter
            recorded another activation than the model's, or there is no state of training to go on from.
    """
    checkpoint = load_safely(path)
    given = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, Mapping) else checkpoint
    if not isinstance(given, Mapping):
        raise UserError(f'checkpoint {path!r} holds a {type(given).__name__}, not weights by name')
    if resume and not {'meta', 'optimizer'} <= checkpoint.keys():
        raise UserError(
            f'checkpoint {path!r} holds no state of training to go on from; start from its weights with '
            f'--cfg-options load_from={path}'
        )
    model = model.module if is_model_wrapper(model) else model
    given = {name: value for name, value in given.items() if isinstance(value, Tensor)}
    check_names(given, path)
    given = {name.removeprefix('module.'): value for name, value in given.items()}  # as mmengine does
    wanted = {name: tensor for name, tensor in model.state_dict().items() if name.startswith(prefix)}
    missing = [name for name in wanted if name not in given]
    reshaped = [name for name in wanted if name in given and given[name].shape != wanted[name].shape]
    if missing or reshaped:
        faults = [f'{len(missing)} of {len(wanted)} tensors are missing, first {missing[0]}'] if missing else []
        if reshaped:
            name = reshaped[0]
            faults.append(
                f'{len(reshaped)} have other shapes, first {name}: {tuple(given[name].shape)} in the file, '
                f'{tuple(wanted[name].shape)} in the model'
            )
        raise UserError(f'checkpoint {path!r} is of another architecture than the config: {"; ".join(faults)}')
    activation = (checkpoint.get('meta') or {}).get('activation')
    given = {type(module.act).__name__ for module in model.modules() if isinstance(module, Mlp)}
    if activation and given - {activation}:
        raise UserError(
            f'checkpoint {path!r} was trained with {activation}, the config has {", ".join(given)}; set '
            f'model.backbone.act_cfg.type={activation}'
        )


def check_classes(dataset: Dataset, path: str) -> None:
    """Check that the classes of data have the labels that a checkpoint knows them by.

    A class that only one of the two names is left alone: the same class may be written in two ways.

    Args:
        dataset (Dataset): Built data, whose ``metainfo`` may have ``classes``.
        path (str): A checkpoint, which may name its classes.

    Raises:
        UserError: A class has another label.
    """
    trained = (load_safely(path).get('meta', {}).get('dataset_meta') or {}).get('classes') or ()
    given = dataset.metainfo.get('classes') or ()
    labels = {name: label for label, name in enumerate(trained)}
    for label, name in enumerate(given):
        if labels.get(name, label) != label:
            raise UserError(
                f'the data has class {name!r} as label {label}, checkpoint {path!r} was trained with it as '
                f'label {labels[name]}; put the lines of label_map.txt and the labels in one order'
            )


def check_model(cfg: Config, overrides: dict | None = None) -> None:
    """Check that the weights a model is initialised by are there, and that blending has the classes of the head.

    Args:
        cfg (Config): The merged config.
        overrides (dict, optional): What ``--cfg-options`` gave, to say where a path was set.

    Raises:
        UserError: The ``checkpoint`` of an ``init_cfg`` is missing, or the ``num_classes`` of
            ``model.data_preprocessor.blending`` is not ``model.cls_head.num_classes``.
    """
    num_classes = (cfg.model.get('cls_head') or {}).get('num_classes')
    for key, part in _parts('model', cfg.model):
        if part.get('type') in ('Inflated', 'Pretrained'):
            path = part.get('checkpoint', '')
            if '://' not in path and not Path(path).is_file():
                raise UserError(
                    f'{key}.checkpoint={path!r}, set in {_origin(cfg, path, overrides or {})}, does not '
                    f'exist: there is no {Path(path).absolute()}; set it with --cfg-options '
                    f'{key}.checkpoint=PATH'
                )
        blended = part.get('num_classes', num_classes)
        if 'data_preprocessor.blending' in key and num_classes and blended != num_classes:
            raise UserError(
                f'{key}.num_classes={blended} must be that of the head, model.cls_head.num_classes='
                f'{num_classes}; set it with --cfg-options {key}.num_classes={num_classes}'
            )


def _check_list(dataset: dict, prefix: str, num_classes: int, **kwargs) -> None:
    """Check a list of videos or images: read it as the data set will."""
    root = dataset.get('data_root') or ''
    options = {
        name: dataset[name] for name in ('delimiter', 'multi_class', 'rawframes', 'with_offset') if name in dataset
    }
    for _ in read_list(
        osp.join(root, dataset['ann_file']),
        osp.join(root, (dataset.get('data_prefix') or {}).get(prefix) or ''),
        num_classes=num_classes,
        setting='model.cls_head.num_classes',
        **options,
        **kwargs,
    ):
        pass


def _check_names(label_map: Path, num_classes: int) -> None:
    """Check a file with the name of a class a line, if it is there."""
    if label_map.is_file():
        names = read_names(label_map)
        if len(names) > num_classes:
            raise UserError(
                f'{label_map} names {len(names)} classes, more than model.cls_head.num_classes={num_classes}'
            )


def _origin(cfg: Config, value: str, overrides: dict) -> str:
    """Name the file that sets ``value``, the leaf first, then what it inherits."""
    if any(value in str(override) for override in overrides.values()):
        return '--cfg-options'
    for filename in _config_files(cfg.filename):
        if value in Path(filename).read_text(encoding='utf-8'):
            return str(filename)
    return str(cfg.filename)


def _config_files(filename: str) -> Iterator[str]:
    yield filename
    for base in Config._get_base_files(filename):
        yield from _config_files(Config._get_cfg_path(base, filename)[0])


def _parts(key: str, node: object) -> Iterator[tuple[str, dict]]:
    """Yield the dicts of a config, from the outside to the inside, and their keys."""
    if isinstance(node, dict):
        yield key, node
        for name, child in node.items():
            yield from _parts(f'{key}.{name}', child)
    elif isinstance(node, (list, tuple)):
        for i, child in enumerate(node):
            yield from _parts(f'{key}.{i}', child)


def _check_image_folder(key: str, dataset: dict, num_classes: int) -> None:
    """Check that an image folder has the classes of the head; one that is missing would shift the labels after it."""
    if dataset.get('ann_file'):
        _check_list(dataset, 'img', num_classes)
        return
    root = Path(dataset.get('data_root') or '', (dataset.get('data_prefix') or {}).get('img', ''))
    found = len(find_classes(root, (dataset.get('metainfo') or {}).get('classes')))
    if found != num_classes:
        raise UserError(f'{key} has {found} classes in {str(root)!r}, but model.cls_head.num_classes={num_classes}')
