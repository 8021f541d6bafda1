from collections.abc import Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F
from einops import rearrange
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModule
from torch import Tensor

from mmdualformer.datasets.moving_scenes import MOTIONS, OBJECT
from mmdualformer.errors import UserError
from mmdualformer.models.arguments import Positive, Ratio, check_arguments

SPREAD = 0.7  # deviation of where an object counts as being, in cells
SELF = 3  # numbers that say when and where a token is itself


@MODELS.register_module()
class MovingObjectNeck(BaseModule):
    """Asks the tokens of several maps where the moving object is, and passes on what the head takes.

    It is for training on a :class:`~mmdualformer.datasets.MovingScenesDataset`. From the clip's features alone a
    transformer hardly begins to learn a path: its tokens have to know what the object is, and when and where they are
    themselves. Here each token is asked for that. In each frame it scores whether the object is in its cell, and says
    how far the object is from the cell's middle. Only training uses it.

    Args:
        in_channels (sequence): Channels of each map of the backbone, which gives maps ``[B, C, T, H, W]``, or pairs of
            a map and a class token ``[B, C]``.
        token_frames (int): Frames of a token. Defaults to 2.
        loss_weight (float): Weight of the loss of each map. Defaults to 0.1.
    """

    @check_arguments
    def __init__(self, in_channels: Sequence[Positive], token_frames: Positive = 2, loss_weight: Ratio = 0.1) -> None:
        super().__init__()
        self.token_frames = token_frames
        self.loss_weight = loss_weight
        outputs = (1 + OBJECT) * token_frames + SELF
        self.branches = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, outputs)) for channels in in_channels
        )

    def forward(
        self, feats: Sequence[Tensor | tuple[Tensor, Tensor]], data_samples: Sequence[ActionDataSample] | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the losses of the maps.

        Args:
            feats (sequence): Of the backbone, one for each of ``in_channels``.
            data_samples (sequence, optional): With ``gt_label``, the motion ``[frames * MOTIONS]``. Defaults to None,
                as in testing.

        Returns:
            tuple: The last map, or the class token beside it; and ``loss_map0`` and so on, none in testing.
        """
        last = feats[-1]
        passed_on = last if isinstance(last, Tensor) else last[1]
        if data_samples is None:
            return passed_on, {}
        motion = torch.stack([sample.gt_label for sample in data_samples]).to(passed_on.device)
        places = motion.unflatten(1, (-1, MOTIONS))[..., :OBJECT]
        losses = {}
        for i, (feat, branch) in enumerate(zip(feats, self.branches)):
            tokens = rearrange(feat if isinstance(feat, Tensor) else feat[0], 'B C T H W -> B T H W C')
            losses[f'loss_map{i}'] = self.loss_weight * self.map_loss(branch(tokens).float(), places)
        return passed_on, losses

    def map_loss(self, outputs: Tensor, places: Tensor) -> Tensor:
        """Compare what tokens say with where the object is.

        Args:
            outputs (Tensor): ``[B, T, H, W, N]``; N is a score, then x and y, for each frame of a token, and when and
                where it is itself.
            places (Tensor): x and y of the object, ``[B, frames, 2]``, -0.5 to 0.5 in the frame.

        Returns:
            Tensor: Cross-entropy between cells less the least there is, plus smooth L1 of the distances, in cells, and
            of the tokens' own places.

        Raises:
            UserError: The clip has other frames than the tokens.
        """
        frames = self.token_frames
        size = outputs.shape[1:4]
        if size[0] * frames != places.shape[1]:
            raise UserError(
                f'token_frames={frames}: a map of {size[0]} tokens along time stands for {size[0] * frames} frames, '
                f'and the clip has {places.shape[1]}'
            )
        scores, offsets, own = outputs.split([frames, OBJECT * frames, SELF], dim=-1)
        scores = rearrange(scores, 'B T H W f -> B (T f) (H W)')
        offsets = rearrange(offsets, 'B T H W (f n) -> B (T f) (H W) n', f=frames)

        times, rows, columns = (_middles(length, outputs) for length in size)
        cells = torch.cartesian_prod(rows, columns).flip(1)  # x and y
        per_frame = outputs.new_tensor((size[2], size[1]))
        # an object that is outside is where it left the frame
        distances = (places.clamp(-0.5, 0.5)[:, :, None] - cells) * per_frame  # [B, frames, cells, 2]
        target = (-(distances**2).sum(-1) / (2 * SPREAD**2)).softmax(-1)
        presence = F.kl_div(scores.log_softmax(-1), target, reduction='none').sum(-1).mean()
        errors = F.smooth_l1_loss(offsets, distances, beta=0.2, reduction='none').sum(-1)
        where = (errors * target).sum(-1).mean()
        selves = 2 * torch.cartesian_prod(times, rows, columns).view(*size, SELF)
        itself = F.smooth_l1_loss(own, selves.expand_as(own), beta=0.2)
        return presence + where + itself


def _middles(length: int, like: Tensor) -> Tensor:
    """Middles of the cells of an axis, from -0.5 to 0.5."""
    return (torch.arange(length, device=like.device) + 0.5) / length - 0.5
