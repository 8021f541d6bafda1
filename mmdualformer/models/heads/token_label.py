from collections.abc import Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F
from einops import rearrange
from mmaction.models import I3DHead
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.models.arguments import Positive, Share, check_arguments, check_buildable
from mmdualformer.models.layers import map_size


@MODELS.register_module()
class TokenLabelHead(I3DHead):
    """MMAction2's ``I3DHead`` with a second branch that learns a teacher's label of every token (DualFormer, B.1).

    The loss is ``gamma`` times that of the clip and ``1 - gamma`` times that of the tokens. Only training uses the
    branch; predictions are those of ``I3DHead``. After token labelling (arXiv:2104.10858), in the variant of the
    released DualFormer.

    Args:
        num_classes (int): Classes.
        in_channels (int): Channels of the feature map.
        loss_cls (dict): Loss of both branches. Defaults to cross-entropy.
        dropout_ratio (float): Dropout of both branches. Defaults to 0.5.
        gamma (float): Weight of the clip's loss, 0 to 1. Defaults to 0.5.
        num_token_labels (int): The highest logits of a token that are kept; the others count as 0. Defaults to 5.
        **kwargs: Other arguments of ``I3DHead``.

    Raises:
        UserError: An argument is unusable.
    """

    @check_arguments
    def __init__(
        self,
        num_classes: Positive,
        in_channels: Positive,
        loss_cls: dict = dict(type='CrossEntropyLoss'),
        dropout_ratio: Share = 0.5,
        gamma: Share = 0.5,
        num_token_labels: Positive = 5,
        **kwargs,
    ) -> None:
        if num_token_labels > num_classes:
            raise UserError(f'num_token_labels={num_token_labels} must be at most num_classes={num_classes}')
        check_buildable('loss_cls', loss_cls)
        super().__init__(num_classes, in_channels, loss_cls, dropout_ratio=dropout_ratio, **kwargs)
        self.gamma = gamma
        self.num_token_labels = num_token_labels
        dim = in_channels
        self.token_branch = nn.Sequential(
            nn.Linear(dim, 2 * dim),
            nn.Dropout(self.dropout_ratio),
            nn.ReLU(),
            nn.Linear(2 * dim, 4 * dim),
            nn.Dropout(self.dropout_ratio),
            nn.ReLU(),
            nn.Linear(4 * dim, self.num_classes),
        )

    def loss(self, feats: Tensor, data_samples: Sequence[ActionDataSample], **kwargs) -> dict:
        """Compute the losses of clips and of their tokens.

        Args:
            feats (Tensor): Maps ``[N, C, T, H, W]``.
            data_samples (sequence): With ``gt_label`` and ``token_logits``, a teacher's ``[classes, T', H', W']``.

        Returns:
            dict: Those of ``I3DHead``, its ``loss_cls`` weighted, and ``loss_token``.

        Raises:
            UserError: The data samples have no ``token_logits``.
        """
        if 'token_logits' not in data_samples[0]:
            raise UserError(
                'TokenLabelHead needs labels of the tokens: set model.teacher, or put LoadTokenLabels in '
                "train_pipeline and algorithm_keys=('token_logits', ) in its PackActionInputs"
            )
        losses = super().loss(feats, data_samples, **kwargs)
        losses['loss_cls'] = self.gamma * losses['loss_cls']
        scores = self.token_branch(rearrange(feats, 'N C T H W -> (N T H W) C'))
        logits = torch.stack([sample.token_logits for sample in data_samples])
        losses['loss_token'] = (1 - self.gamma) * self.loss_cls(scores, self.token_targets(logits, feats.shape[2:]))
        return losses

    def token_targets(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        """Turn a teacher's logits into soft labels.

        Args:
            logits (Tensor): ``[N, classes, T', H', W']``; a map of another size than the student's is averaged.
            size (sequence): The student's ``(T, H, W)``.

        Returns:
            Tensor: ``[N * T * H * W, classes]``, each row of which sums to one.
        """
        logits = F.adaptive_avg_pool3d(logits.float(), map_size(int, size))
        logits = rearrange(logits, 'N K T H W -> (N T H W) K')
        values, labels = logits.topk(self.num_token_labels, dim=1)
        return torch.zeros_like(logits).scatter(1, labels, values).softmax(dim=1)
