"""What can be known to fail before a run starts, said in one line.

A missing list is found here rather than after the model is built, a missing validation set before the first epoch is
trained, and a label outside the classes before it becomes a CUDA assertion.
"""

import os.path as osp
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mmaction.datasets import VideoDataset
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import BaseDataset

from mmdualformer.datasets.annotations import read_list, read_names
from mmdualformer.datasets.image_folder import find_classes
from mmdualformer.datasets.wrappers import iterate_configs
from mmdualformer.errors import UserError, name_some

MOST_LABELS = 10  # that a line names


def check_datasets(cfg: Config, loaders: Sequence[str], overrides: dict | None = None) -> list[str]:
    """Check that the data of a config is there, that its labels fit the head, and that batches have clips.

    Args:
        cfg (Config): The merged config.
        loaders (sequence): The loaders a tool uses, such as ``('train_dataloader', 'val_dataloader')``.
        overrides (dict, optional): What ``--cfg-options`` gave, to say where a path was set.

    Returns:
        list: Warnings of what can be trained and is likely a mistake: classes without a clip, or clips of one class.

    Raises:
        UserError: A list or folder is missing, or a label is not one of ``model.cls_head.num_classes``.
    """
    num_classes = (cfg.model.get('cls_head') or {}).get('num_classes')
    counts: Counter[int] = Counter()
    lists: list[str] = []  # that are trained on
    for loader in loaders:
        if not isinstance(cfg.get(loader), dict):  # none, or the several loaders of a multi-loader loop
            continue
        batch = cfg[loader].get('batch_size', 1)
        if not isinstance(batch, int) or batch < 1:
            raise UserError(f'{loader}.batch_size={batch!r} must be a number of clips, at least 1')
        for key, dataset in iterate_configs(f'{loader}.dataset', cfg[loader]['dataset']):
            _check_paths(cfg, key, dataset, overrides or {})
            if num_classes:
                labels = _check_labels(key, dataset, num_classes, is_test=loader == 'test_dataloader')
                if loader == 'train_dataloader' and labels:
                    counts.update(labels)
                    lists.append(osp.join(dataset.get('data_root') or '', dataset['ann_file']))
    return _warn_of_classes(counts, num_classes, ', '.join(lists)) if num_classes and lists else []


def _warn_of_classes(counts: Counter[int], num_classes: int, lists: str) -> list[str]:
    """Warn of classes that no clip of the training lists shows."""
    if len(counts) == 1:
        ((label, clips),) = counts.items()
        return [f'all {clips} labels of {lists} are {label}: there is nothing to tell apart']
    missing = [str(label) for label in range(num_classes) if label not in counts]
    if not missing:
        return []
    return [
        f'{len(missing)} of model.cls_head.num_classes={num_classes} classes have no clip in {lists}: '
        f'{name_some(missing, MOST_LABELS)}'
    ]


def _check_paths(cfg: Config, key: str, dataset: dict, overrides: dict) -> None:
    """Check that the root, the list and the folders of a data set are there."""
    root = dataset.get('data_root') or ''
    paths = {'data_root': root, 'ann_file': dataset.get('ann_file')}
    paths.update((f'data_prefix.{name}', path) for name, path in (dataset.get('data_prefix') or {}).items())
    for name, path in paths.items():
        if path:
            _check_path(cfg, f'{key}.{name}', path, overrides, root='' if name == 'data_root' else root)


def _check_labels(key: str, dataset: dict, num_classes: int, is_test: bool) -> Counter[int]:
    """Check that the labels of a data set are classes of the head, and count those of its list."""
    counts: Counter[int] = Counter()
    ann_file, root = dataset.get('ann_file'), dataset.get('data_root') or ''
    if ann_file and _reads_videos(dataset.get('type')):
        may_lack = dataset.get('multi_class') or is_test
        counts = _check_list(dataset, 'video', num_classes, need_labels=not may_lack)
        _check_label_map(Path(dataset.get('label_map') or Path(root, ann_file).with_name('label_map.txt')), num_classes)
    if dataset.get('type') == 'ImageFolderDataset':
        counts = _check_image_folder(key, dataset, num_classes)
    return counts


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


