"""Released VidTr checkpoints (github.com/amazon-science/gluonmm), and the image models that VidTr starts from."""

from collections.abc import Mapping
from math import isqrt, prod

import torch
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.models import VidTr
from mmdualformer.models.backbones.vidtr import VidTrArch, resize_grid

from .converters import Converted, check_classifier, check_shapes, rename
from .recognizer import describe_released

# Pattern of a released name -> our name.
_NAMES = (
    (r'conv_stem\.(.+)', r'patch_embed.\1'),
    (r'cls|cls_t', r'grid_embed.cls_tokens.0'),
    (r'cls_s', r'grid_embed.cls_tokens.1'),
    (r'pos_embedding', r'grid_embed.position'),
    (r'encoder\.layers\.(\d+)\.self_attn\.in_proj_(.+)', r'layers.\1.attn.qkv.\2'),
    (r'encoder\.layers\.(\d+)\.self_attn\.out_proj\.(.+)', r'layers.\1.attn.proj.\2'),
    (r'encoder\.layers\.(\d+)\.linear([12])\.(.+)', r'layers.\1.mlp.fc\2.\3'),
    (r'encoder\.layers\.(\d+)\.(norm[12]\..+)', r'layers.\1.\2'),
    (r'encoder\.(norm\..+)', r'\1'),
)
_ARCHS = {(bool(arch['pool_layers']), arch['frames']): name for name, arch in VidTr.arch_zoo.items()}

# Names of timm's vision transformers and of T2T-ViT (github.com/yitu-opensource/T2T-ViT) -> ours.
_IMAGE_NAMES = (
    (r'patch_embed\.proj\.(.+)', r'patch_embed.\1'),
    (r'cls_token', r'grid_embed.cls_tokens.0'),
    (r'pos_embed', r'grid_embed.position'),
    (r'blocks\.(\d+)\.((?:norm[12]|attn\.qkv|attn\.proj|mlp\.fc[12])\..+)', r'layers.\1.\2'),
    (r'(norm\..+)', r'\1'),
    *_NAMES,  # vit_inflate.pth, a ViT-B in the names of the released VidTrs
)
# What has no place in a VidTr: classifiers, and T2T-ViT's stem, which is no projection of patches.
_IMAGE_DROPPED = ('head.', 'fc.', 'pre_logits.', 'tokens_to_token.')
_IMAGE_ARCHS: dict[str, VidTrArch] = {
    'ViT-B': dict(embed_dims=768, num_layers=12, num_heads=12, feedforward_channels=3072),
    'ViT-L': dict(embed_dims=1024, num_layers=24, num_heads=16, feedforward_channels=4096),
    'T2T-ViT-14': dict(embed_dims=384, num_layers=14, num_heads=6, feedforward_channels=1152),
    'T2T-ViT-19': dict(embed_dims=448, num_layers=19, num_heads=7, feedforward_channels=1344),
    'T2T-ViT-24': dict(embed_dims=512, num_layers=24, num_heads=8, feedforward_channels=1536),
}


def convert_vidtr(weights: Mapping[str, Tensor]) -> Converted:
    """Convert a released checkpoint.

    Args:
        weights (mapping): Released name -> tensor.

    Returns:
        Converted: The weights of a ``Recognizer3D`` with a VidTr and, where there is a classifier, a TimeSformerHead.

    Raises:
        UserError: They are not those of a released VidTr-S, -M, -L or compact VidTr-S, -M.
    """
    classifier = {name.removeprefix('fc.'): value for name, value in weights.items() if name.startswith('fc.')}
    arch, frames = _detect(weights)
    name = ('C-' if arch.startswith('compact_') else '') + f'VidTr-{arch.removeprefix("compact_")[0].upper()}'
    with torch.device('meta'):
        model = VidTr(arch)
    wanted = model.state_dict()
    backbone = {
        rename(key, _NAMES, 'the released VidTrs'): value for key, value in weights.items() if not key.startswith('fc.')
    }
    backbone = _shape_embeddings(backbone, wanted, name)
    check_shapes(backbone, wanted, name)
    classes = check_classifier(classifier, VidTr.arch_zoo[arch]['embed_dims'], name)

    converted = {f'backbone.{key}': value for key, value in backbone.items()}
    converted.update({f'cls_head.fc_cls.{key}': value for key, value in classifier.items()})
    meta = dict(model='VidTr', arch=arch, clip_frames=frames, num_classes=classes, activation='ReLU')
    config = ('c' if arch.startswith('compact_') else '') + f'vidtr_{arch.removeprefix("compact_")[0]}_k400'
    if classes:
        meta.update(describe_released(config, classes))
    description = (
        f'{name} for clips of {frames} frames, '
        + (f'{classes} classes' if classes else 'no classifier')
        + f'; it was trained with ReLU: test it with configs/released/{config}_released.py, or set '
        'model.backbone.act_cfg.type=ReLU'
    )
    return Converted(converted, description, meta)


