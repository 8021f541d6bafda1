"""The model and the settings that a fine-tuning takes of the checkpoint that it starts from."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.checkpoints.recognizer import STARTS
from mmdualformer.checkpoints.starts import (
    Start,
    describes_videos,
    find_model,
    find_samplers,
    fit_backbone,
)
from mmdualformer.compat.engine import loading_nothing
from mmdualformer.errors import UserError, describe, printable

_SIZES = ('scale', 'scale_range', 'size', 'crop_size')  # arguments of transforms that count pixels
# Of a built model: what training alone has to do with, and what says nothing of what it computes.
_FREE = {'training', 'init_cfg', 'p', 'drop_prob', 'inplace', 'with_cp', 'frozen_stages', '_is_init'}


def choose_model(start: Start) -> str:
    """Choose the model of a start, where ``--model`` is not given.

    Raises:
        UserError: It is of no model of ours.
    """
    if start.refusal:
        raise UserError(f'--checkpoint {start.path!r}: {start.refusal}')
    model = find_model(start)
    if model is None:
        raise UserError(
            f'--checkpoint {start.path!r} ({start.description}; the first is {printable(next(iter(start.weights)))}) '
            'is of no model that is known here; give the config of its model: --model CONFIG.py'
        )
    return model


def check_start(cfg: Config, name: str, start: Start) -> None:
    """Check that a start is of the backbone of a config.

    Args:
        cfg (Config): The config.
        name (str): What the user calls it.
        start (Start): The checkpoint.

    Raises:
        UserError: It is of another one; the message names the one that it is of, if it is known.
    """
    init_default_scope(cfg.default_scope)
    try:
        fit_backbone(start, MODELS.build(cfg.model).backbone)
    except UserError as error:
        model = None if start.refusal else find_model(start)
        if model is None:
            raise
        if Path(model).resolve() == Path(name).resolve():
            hint = 'that model has other settings than --model; leave --model out to take them'
        else:
            hint = f'it is of {model!r}: give --model {model}, or leave --model out'
        raise UserError(
            f'--checkpoint {start.path!r} ({printable(start.description)}) is not of --model {name!r}; {hint} ({error})'
        ) from None


def adopt_settings(cfg: Config, name: str, start: Start, is_named: bool) -> list[str]:
    """Put the settings of the model that a start is of into a config.

    The activation is always taken, as weights do without a trace of it. Where the user has not named a model, so are
    the backbone, the head's arguments, how pixels are normalised, frames, sizes and, of what was trained here, the test
    pipeline.

    Args:
        cfg (Config): The config of the model; changed in place.
        name (str): What the model is called.
        start (Start): The checkpoint.
        is_named (bool): Whether the user has named the model, whose settings then count.

    Returns:
        list: Lines that say what was taken, and warnings of what was not.

    Raises:
        UserError: The checkpoint describes a model that cannot be built.
    """
    init_default_scope(cfg.default_scope)
    for key in STARTS & cfg.model.backbone.keys():  # it starts from the checkpoint, and nothing else is loaded
        cfg.model.backbone.pop(key)
    described = start.described['model'] if start.described and describes_videos(start) else None
    if described and described['backbone']['type'] != cfg.model.backbone.type:
        described = None
    if described and not is_named:
        try:
            _take_model(cfg.model, described)
            _take_pipelines(cfg, start)
            with loading_nothing(), torch.device('meta'):
                MODELS.build(cfg.model)
        except Exception as error:  # of whatever the description names
            raise UserError(
                f'--checkpoint {start.path!r} describes a model that cannot be trained: {describe(error)}; give --model'
            ) from None
        return [f'model: {name}, with the settings, frames and sizes that the checkpoint describes']
    lines = [] if is_named else [f'model: {name}, which the checkpoint is of']
    activation = (described['backbone'].get('act_cfg') or {}).get('type') if described else None
    if start.meta.get('model') == cfg.model.backbone.type:  # as a converter records
        activation = start.meta.get('activation', activation)
    if activation and (cfg.model.backbone.get('act_cfg') or {}).get('type') != activation:
        cfg.model.backbone.act_cfg = dict(type=activation)
        lines.append(f'set model.backbone.act_cfg.type={activation}, which the checkpoint was trained with')
    others = _differences(cfg.model, described) if described else []
    if others:
        lines.append(
            f'warning: the checkpoint was trained with other settings than those of --model: {", ".join(others)}; '
            'leave --model out to take them'
        )
    return lines


def _take_model(model: Config, described: Mapping) -> None:
    model.backbone = dict(described['backbone'])
    preprocessor = described.get('data_preprocessor') or {}
    for key in ('mean', 'std', 'to_rgb', 'to_float32'):
        if key in preprocessor:
            model.data_preprocessor[key] = preprocessor[key]
    head = described.get('cls_head') or {}
    if head.get('type') == model.cls_head.type:
        model.cls_head = dict(head)  # what follows from several labels or one is set later
    elif 'in_channels' in head:
        model.cls_head.in_channels = head['in_channels']


def _take_pipelines(cfg: Config, start: Start) -> None:
    """Sample and crop as the described test does; of what was trained here, the test itself is taken."""
    assert start.described is not None
    described = start.described['test_pipeline']
    theirs, ours = find_samplers(described)[0], find_samplers(cfg.test_pipeline)[0]
    is_released = theirs['type'] == 'ReleasedSampleFrames'  # it samples as SampleFrames does, by the authors' rounding
    crop, own_crop = (_crop_size(pipeline) for pipeline in (described, cfg.test_pipeline))
    for name in ('train', 'val', 'test'):
        pipeline = [dict(step) for step in cfg[f'{name}_pipeline']]
        for step in find_samplers(pipeline):
            if theirs['type'] == ours['type'] or is_released:
                for key in {'clip_len', 'frame_interval'} & theirs.keys() & ours.keys():
                    step[key] = max(step[key] * theirs[key] // ours[key], 1)
            else:
                place, test_mode = pipeline.index(step), name != 'train'
                pipeline[place] = dict(theirs, num_clips=1, test_mode=test_mode)
        if crop and own_crop:
            pipeline = [_scale(step, crop / own_crop) for step in pipeline]
        cfg[f'{name}_pipeline'] = pipeline
    if not start.is_released:
        cfg.test_pipeline = described


def _crop_size(pipeline: Sequence[Mapping]) -> int | None:
    sizes = [step['crop_size'] for step in pipeline if 'crop_size' in step]
    size = sizes[0] if sizes else None
    return size[0] if isinstance(size, (list, tuple)) else size


def _scale(step: dict, ratio: float) -> dict:
    """Scale what a transform counts in pixels; -1 stands for what follows from the other side."""

    def scaled(value: object) -> object:
        if isinstance(value, (list, tuple)):
            return tuple(map(scaled, value))
        return max(round(value * ratio), 1) if type(value) is int and value > 0 else value

    return {key: scaled(value) if key in _SIZES else value for key, value in step.items()}


def _differences(model: Config, described: Mapping) -> list[str]:
    """Names of settings that the weights of two backbones of one shape bear no trace of, but their modules do."""
    with loading_nothing(), torch.device('meta'):
        backbones = [MODELS.build(config) for config in (model.backbone, dict(described['backbone']))]
    ours, theirs = (dict(backbone.named_modules()) for backbone in backbones)
    if ours.keys() != theirs.keys():
        return []
    found = set()
    for name in ours.keys() & theirs.keys():
        pair = [vars(module) for module in (ours[name], theirs[name])]
        for key in (pair[0].keys() & pair[1].keys()) - _FREE:
            values = [module[key] for module in pair]
            if name and all(isinstance(value, (int, float, str, tuple)) for value in values) and values[0] != values[1]:
                found.add(key)
        if name and type(ours[name]) is not type(theirs[name]):
            found.add(f'{type(theirs[name]).__name__} for {type(ours[name]).__name__}')
    preprocessors = [model.get('data_preprocessor') or {}, described.get('data_preprocessor') or {}]
    found |= {key for key in ('mean', 'std') if len({str(list(part.get(key) or ())) for part in preprocessors}) > 1}
    return sorted(found)
