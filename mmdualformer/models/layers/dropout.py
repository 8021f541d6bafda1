import torch
import torch.nn as nn
from torch import Tensor

from .tracing import runs_eagerly


class Dropout(nn.Dropout):
    """Dropout that keeps a byte for each number until the backward pass.

    On a CPU PyTorch's own keeps a number: four times as much. What is dropped for a seed is the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[...]`` to ``[...]``."""
        if not (self.training and self.p and runs_eagerly(x) and torch.is_grad_enabled()):
            return super().forward(x)
        return torch.native_dropout(x, self.p, True)[0]