def read_labels(path: Path, count: int, owner: str) -> list[str]:
    """Read the names of classes that ``--labels`` gives, and check that there are as many as classes.

    Args:
        path (Path): A text file with a name a line.
        count (int): How many there must be.
        owner (str): What has so many classes, for the message, such as ``'the model has'``.

    Raises:
        UserError: The file is missing, is no text or names another number of classes.
    """
    check_file('--labels', str(path))
    names = read_names(path)
    if len(names) != count:
        raise UserError(f'--labels {str(path)!r} names {len(names)} classes, {owner} {count}')
    return names


def check_classes(dataset: BaseDataset, checkpoint: dict, path: str) -> None:
    """Check that the classes of data have the labels that a checkpoint knows them by.

    A class that only one of the two names is left alone: the same class may be written in two ways.

    Args:
        dataset (BaseDataset): Built data, or what wraps it, whose ``metainfo`` may have ``classes``.
        checkpoint (dict): What :func:`~mmdualformer.weights.check_checkpoint` has read; it may name its classes.
        path (str): Where it was read from, for the message.

    Raises:
        UserError: A class has another label.
    """
    trained = (checkpoint['meta'].get('dataset_meta') or {}).get('classes') or ()
    labels = {name: label for label, name in enumerate(trained)}
    for label, name in enumerate(dataset.metainfo.get('classes') or ()):
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
            _check_path(cfg, f'{key}.checkpoint', part.get('checkpoint') or '', overrides or {}, is_there=Path.is_file)
        blended = part.get('num_classes', num_classes)
        if 'data_preprocessor.blending' in key and num_classes and blended != num_classes:
            raise UserError(
                f'{key}.num_classes={blended} must be that of the head, model.cls_head.num_classes='
                f'{num_classes}; set it with --cfg-options {key}.num_classes={num_classes}'
            )


def _check_list(dataset: dict, prefix: str, num_classes: int, **kwargs) -> Counter[int]:
    """Check a list of videos or images, read as the data set will, and count its labels."""
    root = dataset.get('data_root') or ''
    options = {
        name: dataset[name] for name in ('delimiter', 'multi_class', 'rawframes', 'with_offset') if name in dataset
    }
    samples = read_list(
        osp.join(root, dataset['ann_file']),
        osp.join(root, (dataset.get('data_prefix') or {}).get(prefix) or ''),
        num_classes=num_classes,
        setting='model.cls_head.num_classes',
        **options,
        **kwargs,
    )
    return Counter(label for _, labels, _ in samples for label in labels)


def _check_label_map(label_map: Path, num_classes: int) -> None:
    """Check a file with the name of a class a line, if it is there."""
    if label_map.is_file():
        names = read_names(label_map)
        if len(names) > num_classes:
            raise UserError(
                f'{label_map} names {len(names)} classes, more than model.cls_head.num_classes={num_classes}'
            )


def _check_path(
    cfg: Config, key: str, value: str, overrides: dict, root: str = '', is_there: Callable[[Path], bool] = Path.exists
) -> None:
    """Check that a path of a config is there, unless it is elsewhere on the network; if it is not, say who set it."""
    path = Path(root, value)
    if '://' not in value and not is_there(path):
        raise UserError(
            f'{key}={value!r}, set in {_origin(cfg, key, value, overrides)}, does not exist: there is no '
            f'{path.absolute()}; set it with --cfg-options {key}=PATH'
        )


def _origin(cfg: Config, key: str, value: str, overrides: dict) -> str:
    """Name what sets a key to a value: the command line, or the file, the leaf first, then what it inherits."""
    if any(key == name or key.startswith(f'{name}.') for name in overrides):
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


def _check_image_folder(key: str, dataset: dict, num_classes: int) -> Counter[int]:
    """Check that an image folder has the classes of the head; one that is missing would shift the labels after it."""
    if dataset.get('ann_file'):
        return _check_list(dataset, 'img', num_classes)
    root = Path(dataset.get('data_root') or '', (dataset.get('data_prefix') or {}).get('img', ''))
    found = len(find_classes(root, (dataset.get('metainfo') or {}).get('classes')))
    if found != num_classes:
        raise UserError(f'{key} has {found} classes in {str(root)!r}, but model.cls_head.num_classes={num_classes}')
    return Counter()
