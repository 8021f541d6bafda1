"""Why a recognizer says what it says: where it looks, or where the score of a class comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from mmaction.models.recognizers import BaseRecognizer
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.models.listening import in_eval_mode

from .attention import attention_maps, has_attention
from .grad_cam import grad_cam, score_clips
from .maps import stretch

Method = Literal['attention', 'grad_cam']


@dataclass(frozen=True)
class Explanation:
    """Maps of one clip.

    Attributes:
        maps (np.ndarray): ``[T, H, W]``, from 0 to 1, of the clip's size.
        method (str): ``'attention'``, which looks the same for every class, or ``'grad_cam'``.
        label (int): The class that is explained.
        predicted (int): The class of the highest score.
        scores (np.ndarray): Probabilities of this clip, ``[classes]``.
        parts (mapping): What maps of attention are made of, by name, as ``maps``; see
            :func:`~mmdualformer.visualization.attention_maps`.
        times (np.ndarray, optional): When each frame is shown, in seconds, ``[T]``.
    """

    maps: np.ndarray
    method: Method
    label: int
    predicted: int
    scores: np.ndarray
    parts: Mapping[str, np.ndarray] = field(default_factory=dict)
    times: np.ndarray | None = None


def default_method(model: BaseRecognizer, target: int | None = None) -> Method:
    """The method that suits: attention, or Grad-CAM where a class is asked for or no attention can be drawn."""
    return 'attention' if target is None and has_attention(model.backbone) else 'grad_cam'


def explain(
    model: BaseRecognizer,
    clips: Tensor,
    method: Method | None = None,
    target: int | None = None,
    layer: str | None = None,
    times: np.ndarray | None = None,
) -> Explanation:
    """Explain what a recognizer makes of one clip.

    Args:
        model (BaseRecognizer): A Recognizer2D or Recognizer3D. It is run in eval mode, and is left as it was.
        clips (Tensor): The clip as the model takes it, normalised, ``[1, C, T, H, W]``, or ``[1, T, C, H, W]`` of a
            Recognizer2D; :func:`~mmdualformer.visualization.read_view` has it.
        method (str, optional): ``'attention'`` or ``'grad_cam'``. Defaults to None, see :func:`default_method`.
        target (int, optional): The class to explain, with ``'grad_cam'``. Defaults to None, the predicted one.
        layer (str, optional): The layer of Grad-CAM, see :func:`~mmdualformer.visualization.grad_cam`.
        times (np.ndarray, optional): When the frames are shown, which the explanation will have.

    Returns:
        Explanation: The maps and the scores.

    Raises:
        UserError: The model, the clip or an argument is unusable.

    Example:
        >>> from mmdualformer.checkpoints import load_recognizer
        >>> from mmdualformer.visualization import explain, read_view
        >>> model = load_recognizer('checkpoint.pth')  # doctest: +SKIP
        >>> view = read_view(model, 'video.mp4')  # doctest: +SKIP
        >>> explain(model, view.clips, target=3, times=view.times).maps.shape  # doctest: +SKIP
        (16, 64, 64)
    """
    if clips.dim() != 5 or len(clips) != 1:
        raise UserError(f'clips of shape {tuple(clips.shape)} must be one clip, [1, C, T, H, W]')
    num_classes = model.cls_head.num_classes
    if target is not None and not 0 <= target < num_classes:
        raise UserError(f'target={target} must be a class from 0 to {num_classes - 1}')
    if method is None:
        method = default_method(model, target) if layer is None else 'grad_cam'
    parts: dict[str, Tensor] = {}
    if method == 'grad_cam':
        maps, logits = grad_cam(model, clips, layer, target)
    elif method == 'attention':
        if target is not None or layer is not None:
            raise UserError('attention is that of no class and of no single layer; for these the method is grad_cam')
        whole, parts = attention_maps(model.backbone, clips)
        maps = stretch(whole)[0]
        with in_eval_mode(model), torch.no_grad():
            logits = score_clips(model, clips)[0]
    else:
        raise UserError(f"method={method!r} must be 'attention' or 'grad_cam'")

    scores = logits.sigmoid() if model.cls_head.multi_class else logits.softmax(-1)
    predicted = int(scores.argmax())
    return Explanation(
        maps=maps.cpu().numpy(),
        method=method,
        label=predicted if target is None else target,
        predicted=predicted,
        scores=scores.float().cpu().numpy(),
        parts={name: stretch(part)[0].cpu().numpy() for name, part in parts.items()},
        times=times,
    )
