"""A warning of a loss that jumps."""

import math
import statistics
from collections import deque
from typing import Any

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from .diagnosis import iterate_samples, name_clips


@HOOKS.register_module()
class LossSpikeHook(Hook):
    """Warns of a loss that jumps far above those before it, at most once an epoch.

    A spike is a loss of ``factor`` times the median of the last ``window`` ones, and of ``least``, as a model that has
    almost no loss left has clips that are ten times worse than others. The loss is that of the first process, as in the
    log.

    Args:
        factor (float): How many times the median. Defaults to 10.
        window (int): Losses that are looked back at. Defaults to 50.
        least (float): A loss below it is no spike. Defaults to 0.5.
    """

    def __init__(self, factor: float = 10.0, window: int = 50, least: float = 0.5) -> None:
        self.factor = factor
        self.least = least
        self._losses: deque[float] = deque(maxlen=window)
        self._has_warned = False

    def before_train_epoch(self, runner: Runner) -> None:
        """Let an epoch have its warning."""
        self._has_warned = False

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Compare a loss with those before it; the log has waited for its value already."""
        loss = outputs['loss'].item() if outputs and 'loss' in outputs else math.nan
        if not math.isfinite(loss):
            return
        if not self._has_warned and len(self._losses) == self._losses.maxlen:
            median = statistics.median(self._losses)
            if loss > self.factor * median and loss >= self.least:
                self._has_warned = True
                runner.logger.warning(
                    f'the loss jumps to {loss:.4g} at step {runner.iter + 1}, epoch {runner.epoch + 1}, from a '
                    f'median of {median:.4g}; the clips are {name_clips(list(iterate_samples(data_batch)))}'
                )
        self._losses.append(loss)
