"""The module that is exported: backbone and head, and what is put before and after them."""

import copy

import torch
import torch.nn as nn
from torch import Tensor

from mmdualformer.analysis import as_scorer
from mmdualformer.models.channels_last import as_channels_last

from .description import ModelDescription

_COMPUTED = {'float16': torch.float16, 'bfloat16': torch.bfloat16}  # others are exported as they are


class ExportedRecognizer(nn.Module):
    """From clips to logits, as a file does it.

    Args:
        recognizer (nn.Module): In eval mode; it stays as it is.
        description (ModelDescription): Says what is inside.
        dtype (torch.dtype, optional): What it computes in. Defaults to None, float32.
        channels_last (bool): Whether it is rewritten, where :func:`~mmdualformer.models.channels_last.as_channels_last`
            can, for runtimes whose 3D convolutions are fast. Defaults to False.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        recognizer: nn.Module,
        description: ModelDescription,
        dtype: torch.dtype | None = None,
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        scorer = as_scorer(recognizer)
        if channels_last:
            scorer = as_channels_last(scorer, fixed_frames='time' not in description.dynamic)
        self.scorer = copy.deepcopy(scorer).to(dtype) if dtype else scorer
        self.dtype = dtype
        self.preprocessing = description.preprocessing
        self.multi_class = description.multi_class
        for name in ('mean', 'std'):
            value = torch.tensor(getattr(description, name)).view(3, 1, 1, 1)
            self.register_buffer(name, value, persistent=False)

    def forward(self, clip: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Score clips.

        Args:
            clip (Tensor): ``[N, 3, T, H, W]``, normalised float32; with preprocessing inside uint8.

        Returns:
            Tensor or tuple[Tensor]: Logits ``[N, classes]``, float32; with preprocessing probabilities too.
        """
        if self.preprocessing:
            clip = (clip.float() - self.mean) / self.std
        if self.dtype:
            clip = clip.to(self.dtype)
        logits = self.scorer(clip).float()
        if not self.preprocessing:
            return logits
        return logits, logits.sigmoid() if self.multi_class else logits.softmax(-1)


def computed_dtype(dtype: str) -> torch.dtype | None:
    """The dtype that a module is turned into for a file of this one; None where the format itself does it."""
    return _COMPUTED.get(dtype)
