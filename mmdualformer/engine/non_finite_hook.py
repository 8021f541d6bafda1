"""What becomes of a run whose numbers are no longer finite."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, broadcast_object_list
from mmengine.hooks import Hook
from mmengine.model import BaseModel, is_model_wrapper
from mmengine.runner import Runner, find_latest_checkpoint
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmdualformer.compat.strategies import is_sharded
from mmdualformer.errors import UserError
from mmdualformer.finite import find_non_finite, find_non_finite_state, is_finite, refuse_non_finite_state
from mmdualformer.weights import load_safely

from .checkpoint_hook import POSITION, saved_buffers
from .diagnosis import find_cause, iterate_samples, name_clips
from .optim_wrappers import FiniteOptimWrapper

POLICIES = ('stop', 'skip', 'roll_back')


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Says where a loss or a gradient comes from that is not finite, and decides what becomes of the run.

    A step with such a gradient is never taken, and leaves no trace in running statistics either. That is the work of
    ``FiniteOptimWrapper``. The bad batch is run once more to name the module and the clips. Weights that are not finite
    are in no checkpoint, and scores that are not finite end a validation or a test.

    Args:
        policy (str): What happens after ``patience`` bad steps in a row: the run ends (``'stop'``), or goes on from the
            weights and the optimizer of the last checkpoint, with the next batch (``'roll_back'``). With ``'skip'`` it
            goes on whatever happens, unless an epoch has no good step. Weights that are not finite themselves end the
            run at once, or roll it back. Defaults to ``'stop'``.
        patience (int): Bad steps in a row. Defaults to 3.

    Raises:
        UserError: ``policy`` is none, or ``patience`` is less than 1.
    """

    def __init__(self, policy: str = 'stop', patience: int = 3) -> None:
        if policy not in POLICIES:
            raise UserError(
                f'default_hooks.non_finite.policy={policy!r} must be one of {", ".join(map(repr, POLICIES))}'
            )
        if not isinstance(patience, int) or patience < 1:
            raise UserError(f'default_hooks.non_finite.patience={patience!r} must be a number of steps, at least 1')
        self.policy = policy
        self.patience = patience

    def before_train(self, runner: Runner) -> None:
        """Get ready to see bad steps."""
        self._bad_in_a_row = 0
        self._good_of_epoch = self._bad_of_epoch = 0
        self._rolled_back_to: int | None = None
        self._has_saved = False
        self._batches: list[tuple[object, list[Tensor]]] = []  # since the last step, and the random state before each
        self._is_watching = isinstance(runner.optim_wrapper, FiniteOptimWrapper)
        if not self._is_watching:
            runner.logger.warning(
                f'optim_wrapper.type={type(runner.optim_wrapper).__name__} takes steps from gradients that are not '
                'finite; OptimWrapper and AmpOptimWrapper do not'
            )
        self._buffers = list(saved_buffers(runner.model).values())
        self._good_buffers = [buffer.clone() for buffer in self._buffers]

    def before_train_epoch(self, runner: Runner) -> None:
        """Count the steps of an epoch."""
        self._good_of_epoch = self._bad_of_epoch = 0

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Keep the batch, and the running statistics as they are before the forward pass."""
        if not self._is_watching:
            return
        if not self._batches and self._buffers:
            torch._foreach_copy_(self._good_buffers, self._buffers)
        self._batches.append((data_batch, _random_state()))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Look at what became of the step.

        Raises:
            UserError: The run ends here.
        """
        wrapper = runner.optim_wrapper
        if not self._is_watching or not wrapper.should_update():
            return
        batches, self._batches = self._batches, []
        if not wrapper.fault:
            self._bad_in_a_row = 0
            self._good_of_epoch += 1
            return
        self._bad_in_a_row += 1
        self._bad_of_epoch += 1
        self._restore_buffers()
        weight = find_non_finite(dict(_unwrapped(runner).named_parameters()))
        if is_sharded(runner):  # each process has some of the weights
            weight = next(filter(None, all_gather_object(weight)), None)
        cause = f'{weight} holds NaN or infinity' if weight else self._find_cause(runner, batches)
        where = f'step {runner.iter + 1}, epoch {runner.epoch + 1}'
        runner.logger.warning(f'the loss or its gradient is not finite, and {where} is not taken: {cause}')
        if weight:
            failure = f'the weights are not finite at {where}: {cause}'
        elif self.policy != 'skip' and self._bad_in_a_row >= self.patience:
            failure = f'the loss or its gradient is not finite, {self._bad_in_a_row} steps in a row to {where}: {cause}'
        else:
            return
        if self.policy != 'roll_back':
            raise UserError(failure)
        self._roll_back(runner, failure)

    def after_train_epoch(self, runner: Runner) -> None:
        """End a run that takes no step.

        Raises:
            UserError: All steps of the epoch were bad.
        """
        if self._bad_of_epoch and not self._good_of_epoch:
            raise UserError(
                f'the loss or its gradient is not finite in all {self._bad_of_epoch} steps of epoch {runner.epoch + 1}'
            )

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[BaseDataElement] | None = None
    ) -> None:
        """Refuse scores that are not finite.

        Raises:
            UserError: A clip has such.
        """
        for sample in iterate_samples(outputs):
            scores = sample.get('pred_score')
            if isinstance(scores, Tensor) and not is_finite(scores):
                raise UserError(f'the model gives scores that are NaN or infinite, for {name_clips([sample])}')

    after_test_iter = after_val_iter

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Say which metrics are not finite. None of those is ever the best."""
        for name, value in (metrics or {}).items():
            if isinstance(value, float) and not math.isfinite(value):
                runner.logger.warning(f'{name} is {value} in the validation of epoch {runner.epoch}')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse to write a checkpoint that is not finite.

        Raises:
            UserError: A weight or the state of the optimizer is not.
        """
        name = find_non_finite_state(checkpoint)
        if name is not None:
            raise UserError(f'no checkpoint is written of step {runner.iter}: {name} holds NaN or infinity')
        self._has_saved = self._has_saved or 'optimizer' in checkpoint

    def _last_checkpoint(self, runner: Runner) -> str | None:
        """The last checkpoint that this run has written or was resumed from; others may be in its folder."""
        resumed = runner._load_from if runner._resume else None
        found = [find_latest_checkpoint(runner.work_dir) if self._has_saved else resumed]  # the first process knows
        broadcast_object_list(found)
        return found[0]

    def _restore_buffers(self) -> None:
        if self._buffers:
            torch._foreach_copy_(self._buffers, self._good_buffers)

    def _find_cause(self, runner: Runner, batches: Sequence[tuple[object, list[Tensor]]]) -> str:
        """Run the batches of a bad step again, and say what was not finite in whichever process."""
        now = _random_state()
        cause = None
        for batch, state in [] if is_sharded(runner) else batches:  # a module has no weights of its own there
            _set_random_state(state)
            model = _unwrapped(runner)
            cause = cause or find_cause(model, batch, runner.optim_wrapper.optim_context(model))
        _set_random_state(now)
        self._restore_buffers()
        causes = all_gather_object(cause)  # processes have batches of their own
        samples = [sample for batch, _ in batches for sample in iterate_samples(batch)]
        again = '' if is_sharded(runner) else 'not so when run again; '
        return next(filter(None, causes), f'{again}the clips are {name_clips(samples)}')

    def _roll_back(self, runner: Runner, failure: str) -> None:
        """Go back to the last checkpoint, in all but the place in the data and in the schedule."""
        path = self._last_checkpoint(runner)
        if path is None:
            raise UserError(f'{failure}; there is no checkpoint to roll back to')
        checkpoint = load_safely(path)
        refuse_non_finite_state(checkpoint, path)
        step = checkpoint['meta'].get('iter')
        if step == self._rolled_back_to:
            raise UserError(f'{failure}; rolling back to {Path(path).name} has not helped before')
        self._rolled_back_to = step
        self._bad_in_a_row = 0
        checkpoint['meta'].pop(POSITION, None)  # the data goes on
        was_resumed, runner._resume = runner._resume, True  # for hooks that keep state of their own there
        runner.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        runner._resume = was_resumed
        # learning rates follow from the step, which is later than the checkpoint's
        groups = runner.optim_wrapper.optimizer.state_dict()['param_groups']
        state = {**checkpoint['optimizer'], 'param_groups': groups}
        strategy = getattr(runner, 'strategy', None)
        if strategy is None:
            _load_checkpoint_to_model(_unwrapped(runner), checkpoint, logger='silent')
            runner.optim_wrapper.load_state_dict(state)
        else:
            strategy.load_model_state_dict(checkpoint['state_dict'])
            strategy.load_optim_state_dict(state)
        runner.logger.warning(f'{failure}; going on from the weights and the optimizer of {Path(path).name}')


def _unwrapped(runner: Runner) -> BaseModel:
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def _random_state() -> list[Tensor]:
    """What this process draws from next, on the CPU and on its GPU."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if torch.cuda.is_available() else [])]


def _set_random_state(state: Sequence[Tensor]) -> None:
    torch.set_rng_state(state[0])
    for gpu in state[1:]:
        torch.cuda.set_rng_state(gpu)
