import torch.nn as nn
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor

from mmdualformer.datasets.moving_scenes import MOTIONS, OBJECT


@MODELS.register_module()
class MotionLoss(nn.Module):
    """Smooth L1 between predicted motion and that of a :class:`~mmdualformer.datasets.MovingScenesDataset`.

    Args:
        camera_weight (float): Weight of the camera's numbers; those of the object have 1. Defaults to 0.15.
        beta (float): Error from which on the loss is linear. Defaults to 0.05.
    """

    def __init__(self, camera_weight: float = 0.15, beta: float = 0.05) -> None:
        super().__init__()
        self.camera_weight = camera_weight
        self.beta = beta

    def forward(self, motion: Tensor, target: Tensor) -> Tensor:
        """Compare motion ``[B, frames * MOTIONS]`` with its target."""
        losses = F.smooth_l1_loss(motion.float(), target, reduction='none', beta=self.beta)
        losses = losses.unflatten(1, (-1, MOTIONS))
        return losses[..., :OBJECT].mean() + self.camera_weight * losses[..., OBJECT:].mean()