def convert_vit(weights: Mapping[str, Tensor]) -> Converted:
    """Convert an image transformer into a VidTr of one-frame clips, from which ``Inflated`` initialises any VidTr.

    T2T-ViT's stem of overlapping tokens has no counterpart in VidTr, and its queries, keys and values have no biases:
    a random projection of patches and zeros take their places.

    Args:
        weights (mapping): Name -> tensor of a ViT-B or ViT-L in timm's names or those of the released
            VidTrs (``vit_inflate.pth``), or of a T2T-ViT-14, -19 or -24.

    Returns:
        Converted: The backbone's weights.

    Raises:
        UserError: They are not those of such a model.
    """
    dropped = [name for name in weights if name.startswith(_IMAGE_DROPPED)]
    backbone = {
        rename(name, _IMAGE_NAMES, 'ViT and T2T-ViT'): value for name, value in weights.items() if name not in dropped
    }
    name, arch, size, patch = _detect_image_model(backbone)
    patch_size, clip_size = (1, patch, patch), (1, size * patch, size * patch)
    with torch.device('meta'):
        model = VidTr(arch, clip_size, patch_size, attention='spatial')
    wanted = model.state_dict()
    backbone = _shape_embeddings(backbone, wanted, name)
    made = []
    if name.startswith('T2T'):
        made = [key for key in wanted if key.startswith('patch_embed.') or key.endswith('attn.qkv.bias')]
        backbone.update({key: torch.zeros(wanted[key].shape) for key in made})
        generator = torch.Generator().manual_seed(0)
        torch.nn.init.trunc_normal_(backbone['patch_embed.weight'], std=0.02, generator=generator)
    elif 'patch_embed.weight' in backbone and backbone['patch_embed.weight'].ndim == 4:
        backbone['patch_embed.weight'] = backbone['patch_embed.weight'].unsqueeze(2)
    check_shapes(backbone, wanted, name)
    meta = dict(model='VidTr', arch=arch, image_model=name, patch_size=patch_size)
    converted = {f'backbone.{key}': value for key, value in backbone.items()}
    return Converted(
        converted,
        f'{name} with {size} x {size} patches, as a VidTr of images',
        meta,
        dropped,
        [f'backbone.{key}' for key in made],
    )


def spread_over_time(weights: Mapping[str, Tensor], model: VidTr) -> dict[str, Tensor]:
    """Give the embeddings of a VidTr of images the grid of one of videos.

    The class token is copied to every class cell. The position embeddings, interpolated to the model's patches, are
    repeated over the rows of time. What pools time is left as the model has it.

    Args:
        weights (mapping): Our name -> tensor of the VidTr of images.
        model (VidTr): The model of videos.

    Returns:
        dict: ``weights`` with other embeddings.

    Raises:
        UserError: They lack the embeddings of images, or are of another width.
    """
    cls, position = weights.get('grid_embed.cls_tokens.0'), weights.get('grid_embed.position')
    if cls is None or position is None or position.ndim != 2 or cls.shape != (1, position.shape[1]):
        raise UserError('the checkpoint is no VidTr of images: it lacks a class token or position embeddings')
    grid, wanted = model.grid_embed, model.state_dict()
    channels = grid.position.shape[-1]
    if position.shape[1] != channels:
        raise UserError(
            f'the checkpoint is a VidTr of images with {position.shape[1]} channels, the model has {channels}'
        )
    _, *image = grid.size
    side = _side(len(position) - 1)
    position = resize_grid(position, [(side, side)], [image], [True])
    class_position, places = position[0], position[1:].view(*image, -1)

    sizes = grid.axis_sizes(grid.size)
    frames = grid.size[0] if 'T' in ''.join(grid.axes) else 1
    position = places.expand(frames, *places.shape).reshape(*map(prod, sizes), -1)
    for i, axis in reversed(list(enumerate(grid.axes))):
        row = position.narrow(i, 0, 1)  # time's class row is one more row of the image, other class cells are its class
        position = torch.cat([row if axis == 'T' else class_position.expand_as(row), position], dim=i)
    spread = {**weights, 'grid_embed.position': position}
    for name, target in wanted.items():
        if name.startswith('grid_embed.cls_tokens.'):
            spread[name] = cls.expand_as(target)
        elif '.attn.temporal.' in name:
            spread[name] = target
    return spread


