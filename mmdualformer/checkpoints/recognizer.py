"""Checkpoints that say how to use them: model, test pipeline and class names travel with the weights."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn as nn
from mmaction.apis import init_recognizer
from mmaction.models.recognizers import BaseRecognizer
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.hub import get_config
from mmengine.registry import MODELS as ENGINE_MODELS
from mmengine.registry import TRANSFORMS as ENGINE_TRANSFORMS
from mmengine.registry import WEIGHT_INITIALIZERS

from mmdualformer.compat.engine import loading_nothing
from mmdualformer.datasets.wrappers import iterate_configs
from mmdualformer.errors import UserError, describe
from mmdualformer.finite import refuse_non_finite
from mmdualformer.weights import check_fit, load_checked, load_safely, tensors_of

KEY = 'recognizer'  # in the checkpoint's meta
# arguments that say what a model starts from: other files and addresses, which one with weights does not need
STARTS = {'init_cfg', 'pretrained', 'pretrained2d', 'pretrain_2d', 'teacher'}
# those of MMAction2 that are no recognizers, and load what they are made of by means of their own
OPENING = tuple(f'mmaction.models.{part}.' for part in ('multimodal', 'roi_heads', 'similarity'))


def describe_recognizer(cfg: Config) -> dict:
    """Describe the recognizer of a config in plain values, which weights-only loading takes.

    Args:
        cfg (Config): With ``model`` and ``test_dataloader``; of several test data sets the first counts.

    Returns:
        dict: ``model`` and ``test_pipeline``.

    Raises:
        TypeError: The config has no test pipeline, or holds something else than strings, numbers, lists, tuples and
            dicts.
    """
    loader = cfg.get('test_dataloader')
    if not isinstance(loader, Mapping):
        raise TypeError(f'its test_dataloader is a {type(loader).__name__}')
    _, dataset = next(iterate_configs('test_dataloader.dataset', loader['dataset']), (None, {}))
    if 'pipeline' not in dataset:
        raise TypeError('its test data has no pipeline')
    return dict(model=plain_values(cfg.model), test_pipeline=plain_values(dataset['pipeline']))


def describe_released(name: str, num_classes: int, frames: int | None = None, backbone: Mapping | None = None) -> dict:
    """Describe a released model, as a checkpoint of ours describes itself.

    It is tested as the authors test it, as its published accuracy comes from that.

    Args:
        name (str): Of a config ``released/NAME_released.py``, such as ``'vidtr_s_k400'``.
        num_classes (int): Classes that it knows. The 400 of Kinetics-400 are named, in MMAction2's order.
        frames (int, optional): Frames of a clip, which spans the time of the config's. Defaults to None, the config's.
        backbone (mapping, optional): Arguments of the backbone other than the config's.

    Returns:
        dict: For the checkpoint's meta.
    """
    cfg = get_config(f'mmdualformer::released/{name}_released.py')
    cfg.model.cls_head.num_classes = num_classes
    cfg.model.backbone.pop('init_cfg', None)  # it has weights
    cfg.model.backbone.update(backbone or {})
    sample = next(step for step in cfg.test_dataloader.dataset.pipeline if 'clip_len' in step)
    if frames and frames != sample.clip_len:
        sample.update(clip_len=frames, frame_interval=sample.clip_len * sample.frame_interval // frames)
    meta = {KEY: describe_recognizer(cfg)}
    if num_classes == 400:
        names = Path(__file__).with_name('kinetics400.txt').read_text(encoding='utf-8').splitlines()
        meta['dataset_meta'] = dict(classes=names)
    return meta


def load_recognizer(path: str, device: str | torch.device = 'cpu', cfg: Config | None = None) -> nn.Module:
    """Load a recognizer, for MMAction2's ``inference_recognizer``.

    From a checkpoint alone, it samples, resizes and normalises as the test of the run that wrote the checkpoint.

    Args:
        path (str): A checkpoint that a run or a converter of ours has written; with a config, any of its model, or
            ``'none'`` for random weights.
        device (str or torch.device): Where the model is to be. Defaults to ``'cpu'``.
        cfg (Config, optional): Config of the recognizer. Defaults to None, what the checkpoint describes.

    Returns:
        nn.Module: The recognizer in eval mode; ``dataset_meta['classes']`` has the names of its classes, if known.

    Raises:
        UserError: The checkpoint does not fit the config, or without one does not describe its recognizer, or names
            something that no registry knows.
    """
    if cfg is None:
        return _load_described(path, device)
    model = init_recognizer(cfg, device=device)
    meta = {} if path == 'none' else load_checked(model, path)
    return _name_classes(model, meta, path)


def read_description(meta: object, path: str) -> dict | None:
    """Take what a checkpoint says of its recognizer.

    Args:
        meta (object): The checkpoint's meta.
        path (str): Where it was read from, for the message.

    Returns:
        dict or None: ``model``, without what it would start from, and ``test_pipeline``; None where it does not say.

    Raises:
        UserError: It names something that no registry knows.
    """
    described = meta.get(KEY) if isinstance(meta, Mapping) else None
    if not isinstance(described, Mapping) or not {'model', 'test_pipeline'} <= described.keys():
        return None
    described = dict(described, model=_without_starts(described['model']))
    refuse_unknown(described, f'checkpoint {path!r}')
    return described


def refuse_unknown(described: object, owner: str) -> None:
    """Refuse what a file from anyone asks for beside what is registered.

    Args:
        described (object): Nested values that name a ``type``.
        owner (str): The file, for the message.

    Raises:
        UserError: It names something that no registry knows: a registry would import it, and the package of a scope.
    """
    known = {
        name
        for registry in (MODELS, TRANSFORMS, ENGINE_MODELS, ENGINE_TRANSFORMS, WEIGHT_INITIALIZERS)
        for name, made in registry.module_dict.items()
        if not made.__module__.startswith(OPENING)
    }
    unknown = sorted(set(_types(described)) - known)
    if unknown:
        raise UserError(f'{owner} asks for {unknown[0]!r}, which no registry of recognizers knows')


def _load_described(path: str, device: str | torch.device) -> nn.Module:
    checkpoint = load_safely(path)
    meta = checkpoint.get('meta', {})
    described = read_description(meta, path)
    if described is None:
        raise UserError(f'checkpoint {path!r} does not say what its model is; give its config too')
    try:
        with loading_nothing():
            model = _build_described(described, device)
    except Exception as error:  # of whatever the description names
        raise UserError(f'checkpoint {path!r} describes a model that cannot be built: {describe(error)}') from None
    weights = tensors_of(checkpoint.get('state_dict', {}), path)
    others = sorted(weights.keys() ^ model.state_dict().keys())
    if others:
        raise UserError(f'checkpoint {path!r} has other weights than the model that it describes, first {others[0]}')
    check_fit(model, weights, path, owner='the model that it describes')
    refuse_non_finite(weights, path)
    model.load_state_dict(weights)
    return _name_classes(model, meta, path)


def _build_described(described: Mapping, device: str | torch.device) -> nn.Module:
    """Build the model of a description, and once the transforms, which inference will build."""
    pipeline = described['test_pipeline']
    cfg = Config(
        dict(
            model=described['model'],
            test_pipeline=pipeline,
            test_dataloader=dict(dataset=dict(pipeline=pipeline)),
            default_scope='mmaction',
        )
    )
    model = init_recognizer(cfg, device=device)
    if not isinstance(model, BaseRecognizer):
        raise TypeError(f'a {type(model).__name__} recognizes nothing')
    Compose(cfg.test_pipeline)
    return model


def _name_classes(model: Any, meta: Mapping, path: str) -> nn.Module:
    """Give a recognizer the names of its classes that its checkpoint has.

    Raises:
        UserError: They are more than the recognizer has.
    """
    data = meta.get('dataset_meta') or {}
    names = data.get('classes') or ()
    classes = getattr(getattr(model, 'cls_head', None), 'num_classes', None)
    if classes is not None and len(names) > classes:
        raise UserError(f'checkpoint {path!r} names {len(names)} classes, its model has {classes}')
    model.dataset_meta = data
    return model


def plain_values(value: Any) -> Any:
    """Copy nested values without MMEngine's own types.

    Raises:
        TypeError: One is something else than a string, a number, a list, a tuple or a dict.
    """
    if isinstance(value, Mapping):
        return {key: plain_values(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain_values(part) for part in value)
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise TypeError(f'{value!r} is a {type(value).__name__}')


def _without_starts(value: object) -> object:
    """Copy nested values without what a model would start from."""
    if isinstance(value, Mapping):
        return {key: _without_starts(part) for key, part in value.items() if key not in STARTS}
    return type(value)(map(_without_starts, value)) if isinstance(value, (list, tuple)) else value


def _types(value: object) -> Iterator[str]:
    """Yield every ``type``, and every ``_scope_`` that one is to be looked up in, of nested values."""
    if isinstance(value, Mapping):
        yield from (str(value[key]) for key in ('type', '_scope_') if key in value)
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _types(part)
