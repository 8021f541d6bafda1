"""What training can start from: checkpoints of ours and of others, told apart by their names and shapes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn as nn
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope
from torch import Tensor

from mmdualformer.commands import ROOT
from mmdualformer.compat.engine import loading_nothing
from mmdualformer.configs import read_config
from mmdualformer.errors import UserError
from mmdualformer.weights import check_fit, load_safely, take_weights

from .converters import Converted
from .dualformer import convert_dualformer
from .inflate import inflate_backbone
from .recognizer import read_description
from .vidtr import convert_vidtr, convert_vit

BACKBONE, HEAD = 'backbone.', 'cls_head.'
# Names that only one of the released models has, and those of a ViT in timm's names; ours are none of them.
_DUALFORMER = 'patch_embeds.0.proj.weight'
_VIDTR = ('pos_embedding', 'encoder.layers.0.self_attn.in_proj_weight')
_VIT = ('pos_embed', 'blocks.0.mlp.fc1.weight')
_SHORTEST_CLIP = 8 * 14 * 14  # position embeddings of a released VidTr; vit_inflate.pth has those of one frame
# What a model of images has no counterpart of: a scale of a DualFormer that reduces time alone.
_ABSENT_IN_IMAGES = ('.attn.scales.', '.attn.norm.')
# Models that are tried first: what several fit, these are for.
_FIRST = ('dualformer_t', 'vidtr_s', 'vmf_1g')
# What the names of configs start with, so that only those of a known type are read.
_FAMILIES = {
    'DualFormer': ('dualformer_',),
    'VidTr': ('vidtr_', 'cvidtr_'),
    'VideoMobileFormer': ('vmf_',),
    'Mobile3D': ('mobile3d_',),
}


@dataclass
class FittedBackbone:
    """The weights of a backbone, as a start gives them.

    Attributes:
        weights (dict): Name -> tensor, all of the backbone but ``made``.
        made (list): Names of tensors that the start has no counterpart of.
        inflated (bool): Whether the weights are those of images.
        used (list): Names of the tensors of the start that they are from.
        owner (dict): The start's tensors by the names of the recognizer whose backbone this is, for its head.
    """

    weights: dict[str, Tensor]
    made: list[str]
    inflated: bool
    used: list[str]
    owner: dict[str, Tensor]


@dataclass
class Start:
    """A checkpoint that training starts from.

    Attributes:
        path (str): The file.
        weights (dict): Name -> tensor, as the file has them.
        meta (dict): What it, or its converter, says of it.
        described (dict, optional): ``model`` and ``test_pipeline`` where it describes itself.
        converted (Converted, optional): The weights under our names, where they are a released model's.
        refusal (UserError, optional): Why they are not, though they look like a released model's.
        image_prefix (str, optional): What stands before the names, where they are those of a released DualFormer of
            images.
        others (list): Parts of the file that are no weights, such as the state of training.
        model (str, optional): The model that the package carries it for, where it is no file of the user's.
    """

    path: str
    weights: dict[str, Tensor]
    meta: dict
    described: dict | None = None
    converted: Converted | None = None
    refusal: UserError | None = None
    image_prefix: str | None = None
    others: list[str] = field(default_factory=list)
    model: str | None = None

    @property
    def is_released(self) -> bool:
        """Whether a converter of released weights has made it, here or before."""
        return self.converted is not None or 'arch' in self.meta

    @property
    def classes(self) -> list[str]:
        """Names of the classes that its head knows, in the order of their labels; none where it does not say."""
        return list((self.meta.get('dataset_meta') or {}).get('classes') or ())

    @property
    def description(self) -> str:
        """What the file was taken for."""
        if self.converted is not None:
            return self.converted.description.partition(';')[0]
        if 'pretrained_on' in self.meta:
            return f'a model that was pretrained on {self.meta["pretrained_on"]}'
        kind = 'a released' if self.is_released else 'a trained'
        if self.described:
            classes = f' of {len(self.classes)} classes' if self.classes else ''
            return f'{kind} {self.described["model"].get("backbone", {}).get("type", "model")}{classes}'
        return 'weights that do not describe themselves' if self.image_prefix is None else 'a DualFormer of images'


def find_start(path: str) -> Start:
    """Read what training is to start from, and find out what it is.

    Args:
        path (str): A file of ``torch.save`` or of safetensors; see :func:`identify`.

    Raises:
        UserError: It cannot be read safely or is damaged; or see :func:`identify`.
    """
    return identify(load_safely(path), path)


def identify(content: Mapping, path: str) -> Start:
    """Find out what a checkpoint is.

    Args:
        content (mapping): What was read: weights at the top level or under ``state_dict``, ``model``, ``model_state``,
            ``model_state_dict``, ``module`` or ``state_dict_ema``, with any prefix. They are those of a recognizer of
            ours or of MMAction2; of a released DualFormer or VidTr; or of images: a DualFormer, a ViT or a T2T-ViT.
        path (str): Where it was read from.

    Raises:
        UserError: It holds no weights or such that are not finite, or describes itself by what no registry knows.
    """
    weights, key = take_weights(content, path)
    meta = content.get('meta')
    start = Start(path, weights, dict(meta) if isinstance(meta, Mapping) else {})
    start.others = [name for name in content if name not in ('meta', key)] if key else []
    start.described = read_description(start.meta, path)
    if start.described:
        _check_plain(start.described, path)
    prefix = _find_prefix(weights, (_DUALFORMER,))
    if prefix is not None and weights[prefix + _DUALFORMER].ndim == 4:
        start.image_prefix = prefix
    elif found := _find_converter(weights):
        names, convert = found
        try:
            start.converted = convert(names)
        except UserError as error:
            start.refusal = error
        else:
            start.meta = dict(start.converted.meta)
            start.described = read_description(start.meta, path)
    return start


def _find_converter(weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Callable] | None:
    """Find the converter of a released model for videos or of a ViT, and the weights under the names that it takes."""
    prefix = _find_prefix(weights, (_DUALFORMER,))
    if prefix is not None:
        root = prefix.removesuffix(BACKBONE) if prefix.endswith(BACKBONE) else prefix
        return _strip(weights, root), convert_dualformer
    prefix = _find_prefix(weights, _VIDTR)
    if prefix is not None:
        names = _strip(weights, prefix)
        is_image = 'cls' in names and names[_VIDTR[0]].shape[1:2] < (_SHORTEST_CLIP,)
        return names, convert_vit if is_image else convert_vidtr
    prefix = _find_prefix(weights, _VIT)
    return None if prefix is None else (_strip(weights, prefix), convert_vit)


def _find_prefix(weights: Mapping[str, Tensor], names: tuple[str, ...]) -> str | None:
    """The shortest prefix under which there are all names."""
    first, *others = names
    prefixes = [name.removesuffix(first) for name in weights if name == first or name.endswith(f'.{first}')]
    return min(
        (prefix for prefix in prefixes if all(prefix + name in weights for name in others)), key=len, default=None
    )


def _strip(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def _check_plain(value: object, path: str) -> None:
    """Check that a description can be written into a config, which is a program: names and values stay such.

    Raises:
        UserError: A key is no name, or a text has braces that MMEngine would fill in.
    """
    if isinstance(value, Mapping):
        for key in value:
            if not (isinstance(key, str) and key.isidentifier()):
                raise UserError(f'checkpoint {path!r} describes a model by {str(key)!r}, which is no name')
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            _check_plain(part, path)
    elif isinstance(value, str) and '{{' in value:
        raise UserError(f'checkpoint {path!r} describes a model by {value!r}, which is no plain text')


def fit_backbone(start: Start, backbone: nn.Module, on_meta: bool = False) -> FittedBackbone:
    """Take the weights of a backbone from a start: as they are, under other names, or inflated.

    Args:
        start (Start): What :func:`find_start` gives.
        backbone (nn.Module): The model's backbone.
        on_meta (bool): Look whether they fit alone, without values. Defaults to False.

    Raises:
        UserError: They are not those of the backbone.
    """
    wanted = backbone.state_dict()
    layouts = [(start.weights, _widest_prefix(start.weights, wanted))]
    if start.converted is not None:
        layouts.append((start.converted.weights, BACKBONE))
    elif start.image_prefix is not None:
        layouts = [(start.weights, start.image_prefix)]
    for weights, prefix in layouts:
        part = {name: value.to('meta') if on_meta else value for name, value in _strip(weights, prefix).items()}
        used = [prefix + name for name in part if name in wanted]
        if wanted.keys() <= part.keys() and all(part[name].shape == value.shape for name, value in wanted.items()):
            check_fit(backbone, part, start.path, owner='the backbone')  # of the same kind of numbers
            owner = _strip(weights, prefix.removesuffix(BACKBONE)) if prefix.endswith(BACKBONE) else {}
            return FittedBackbone({name: part[name] for name in wanted}, [], False, used, owner)
        if start.image_prefix is not None:  # under the released names
            used = [prefix + name for name in part if not name.startswith('head.')]
        elif 2 * len(used) < len(wanted) or not _is_of_images(part, wanted):
            continue
        try:
            inflated, made = inflate_backbone(part, backbone)
        except UserError:
            continue
        if all(any(mark in f'.{name}' for mark in _ABSENT_IN_IMAGES) for name in made):
            made += [name for name in inflated if '.attn.temporal.' in name and name not in part]
            weights = {name: value for name, value in inflated.items() if name not in made}
            return FittedBackbone(weights, made, True, used, {})
    if start.refusal:
        raise UserError(f'checkpoint {start.path!r}: {start.refusal}')
    weights, prefix = layouts[-1]
    named = {BACKBONE + name: value for name, value in _strip(weights, prefix).items()}
    check_fit(nn.ModuleDict(dict(backbone=backbone)), named, start.path)
    raise AssertionError('weights that fit were refused')


def _is_of_images(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> bool:
    """Whether no kernel is longer than one frame."""
    kernels = [weights[name] for name, value in wanted.items() if value.ndim == 5 and name in weights]
    return all(kernel.ndim == 4 or kernel.shape[2:3] == (1,) for kernel in kernels)


def _widest_prefix(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """The prefix under which most of the wanted names are."""
    names = list(wanted)
    anchors = {names[0], names[len(names) // 2], names[-1]}
    prefixes = {
        name.removesuffix(anchor)
        for name in weights
        for anchor in anchors
        if name == anchor or name.endswith(f'.{anchor}')
    }
    return max(sorted(prefixes), key=lambda prefix: sum(prefix + name in weights for name in names), default=BACKBONE)


def iterate_models(start: Start) -> Iterator[tuple[str, Path]]:
    """Yield the models that a start may be of, as ``fit --model`` takes them, and their configs."""
    configs = ROOT / 'configs'
    described = _backbone_of(start.described)
    kind = (
        described['type'] if described else 'DualFormer' if start.image_prefix is not None else start.meta.get('model')
    )
    prefixes = _FAMILIES.get(str(kind), ('',))
    image = str(start.meta.get('image_model', '')).lower().replace('-', '_')
    found = sorted(configs.rglob(f'*_k400_{image}.py')) if image else []
    found += [configs / f'{name}_k400.py' for name in _FIRST]
    for pattern in ('*_k400.py', 'own_videos/*.py', '*_micro_motion.py'):
        found += sorted(configs.glob(pattern))
    for path in dict.fromkeys(found):
        name = path.stem.removesuffix('_k400')
        if not path.name.startswith(prefixes):
            continue
        has_name = path in (configs / f'{name}_k400.py', configs / 'own_videos' / f'{name}.py')
        yield (name if has_name else str(path)), path


def find_model(start: Start) -> str | None:
    """Find the model that a start is of.

    Returns:
        str or None: What ``fit --model`` takes; None where it is of none of ours.
    """
    init_default_scope('mmaction')
    described = _backbone_of(start.described)
    alike: dict[str, int] = {}  # models of the same type -> how many arguments are the same
    for name, path in iterate_models(start):
        config = read_config(str(path)).model.backbone
        if described:
            if described['type'] != config.type:
                continue
            alike[name] = sum(described.get(key) == value for key, value in config.items())
        try:
            with torch.device('meta'):
                fit_backbone(start, MODELS.build(config), on_meta=True)
        except UserError:
            continue
        return name
    return max(alike, key=lambda name: alike[name], default=None)


def describes_videos(start: Start) -> bool:
    """Whether a start describes a model of videos that its weights are of, which training can take as it is."""
    backbone = _backbone_of(start.described)
    if start.described is None or backbone is None or not find_samplers(start.described['test_pipeline']):
        return False
    try:
        with loading_nothing(), torch.device('meta'):
            return not fit_backbone(start, MODELS.build(backbone), on_meta=True).inflated
    except Exception:  # of whatever the description names
        return False


def find_samplers(pipeline: object) -> list[Any]:
    """The steps of a pipeline that choose the frames of a clip; none where it is one of images."""
    steps = pipeline if isinstance(pipeline, (list, tuple)) else ()
    return [step for step in steps if isinstance(step, Mapping) and isinstance(step.get('clip_len'), int)]


def _backbone_of(described: dict | None) -> dict | None:
    model = (described or {}).get('model')
    backbone = model.get('backbone') if isinstance(model, Mapping) else None
    return dict(backbone) if isinstance(backbone, Mapping) and 'type' in backbone else None
