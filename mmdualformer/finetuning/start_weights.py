"""The weights that a fine-tuning starts from: the whole model, as far as a checkpoint has it."""

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
from mmdualformer.checkpoints.starts import BACKBONE, HEAD, FittedBackbone, Start, find_start, fit_backbone
from mmdualformer.errors import UserError, name_some, printable
from mmdualformer.version import __version__
from mmdualformer.weights import write_weights

from .known_classes import SHOWN


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
