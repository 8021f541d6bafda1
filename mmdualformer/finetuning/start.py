"""What fine-tuning does with the checkpoint that it starts from: its model, its settings, its classes and its head."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from torch import Tensor

from mmdualformer.checkpoints.motion import find_motion_weights
from mmdualformer.checkpoints.recognizer import STARTS
from mmdualformer.checkpoints.starts import (
    BACKBONE,
    HEAD,
    FittedBackbone,
    Start,
    describes_videos,
    find_model,
    find_samplers,
    find_start,
    fit_backbone,
)
from mmdualformer.compat.engine import loading_nothing
from mmdualformer.errors import UserError, describe, name_some, printable
from mmdualformer.version import __version__
from mmdualformer.weights import write_weights

SHOWN = 5  # names of a list that a line shows
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


def find_packaged_start(cfg: Config, name: str) -> Start | None:
    """Find the weights that the package carries for a model, where the user gives none.

    Args:
        cfg (Config): The config of the model, with what the user changes of it.
        name (str): The model, such as ``'vmf_micro'``.

    Returns:
        Start or None: None where the package carries none, or, which a line says, where the backbone is another one.
    """
    path = find_motion_weights(name)
    if path is None:
        return None
    start = find_start(str(path))
    start.model = name
    init_default_scope(cfg.default_scope)
    try:
        fit_backbone(start, MODELS.build(cfg.model.backbone))
    except UserError:
        print(f'warning: the weights of {name} that are here do not fit its backbone as --cfg-options changes it')
        return None
    return start


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


def order_classes(classes: Sequence[str], known: Sequence[str]) -> list[str]:
    """Order classes: those that a checkpoint knows first, in its order, then the others in theirs.

    So the labels of what it knows stay in order, and predictions before and after can be compared.

    Args:
        classes (sequence): Names of the classes that there are videos of.
        known (sequence): Names that the checkpoint knows.
    """
    kept = [name for name in dict.fromkeys(known) if name in set(classes)]
    return kept + [name for name in classes if name not in set(kept)]


def compare_classes(classes: Sequence[str], known: Sequence[str]) -> list[str]:
    """Say which classes a checkpoint knows, which of them the new model will not know, and which names are alike.

    Args:
        classes (sequence): Names of the classes that there are videos of.
        known (sequence): Names that the checkpoint knows.

    Returns:
        list: Lines for people; none where the checkpoint knows no names.
    """
    kept = [name for name in classes if name in set(known)]
    new = [name for name in classes if name not in set(known)]
    gone = [name for name in known if name not in set(classes)]
    lines = []
    if kept:
        lines.append(
            f'the checkpoint knows {len(kept)} of the {len(classes)} classes'
            + (f'; new: {name_some(new, SHOWN)}' if new else '')
        )
        if gone:
            lines.append(
                f'no videos here, and so unknown to the new model: {name_some(gone, SHOWN)}; '
                'to keep a class of the checkpoint, give videos of it too'
            )
    spellings = {_spell(name): name for name in gone}
    for name in new:
        if _spell(name) in spellings:
            lines.append(
                f'warning: class {printable(name)!r} is new, though the checkpoint knows '
                f'{printable(spellings[_spell(name)])!r}; rename it if they are the same'
            )
    return lines


def _spell(name: str) -> str:
    """A name without what people write in several ways: case, and what parts words."""
    return ''.join(name.casefold().replace('_', ' ').replace('-', ' ').split())


def write_start(start: Start, cfg: Config, classes: Sequence[str], path: Path) -> str:
    """Write the weights that a run loads: the whole model of a config, as far as a checkpoint has it.

    The head keeps what it knows of classes of the same names. What the checkpoint has no counterpart of is initialised,
    the same in each call.

    Args:
        start (Start): The checkpoint.
        cfg (Config): The config, with a head for ``classes``.
        classes (sequence): Names of the classes, in the order of their labels.
        path (Path): The file to write.

    Returns:
        str: A line for people: what the checkpoint was taken for, and what was kept, dropped and made.

    Raises:
        UserError: The checkpoint is of another backbone.
    """
    init_default_scope(cfg.default_scope)
    with torch.random.fork_rng(devices=[]), _quiet():
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        fitted = fit_backbone(start, model.backbone)
        if fitted.made:
            model.backbone.init_weights()
        model.cls_head.init_weights()
    weights = dict(model.state_dict())
    weights.update({BACKBONE + name: value for name, value in fitted.weights.items()})
    given = {name: value for name, value in fitted.owner.items() if not name.startswith(BACKBONE)}
    rest = {name for name in weights if not name.startswith((BACKBONE, HEAD))}
    weights.update({name: given[name] for name in rest & given.keys() if given[name].shape == weights[name].shape})
    head, kept = carry_head(cfg.model.cls_head, model.cls_head.state_dict(), given, start.classes, classes)
    layers = [name for name, value in head.items() if value is given.get(HEAD + name)]  # but the last
    weights.update({HEAD + name: value for name, value in head.items()})

    meta = dict(source=Path(start.path).name, mmdualformer_version=__version__)
    if 'activation' in start.meta:
        meta['activation'] = start.meta['activation']
    write_weights(dict(meta=meta, state_dict={name: value.contiguous() for name, value in weights.items()}), path)
    return _summary(start, fitted, len(layers), kept, classes)


def carry_head(
    config: Mapping,
    new: Mapping[str, Tensor],
    given: Mapping[str, Tensor],
    known: Sequence[str],
    classes: Sequence[str],
) -> tuple[dict[str, Tensor], list[str]]:
    """Carry what a head knows over to a head of other classes.

    Args:
        config (mapping): The new head's config.
        new (mapping): The new head's weights, initialised.
        given (mapping): Name -> tensor of a recognizer, of which those of ``cls_head.`` count.
        known (sequence): Names of the classes of the given head.
        classes (sequence): Names of the classes of the new one.

    Returns:
        tuple: The new head's weights, and the names of the classes whose rows were carried. Its other layers are
        carried too. Nothing is carried from a head of another form.
    """
    given = {name.removeprefix(HEAD): value for name, value in given.items() if name.startswith(HEAD)}
    rows = _class_rows(config)
    if rows.isdisjoint(given):  # of weights without a last layer, such as those pretrained on motion
        rows, known = set(), ()
        given = {**given, **{name: new[name] for name in new.keys() - given.keys()}}
    if not new.keys() <= given.keys():
        return dict(new), []
    if any(
        given[name].shape[1:] != value.shape[1:] if name in rows else given[name].shape != value.shape
        for name, value in new.items()
    ) or any(given[name].ndim == 0 or len(given[name]) < len(known) for name in rows):
        return dict(new), []
    places = {name: place for place, name in reversed(list(enumerate(known)))}
    kept = [name for name in classes if name in places]
    to = [label for label, name in enumerate(classes) if name in places]
    carried = {}
    for name, value in new.items():
        carried[name] = value.clone() if name in rows else given[name]
        if name in rows and kept:
            carried[name][to] = given[name][[places[name] for name in kept]].to(value.dtype)
    return carried, kept


def _class_rows(config: Mapping) -> set[str]:
    """Names of the tensors of a head that have a row a class: those that grow with the classes."""
    with torch.device('meta'):
        heads = [
            MODELS.build(dict(config, num_classes=count)).state_dict()
            for count in (config['num_classes'], config['num_classes'] + 1)
        ]
    return {name for name, value in heads[0].items() if value.shape != heads[1][name].shape}


def _summary(start: Start, fitted: FittedBackbone, layers: int, kept: list[str], classes: Sequence[str]) -> str:
    """Say what a start was taken for, and what of it was kept, made and dropped.

    Args:
        start (Start): The checkpoint.
        fitted (FittedBackbone): What of it is the backbone.
        layers (int): Tensors of the head that were kept as they are, those of its last layer not among them.
        kept (list): Names of the classes whose rows of the last layer were kept.
        classes (sequence): Names of all classes.
    """
    if start.model:
        return f'start: {start.model}, pretrained on {printable(start.meta["pretrained_on"])}'
    new = [name for name in classes if name not in set(kept)]
    parts = [f'{len(fitted.weights)} tensors of the backbone' + (', inflated from images' if fitted.inflated else '')]
    parts += [f'the head of {name_some(kept, SHOWN)}'] if kept else [f'{layers} of its head'] if layers else []
    lines = [f'kept {" and ".join(parts)}']
    converted = start.converted
    made = [*fitted.made, *(converted.made if converted else ())]
    made_parts = [f'the head of {name_some(new, SHOWN)}'] if new else []
    made_parts += [f'{len(made)} tensors ({name_some(made, SHOWN)})'] if made else []
    lines += [f'made {" and ".join(made_parts)}'] if made_parts else []
    used = set(fitted.used)
    heads = [name for name in start.weights if name not in used and HEAD in name]
    if converted is None:
        unused = [name for name in start.weights if name not in used and name not in heads]
    else:
        unused = converted.dropped
    dropped = start.others + ([f'{len(unused)} tensors ({name_some(unused, SHOWN)})'] if unused else [])
    gone = [name for name in start.classes if name not in set(classes)]
    if gone:
        dropped.append(f'the head of {name_some(gone, SHOWN)}')
    elif not kept and len(heads) > layers:
        dropped.append('the last layer of its head' if layers else 'its head')
    lines += [f'dropped {", ".join(map(printable, dropped))}'] if dropped else []
    return f'start: {start.path} is {printable(start.description)}; {"; ".join(lines)}'


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MMEngine from listing every parameter that it initialises."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