def _shape_embeddings(backbone: Mapping[str, Tensor], wanted: Mapping[str, Tensor], model: str) -> dict[str, Tensor]:
    """Released positions and first class tokens are the same numbers in the same order as ours, in rows ``[1, L, C]``.

    Raises:
        UserError: One is missing or of another shape.
    """
    rows = {
        name: wanted[name].flatten(0, -2).unsqueeze(0) for name in ('grid_embed.cls_tokens.0', 'grid_embed.position')
    }
    check_shapes({name: backbone[name] for name in rows if name in backbone}, rows, model)
    return {**backbone, **{name: backbone[name].reshape(wanted[name].shape) for name in rows}}


def _side(patches: int) -> int:
    """Patches along the side of a square image."""
    side = isqrt(max(patches, 0))
    if side < 1 or side**2 != patches:
        raise UserError(f'the checkpoint has position embeddings of {patches} patches, which are no square')
    return side


def _detect(weights: Mapping[str, Tensor]) -> tuple[str, int]:
    """Find the model in the class tokens and the number of position embeddings, for 14 x 14 patches a frame."""
    position, is_compact = weights.get('pos_embedding'), 'cls' in weights
    if position is None or position.ndim != 3 or not (is_compact or {'cls_s', 'cls_t'} <= set(weights)):
        raise UserError('the checkpoint is no released VidTr: it lacks pos_embedding, or cls_s and cls_t or cls')
    length = position.shape[1]
    frames = (length - 1) // 196 if is_compact else length // 197 - 1
    if (is_compact, frames) not in _ARCHS:
        known = sorted(frames for compact, frames in _ARCHS if compact == is_compact)
        raise UserError(
            f'the checkpoint is no released VidTr: pos_embedding has shape {tuple(position.shape)}, that '
            f'of {frames} frames; known are {", ".join(map(str, known))}'
        )
    return _ARCHS[is_compact, frames], frames


def _detect_image_model(backbone: Mapping[str, Tensor]) -> tuple[str, VidTrArch, int, int]:
    """Find the model, the patches of a side of its images and their size in its shapes."""
    position, hidden = backbone.get('grid_embed.position'), backbone.get('layers.0.mlp.fc1.weight')
    if position is None or hidden is None or (position.ndim, hidden.ndim) != (3, 2):
        raise UserError('the checkpoint is no ViT or T2T-ViT: it lacks pos_embed or blocks.0.mlp.fc1.weight')
    stem = backbone.get('patch_embed.weight')
    if stem is not None and (stem.ndim not in (4, 5) or stem.shape[-1] < 1):
        raise UserError(f'the checkpoint is no ViT: patch_embed.proj.weight has shape {tuple(stem.shape)}')
    layers = sum(name.endswith('.norm1.weight') for name in backbone)
    for name, arch in _IMAGE_ARCHS.items():
        wanted = (arch['num_layers'], arch['feedforward_channels'], arch['embed_dims'])
        if wanted == (layers, *hidden.shape):
            return name, arch, _side(position.shape[1] - 1), 16 if stem is None else stem.shape[-1]
    raise UserError(
        f'the checkpoint has {layers} layers of {hidden.shape[-1]} channels; known are {", ".join(_IMAGE_ARCHS)}'
    )
