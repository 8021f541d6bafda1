"""Where the score of a class comes from: Grad-CAM (arXiv:1610.02391), as MMAction2's ``GradCAM`` counts it."""

import torch
import torch.nn as nn
from mmaction.models import Recognizer2D, Recognizer3D
from mmaction.models.recognizers import BaseRecognizer
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.models import DualFormer, VidTr
from mmdualformer.models.backbones.base import VideoBackbone
from mmdualformer.models.listening import in_eval_mode

from .maps import enlarge, stretch

FEATURE_MAP = 'backbone/feature_map'


def default_layer(model: BaseRecognizer) -> str:
    """The layer whose map is drawn: ``feature_map`` of our backbones, the whole backbone of others."""
    return FEATURE_MAP if isinstance(model.backbone, VideoBackbone) else 'backbone'


def score_clips(model: BaseRecognizer, clips: Tensor) -> Tensor:
    """Compute the logits of clips ``[B, C, T, H, W]``, for a Recognizer2D ``[B, T, C, H, W]``: ``[B, classes]``.

    Raises:
        UserError: The model is another kind of recognizer.
    """
    if not isinstance(model, Recognizer2D | Recognizer3D):
        raise UserError(f'a {type(model).__name__} has no maps; a Recognizer2D or a Recognizer3D has')
    views = clips if isinstance(model, Recognizer2D) else clips[:, None]
    features, arguments = model.extract_feat(views, test_mode=True)
    return model.cls_head(features, **arguments)


def grad_cam(
    model: BaseRecognizer, clips: Tensor, layer: str | None = None, target: int | None = None
) -> tuple[Tensor, Tensor]:
    """Draw the class activation map of one clip.

    Gradients are computed from the layer on, so that what is before it needs no more memory than in a test.

    Args:
        model (BaseRecognizer): A Recognizer2D or Recognizer3D. It is run in eval mode, and is left as it was.
        clips (Tensor): One clip as the model takes it, ``[1, C, T, H, W]``, or ``[1, T, C, H, W]`` of a Recognizer2D.
        layer (str, optional): Path of a layer in the model, with slashes, such as ``'backbone/layer4'``, that puts out
            ``[1, C, T, H, W]``, or ``[T, C, H, W]`` in a Recognizer2D. Defaults to None, see :func:`default_layer`.
        target (int, optional): The class. Defaults to None, the one that the model predicts.

    Returns:
        tuple[Tensor]: The maps ``[T, H, W]``, from 0 to 1, of the clip's size, and the logits ``[classes]``.

    Raises:
        UserError: The model has no such layer, or it puts out no map, or one that does not reach the score.
    """
    layer = default_layer(model) if layer is None else layer
    module = _find(model, layer)
    axes = 4 if isinstance(model, Recognizer2D) else 5
    found: list[Tensor] = []

    def take(module: nn.Module, args: tuple, output: object) -> Tensor:
        if not isinstance(output, Tensor) or output.dim() != axes:
            raise UserError(f'{layer!r} of the {_name(model)} puts out no map of time and space{_hint(model)}')
        torch.set_grad_enabled(True)  # until the block below ends
        found[:] = [output.detach().requires_grad_()]
        return found[0].clone()  # as what follows may change it in place

    handle = module.register_forward_hook(take)
    try:
        with in_eval_mode(model), torch.inference_mode(False), torch.no_grad():
            logits = score_clips(model, clips)[0]
            if not logits.requires_grad:
                raise UserError(f'no score of the {_name(model)} comes from {layer!r}{_hint(model)}')
            score = logits.max() if target is None else logits[target]
            (gradient,) = torch.autograd.grad(score, found[0])
    finally:
        handle.remove()

    activation = found[0].detach()
    if axes == 4:
        activation, gradient = (x.transpose(0, 1)[None] for x in (activation, gradient))
    weights = gradient.mean((3, 4), keepdim=True)
    maps = (weights * activation).sum(1).relu()
    frames = clips.transpose(1, 2) if axes == 4 else clips
    return stretch(enlarge(maps, frames.shape[2:]))[0], logits.detach()


def _find(model: BaseRecognizer, layer: str) -> nn.Module:
    """Find a layer by its path with slashes."""
    try:
        module = model.get_submodule(layer.replace('/', '.'))
    except AttributeError:
        raise UserError(
            f'the {_name(model)} has no layer {layer!r}; a layer is named as {default_layer(model)!r}'
        ) from None
    within = layer.startswith('backbone/') and layer != FEATURE_MAP
    if within and isinstance(model.backbone, DualFormer | VidTr):
        raise UserError(f'layers within a {_name(model)}, as {layer!r}, have no channels first{_hint(model)}')
    return module


def _hint(model: BaseRecognizer) -> str:
    return f'; its map is at {FEATURE_MAP!r}' if isinstance(model.backbone, VideoBackbone) else ''


def _name(model: BaseRecognizer) -> str:
    return type(model.backbone).__name__
