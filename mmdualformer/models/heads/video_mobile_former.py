import torch
import torch.nn as nn
import torch.nn.functional as F
from mmaction.models.heads import BaseHead
from mmaction.registry import MODELS
from torch import Tensor

from mmdualformer.models.arguments import InitCfg, Positive, Share, check_arguments, check_buildable
from mmdualformer.models.layers import ConvNorm3d, PointwiseConv3d, frame_means


class ClipNorm(nn.BatchNorm1d):
    """Batch normalisation that trains on a single clip too, such as the last one of an epoch.

    One clip has no variance; it is normalised by the running statistics, which it leaves as they are.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, C]`` to ``[B, C]``."""
        if self.training and len(x) == 1:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


@MODELS.register_module()
class VideoMobileFormerHead(BaseHead):
    """Classifies the pair that :class:`VideoMobileFormer` puts out, from pooled features and the first token.

    Args:
        num_classes (int): Classes.
        in_channels (int): Channels of the feature map.
        token_dim (int): Width of the tokens. Defaults to 128.
        expansion (int): Channels of the pooled features over ``in_channels``. Defaults to 6.
        hidden_dim (int): Width of the hidden layer. Defaults to 1920.
        dropout_ratio (float): Dropout before the classifier. Defaults to 0.
        loss_cls (dict): Defaults to cross-entropy.
        init_cfg (dict or list, optional): Initialisation, MMEngine's way.
        **kwargs: Other arguments of MMAction2's ``BaseHead``, such as ``average_clips``.

    Raises:
        UserError: An argument is unusable.
    """

    @check_arguments
    def __init__(
        self,
        num_classes: Positive,
        in_channels: Positive,
        token_dim: Positive = 128,
        expansion: Positive = 6,
        hidden_dim: Positive = 1920,
        dropout_ratio: Share = 0.0,
        loss_cls: dict = dict(type='CrossEntropyLoss'),
        init_cfg: InitCfg = [
            dict(type='Kaiming', layer='Conv3d', mode='fan_in'),
            dict(type='TruncNormal', layer='Linear', std=0.02),
        ],
        **kwargs,
    ) -> None:
        check_buildable('loss_cls', loss_cls)
        super().__init__(num_classes, in_channels, loss_cls, init_cfg=init_cfg, **kwargs)
        pooled_dim = expansion * in_channels
        self.expand = ConvNorm3d(PointwiseConv3d(in_channels, pooled_dim))
        self.fc = nn.Linear(pooled_dim + token_dim, hidden_dim)
        self.norm = ClipNorm(hidden_dim)
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = nn.Linear(hidden_dim, num_classes)

    def forward(self, feats: tuple[Tensor, Tensor], **kwargs) -> Tensor:
        """Score clips.

        Args:
            feats (tuple): The map ``[B, in_channels, T, H, W]`` and the tokens ``[B, M, token_dim]``.

        Returns:
            Tensor: ``[B, num_classes]``.
        """
        x, tokens = feats
        x = F.relu(self.expand(x))
        x = F.hardswish(frame_means(x).mean(1))  # [B, pooled_dim]
        x = torch.cat([x, tokens[:, 0]], dim=-1)
        x = F.hardswish(self.norm(self.fc(x)))
        return self.fc_cls(self.dropout(x))
