"""What turns clips into probabilities: a model of PyTorch, or a file for another runtime."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor

from mmdualformer.export import ExportedModel
from mmdualformer.models.precision import choose_dtype, compute_in


class Scorer(ABC):
    """A model that scores videos as its test does.

    Attributes:
        test_pipeline (list): From a video to its clips.
        num_classes (int): Classes that it tells apart.
        classes (tuple): Their names, ``()`` where they are not known.
        several (bool): Whether a video may have several labels.
        clip_seconds (float, optional): How long the videos were that it has learned from.
    """

    test_pipeline: Sequence[Mapping]
    num_classes: int
    classes: tuple[str, ...]
    several: bool
    clip_seconds: float | None = None

    @abstractmethod
    def __call__(self, samples: Sequence[dict]) -> np.ndarray:
        """Score videos.

        Args:
            samples (sequence): What the test pipeline makes of each.

        Returns:
            np.ndarray: Probabilities ``[videos, classes]``, float32, averaged over the clips of each video.
        """


class TorchScorer(Scorer):
    """A recognizer of PyTorch, which is scored by its own ``test_step``.

    Args:
        model (nn.Module): What ``load_recognizer`` gives.
        dtype (torch.dtype): What its products are computed in, see
            :func:`~mmdualformer.models.precision.choose_dtype`. Defaults to ``torch.float32``.
    """

    def __init__(self, model: Any, dtype: torch.dtype = torch.float32) -> None:
        self.model = model.eval()
        self.dtype = choose_dtype(model, dtype, self.device.type)
        head = model.cls_head
        if head.average_clips is None or not head.multi_class:
            head.average_clips = 'prob'  # also of a head whose scores are logits in a test
        self.test_pipeline = model.cfg.test_pipeline
        self.num_classes = head.num_classes
        meta = getattr(model, 'dataset_meta', None) or {}  # MMAction2 leaves it out of a model without a checkpoint
        self.classes = tuple(meta.get('classes') or ())
        self.several = head.multi_class
        self.clip_seconds = meta.get('clip_seconds')

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def __call__(self, samples: Sequence[dict]) -> np.ndarray:
        """See :meth:`Scorer.__call__`."""
        with torch.no_grad(), compute_in(self.dtype, self.device.type):
            results = self.model.test_step(pseudo_collate(list(samples)))
        return torch.stack([result.pred_score.float() for result in results]).cpu().numpy()


class ExportedScorer(Scorer):
    """An exported model, whose scores are averaged as those of its head are.

    Args:
        model (ExportedModel): What ``load_exported`` gives.
    """

    def __init__(self, model: ExportedModel) -> None:
        self.model = model
        described = model.description
        self.test_pipeline = described.test_pipeline
        self.num_classes = described.num_classes
        self.classes = tuple(described.classes)
        self.several = described.multi_class
        self.clip_seconds = described.clip_seconds

    def __call__(self, samples: Sequence[dict]) -> np.ndarray:
        """See :meth:`Scorer.__call__`."""
        return torch.stack([self._average(self.model(sample['inputs'])) for sample in samples]).numpy()

    def _average(self, logits: Tensor) -> Tensor:
        """Probabilities ``[classes]`` of a video from the logits of its clips ``[clips, classes]``."""
        logits = logits.float()
        if not self.several:
            return logits.softmax(-1).mean(0)
        if self.model.description.average_clips == 'score':
            return logits.mean(0).sigmoid()
        return logits.sigmoid().mean(0)
