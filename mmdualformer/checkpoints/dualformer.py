"""Released DualFormer checkpoints (github.com/sail-sg/dualformer): their names, and ours."""

import re
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.models import DualFormer
from mmdualformer.models.arguments import Size

from .converters import Converted, check_classifier, check_shapes
from .recognizer import describe_released

# Pattern of a released name -> our name. A stage is a flat list of layers there; {block} and {half} make two of them a
# block.
_NAMES = (
    (r'patch_embeds\.(?P<stage>\d+)\.(?P<rest>.+)', 'stages.{stage}.patch_embed.{rest}'),
    (r'pos_block\.(?P<stage>\d+)\.proj\.0\.(?P<rest>.+)', 'stages.{stage}.blocks.0.peg.conv.{rest}'),
    (r'blocks\.(?P<stage>\d+)\.(?P<layer>\d+)\.(?P<rest>.+)', 'stages.{stage}.blocks.{block}.layers.{half}.{rest}'),
    (r'norm\.(?P<rest>.+)', 'norm.{rest}'),
)
_ATTENTION_NAMES = (
    ('attn.sr.', 'attn.scales.fine.'),
    ('attn.lr.0.', 'attn.scales.coarse.down1.'),
    ('attn.lr.1.', 'attn.scales.coarse.norm.'),
    ('attn.lr.3.', 'attn.scales.coarse.down2.'),
)
# the released models', for clips of any length
_FINE_SIZES: tuple[Size | Literal['whole'], ...] = ((8, 7, 7), (8, 7, 7), (8, 7, 7), 'whole')
_DATA = {400: 'k400', 600: 'k600', 48: 'diving48', 51: 'hmdb51', 101: 'ucf101'}  # classes -> what released models know
# those of configs/released/ that are of other data than Kinetics-400
_CONFIGS = (
    'dualformer_b_k600',
    'dualformer_s_diving48',
    'dualformer_s_hmdb51',
    'dualformer_s_ucf101',
    'dualformer_t_ucf101',
)
_ARCHS = {arch['embed_dims'][0]: name for name, arch in DualFormer.arch_zoo.items()}


def backbone_name(released: str) -> str:
    """Translate the name of a tensor of a released backbone.

    Args:
        released (str): A name without the ``backbone.`` prefix, such as ``'blocks.0.1.attn.sr.weight'``.

    Returns:
        str: Our name, such as ``'stages.0.blocks.0.layers.1.attn.scales.fine.weight'``.

    Raises:
        UserError: The released backbones have no such tensor.
    """
    for pattern, ours in _NAMES:
        match = re.fullmatch(pattern, released)
        if match:
            parts = match.groupdict()
            block, half = divmod(int(parts.get('layer', 0)), 2)
            name = ours.format(**parts, block=block, half=half)
            for theirs, replacement in _ATTENTION_NAMES:
                name = name.replace(theirs, replacement)
            return name
    raise UserError(f'the released DualFormers have no tensor {released!r}')


def convert_dualformer(weights: Mapping[str, Tensor]) -> Converted:
    """Convert a released checkpoint for videos.

    Args:
        weights (mapping): A recognizer, with ``backbone.`` and ``cls_head.fc_cls.`` names, or a bare backbone.

    Returns:
        Converted: The weights of a ``Recognizer3D`` with a DualFormer and, where there is a classifier, an I3DHead.

    Raises:
        UserError: They are not those of a released DualFormer-T, -S or -B.
    """
    is_recognizer = any(name.startswith('backbone.') for name in weights)
    prefix = 'backbone.' if is_recognizer else ''
    backbone = {
        backbone_name(name.removeprefix(prefix)): value for name, value in weights.items() if name.startswith(prefix)
    }
    head = {name: value for name, value in weights.items() if name.startswith('cls_head.fc_cls.')}
    dropped = [name for name in weights if is_recognizer and not name.startswith(prefix) and name not in head]

    arch, frames = _detect(backbone)
    name = f'DualFormer-{arch[0].upper()} for clips of {frames} frames'
    with torch.device('meta'):
        model = DualFormer(arch, clip_size=(frames, 224, 224), fine_sizes=_FINE_SIZES)
    check_shapes(backbone, model.state_dict(), name)
    converted = {f'backbone.{key}': value for key, value in backbone.items()}
    classes = check_classifier(
        {key.removeprefix('cls_head.fc_cls.'): value for key, value in head.items()},
        DualFormer.arch_zoo[arch]['embed_dims'][-1],
        name,
    )
    meta = dict(model='DualFormer', arch=arch, clip_frames=frames, num_classes=classes)
    if classes:
        config = f'dualformer_{arch[0]}_{_DATA.get(classes, "k400")}'
        sizes = dict(clip_size=(frames, 224, 224), fine_sizes=_FINE_SIZES)
        meta.update(
            describe_released(config if config in _CONFIGS else f'dualformer_{arch[0]}_k400', classes, frames, sizes)
        )
    converted.update(head)
    description = f'{name}, ' + (f'{classes} classes' if head else 'no classifier')
    return Converted(converted, description, meta, dropped)


def rename_image_backbone(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a released ImageNet checkpoint, for inflation.

    Its classifier is left out. The second step of a coarse prior averages, as in the released rule: the step's kernel
    in the image model is made for another map than that of a clip.

    Args:
        weights (mapping): Released name -> tensor.
        wanted (mapping): ``state_dict`` of our video backbone.

    Returns:
        dict: Our name -> tensor, kernels still without a temporal axis.

    Raises:
        UserError: A name is not one of a released DualFormer.
    """
    renamed = {backbone_name(name): value for name, value in weights.items() if not name.startswith('head.')}
    for name, target in wanted.items():
        if name.endswith('coarse.down2.weight'):
            renamed[name] = torch.full(target.shape, 1 / target[0].numel())
        elif name.endswith('coarse.down2.bias'):
            renamed[name] = torch.zeros(target.shape)
    return renamed


def _detect(backbone: Mapping[str, Tensor]) -> tuple[str, int]:
    """Find the size and the clip length in the shapes of the stem and of the first fine prior."""
    stem = backbone.get('stages.0.patch_embed.proj.weight')
    fine = backbone.get('stages.0.blocks.0.layers.1.attn.scales.fine.weight')
    if stem is None or fine is None:
        raise UserError(
            'the checkpoint is no released DualFormer: it lacks patch_embeds.0.proj.weight or blocks.0.1.attn.sr.weight'
        )
    if stem.shape[0] not in _ARCHS or stem.ndim != 5 or fine.ndim != 5:
        raise UserError(
            f'the checkpoint is no released DualFormer for videos: patch_embeds.0.proj.weight has shape '
            f'{tuple(stem.shape)}, known are those with {", ".join(map(str, _ARCHS))} output channels and '
            'five axes'
        )
    return _ARCHS[stem.shape[0]], 16 * fine.shape[2]
