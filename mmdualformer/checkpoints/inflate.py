"""From weights of images to weights of videos (DualFormer, Appendix A.1; I3D, arXiv:1705.07750)."""

from collections.abc import Mapping
from pathlib import Path

import torch.nn as nn
from mmengine.logging import print_log
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import Tensor

from mmdualformer.compat.engine import kind_of_numbers
from mmdualformer.errors import UserError
from mmdualformer.models import VidTr
from mmdualformer.weights import read_weights

from .dualformer import rename_image_backbone
from .vidtr import spread_over_time


def inflate(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give 2D kernels the temporal length of a video model: repeated along time and divided by its length.

    So a still clip gives what its frame gave.

    Args:
        weights (mapping): Name -> tensor of the image model; its kernels ``[out, in, h, w]`` or ``[out, in, 1, h, w]``.
        wanted (mapping): ``state_dict`` of the video model.

    Returns:
        dict: Name -> tensor of the video model, for those of ``wanted`` that ``weights`` has.

    Raises:
        UserError: A tensor does not become one of the wanted shape.
    """
    inflated = {}
    for name, target in wanted.items():
        if name not in weights:
            continue
        value = weights[name]
        if target.ndim == 5:
            value = value.unsqueeze(2) if value.ndim == 4 else value
            if value.ndim == 5 and value.shape[2] == 1:
                value = value.expand(-1, -1, target.shape[2], -1, -1) / target.shape[2]
        if value.shape != target.shape:
            raise UserError(f'{name} of shape {tuple(weights[name].shape)} cannot be inflated to {tuple(target.shape)}')
        if kind_of_numbers(value) != kind_of_numbers(target):
            raise UserError(f'{name} of {value.dtype} cannot become one of {target.dtype}')
        inflated[name] = value
    return inflated


def inflate_backbone(weights: Mapping[str, Tensor], backbone: nn.Module) -> tuple[dict[str, Tensor], list[str]]:
    """Make the weights of a video backbone from those of its image model.

    Args:
        weights (mapping): Name -> tensor of a backbone of ours for images, or of a released 2D DualFormer under its own
            names.
        backbone (nn.Module): The video backbone; what a VidTr pools time with is taken from it.

    Returns:
        tuple: Name -> tensor, and the names of the tensors that the image model has no counterpart of.

    Raises:
        UserError: A tensor does not become one of the wanted shape, or the image model is another one.
    """
    wanted = backbone.state_dict()
    if 'patch_embeds.0.proj.weight' in weights:
        weights = rename_image_backbone(weights, wanted)
    if isinstance(backbone, VidTr):
        weights = spread_over_time(weights, backbone)
    inflated = inflate(weights, wanted)
    return inflated, [name for name in wanted if name not in inflated]


@WEIGHT_INITIALIZERS.register_module()
class Inflated:
    """Initialise a backbone by an image checkpoint: ``init_cfg=dict(type='Inflated', checkpoint=PATH)``.

    The checkpoint is one of ours with a 2D backbone, or a released 2D DualFormer under its own names. A VidTr takes one
    of images, which is what ``tools/convert_checkpoint.py vit`` writes.

    Args:
        checkpoint (str): Path of the file.
        strict (bool): Whether the file must have all tensors of the backbone; otherwise those that it lacks stay as
            they are. Defaults to True.
    """

    def __init__(self, checkpoint: str, strict: bool = True) -> None:
        self.checkpoint = checkpoint
        self.strict = strict

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into a backbone.

        Raises:
            UserError: The file is unusable, or lacks a tensor of the backbone where it must not.
        """
        weights = read_weights(self.checkpoint)
        if any(name.startswith('backbone.') for name in weights):
            weights = {
                name.removeprefix('backbone.'): value for name, value in weights.items() if name.startswith('backbone.')
            }
        inflated, missing = inflate_backbone(weights, module)
        if missing and self.strict:
            raise UserError(
                f'checkpoint {str(Path(self.checkpoint))!r} lacks {len(missing)} of {len(inflated) + len(missing)} '
                f'tensors of the {type(module).__name__}, first {missing[0]}'
            )
        module.load_state_dict(inflated, strict=self.strict)
        lacking = f'; it lacks {", ".join(missing)}' if missing else ''
        print_log(f'inflated {len(inflated)} tensors of {self.checkpoint}{lacking}', logger='current')
