"""Where a model with feature maps looks, beside VidTr's roll-out (VidTr, Figure 3c)."""

import numpy as np
import torch.nn as nn
from mmaction.utils import GradCAM
from torch import Tensor

from mmdualformer.errors import UserError


def grad_cam(model: nn.Module, data: dict, layer: str) -> np.ndarray:
    """Draw a Recognizer3D's class activation map for the class that it predicts, with MMAction2's ``GradCAM``.

    Args:
        model (nn.Module): A recognizer of one map ``[B, C, T, H, W]`` at ``layer``.
        data (dict): A video of one view, as its test pipeline and the collate function give it.
        layer (str): Path of the layer in the model, with slashes, such as ``backbone/layer4``.

    Returns:
        np.ndarray: ``[T, H, W]``, from 0 to 1, of the size of the clip.

    Raises:
        UserError: The model has no such layer, or it puts out no map.
    """
    try:
        model.get_submodule(layer.replace('/', '.'))
    except AttributeError:
        raise UserError(
            f"the {type(model.backbone).__name__} has no layer {layer!r}; a layer is named as 'backbone/layer4'"
        ) from None
    cam = GradCAM(model, layer)
    try:
        maps, _ = cam._calculate_localization_map(data, use_labels=False)
    except (AttributeError, RuntimeError, TypeError, ValueError):
        if isinstance(cam.target_activations, Tensor) and cam.target_activations.dim() == 5:
            raise
        raise UserError(f'{layer!r} of the {type(model.backbone).__name__} puts out no map of time and space') from None
    return maps[0].cpu().numpy()
