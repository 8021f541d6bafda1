from collections.abc import Sequence
from functools import cached_property
from typing import Any, TypedDict

import torch
from einops import rearrange
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmcv.cnn.bricks import DropPath
from mmengine.config import Config
from mmengine.hub import get_config
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.models.arguments import check_arguments
from mmdualformer.weights import load_checked

from .mixed_size import MixedSizeRecognizer3D


class TokenTeacher:
    """A trained recognizer that classifies every token of a clip.

    It is no module: the student that holds it has none of its weights among its own, in checkpoints or under DDP.

    Args:
        config (str): Config of any recognizer with a backbone that gives one map ``[N, C, T, H, W]``: a path, or
            ``'package::config.py'``.
        checkpoint (str): Its weights.
        train_mode (bool): Label as in training, by dropout and the statistics of each batch, as the released code does;
            nothing of stochastic depth is dropped. Defaults to False.
    """

    def __init__(self, config: str, checkpoint: str, train_mode: bool = False) -> None:
        self.config = config
        self.checkpoint = checkpoint
        self.train_mode = train_mode

    @cached_property
    def model(self) -> Any:
        """The recognizer with its weights, loaded when it is first asked for.

        Raises:
            UserError: The config or the checkpoint is missing, or they do not fit.
        """
        try:
            cfg = get_config(self.config) if '::' in self.config else Config.fromfile(self.config)
        except FileNotFoundError:
            raise UserError(
                f"model.teacher.config={self.config!r} does not exist; give a path or 'package::config.py'"
            ) from None
        model = MODELS.build(cfg.model)
        try:
            load_checked(model, self.checkpoint)
        except UserError as error:
            raise UserError(
                f'model.teacher.checkpoint: {error}; set it with --cfg-options model.teacher.checkpoint=PATH'
            ) from None
        model.train(self.train_mode)
        for module in model.modules():
            if isinstance(module, DropPath):
                module.eval()
        return model.requires_grad_(False)

    @property
    def num_classes(self) -> int:
        """Classes that it knows."""
        return self.model.cls_head.num_classes

    @torch.no_grad()
    def __call__(self, pixels: Tensor) -> Tensor:
        """Classify every token: the head is applied to each as if it were the whole clip.

        Args:
            pixels (Tensor): Clips ``[N, C, T, H, W]`` of 0 to 255, not normalised.

        Returns:
            Tensor: Logits ``[N, classes, T', H', W']``.

        Raises:
            UserError: The backbone gives no single map.
        """
        model = self.model.to(pixels.device)
        inputs, _ = model.data_preprocessor.preprocess(list(pixels[:, None]), None)
        maps, _ = model.extract_feat(inputs, test_mode=True)
        if not isinstance(maps, Tensor) or maps.ndim != 5:
            raise UserError(
                f'model.teacher.config={self.config!r} has a {type(model.backbone).__name__}, whose output '
                'is not one map [N, C, T, H, W]; choose a recognizer with such a backbone'
            )
        logits = model.cls_head(rearrange(maps, 'N C T H W -> (N T H W) C 1 1 1'))
        batch, _, *size = maps.shape
        return rearrange(logits, '(N T H W) K -> N K T H W', N=batch, T=size[0], H=size[1])


class _RequiredTeacherCfg(TypedDict):
    config: str
    checkpoint: str


class TeacherCfg(_RequiredTeacherCfg, total=False):
    """Arguments of a :class:`TokenTeacher`."""

    train_mode: bool


@MODELS.register_module()
class TokenLabelRecognizer3D(MixedSizeRecognizer3D):
    """A recognizer that learns, beside the label of a clip, a teacher's label of each of its tokens (DualFormer, B.1).

    Its head is a ``TokenLabelHead``. The labels are made by the teacher while training, or, without one, come with the
    data (``LoadTokenLabels``). Only training needs the teacher, which is loaded then.

    Args:
        teacher (dict, optional): ``config``, ``checkpoint`` and ``train_mode`` of a :class:`TokenTeacher`.
            Defaults to None.
        **kwargs: Those of ``Recognizer3D``.
    """

    @check_arguments
    def __init__(self, *args, teacher: TeacherCfg | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.teacher = TokenTeacher(**teacher) if teacher else None

    def init_weights(self) -> None:
        """Initialise the student and load the teacher, before training starts.

        Raises:
            UserError: The teacher cannot be loaded, or knows other classes.
        """
        super().init_weights()
        if self.teacher and self.teacher.num_classes != self.cls_head.num_classes:
            raise UserError(
                f'model.teacher.config={self.teacher.config!r} has {self.teacher.num_classes} classes, the '
                f'student {self.cls_head.num_classes} (model.cls_head.num_classes); they must be the same'
            )

    def loss(self, inputs: Tensor, data_samples: Sequence[ActionDataSample], **kwargs) -> dict:
        """Compute the losses of a batch.

        Args:
            inputs (Tensor): Normalised clips ``[N, 1, C, T, H, W]``.
            data_samples (sequence): With ``gt_label``, and without a teacher ``token_logits``.

        Returns:
            dict: Losses by name.
        """
        if self.teacher:
            normalized = self.data_preprocessor
            pixels = inputs[:, 0] * normalized.std + normalized.mean
            for sample, logits in zip(data_samples, self.teacher(pixels)):
                sample.token_logits = logits
        return super().loss(inputs, data_samples, **kwargs)
