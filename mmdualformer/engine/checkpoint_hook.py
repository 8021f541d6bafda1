"""Checkpoints from which a run goes on exactly, and of which there is always one."""

import time
from pathlib import Path
from typing import Any

import torch.nn as nn
from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, get_rank, get_world_size, is_main_process
from mmengine.fileio import BaseStorageBackend
from mmengine.hooks import CheckpointHook as EngineCheckpointHook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor

from mmdualformer.compat.strategies import unsharded_name
from mmdualformer.files import write_atomically

from .agreement import Agreement
from .train_loop import ExactEpochBasedTrainLoop

MID_EPOCH = 'mid_epoch.pth'
POSITION = 'position'  # in a checkpoint's meta
RANK_BUFFERS = 'rank_buffers'  # in a checkpoint


@HOOKS.register_module()
class CheckpointHook(EngineCheckpointHook):
    """MMEngine's ``CheckpointHook``, which loses nothing.

    A checkpoint is written as a whole or not at all, and what it replaces is removed after that. Beside the epochs one
    is written every few minutes, ``mid_epoch.pth``, until the next epoch's takes its place. It takes the place of
    MMEngine's in configs whose scope is ``mmaction``.

    Args:
        *args: Those of MMEngine's.
        interval_minutes (float, optional): Minutes between two checkpoints within an epoch. Defaults to None: there are
            none, unless :meth:`save_now` is called.
        **kwargs: Those of MMEngine's.
    """

    file_backend: Any  # set by MMEngine before a run

    def __init__(self, *args, interval_minutes: float | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.interval_minutes = interval_minutes
        self._rank_buffers: list[dict[str, Tensor]] | None = None  # while a checkpoint within an epoch is written

    def before_train(self, runner: Runner) -> None:
        """Begin to count the minutes."""
        super().before_train(runner)
        if is_main_process():
            for partial in Path(self.out_dir).glob('*.pth.part'):  # of a run that was killed
                partial.unlink()
        self._batch = 0  # how many of the epoch are trained
        self._agreement = Agreement() if self.interval_minutes is not None else None
        self._saved_at = time.monotonic()
        self._saved_iter = runner.iter
        resumed = runner._load_from if runner._resume else None  # where --resume would find it again
        self._saved_path = resumed if resumed and Path(resumed).parent == Path(self.out_dir) else None

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Write a checkpoint if it is time, or MMEngine's interval of iterations is over."""
        self._batch = batch_idx + 1
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if self._agreement is None or self.interval_minutes is None:
            return
        is_due = is_main_process() and time.monotonic() - self._saved_at >= 60 * self.interval_minutes
        if self._agreement.reached(int(is_due)) and has_updated(runner):
            self.save_now(runner)

    def save_now(self, runner: Runner) -> str:
        """Write a checkpoint in the middle of an epoch, from which a run goes on with the next batch.

        All processes call this at the same step, when it is complete.

        Returns:
            str: The file.
        """
        path = self.file_backend.join_path(self.out_dir, MID_EPOCH)
        self._rank_buffers = _gather_buffers(runner.model)
        self._save(runner, path, meta=dict(epoch=runner.epoch, iter=runner.iter + 1))
        self._rank_buffers = None
        return path

    def newest(self, runner: Runner) -> str | None:
        """The checkpoint that holds the weights as they are now; None if none does. Between two steps."""
        return self._saved_path if self._saved_iter == runner.iter else None

    def save_epoch(self, runner: Runner) -> str:
        """Write a checkpoint between two epochs, where it takes only the main process.

        Returns:
            str: The file.
        """
        path = self.file_backend.join_path(self.out_dir, MID_EPOCH)
        self._save(runner, path, meta=dict(epoch=runner.epoch, iter=runner.iter))
        return path

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Say where in its epoch the run is, and what each process has of its own."""
        is_mid_epoch = self._rank_buffers is not None
        checkpoint['meta'][POSITION] = dict(_scale(runner), batch=self._batch if is_mid_epoch else 0)
        if self._rank_buffers:
            checkpoint[RANK_BUFFERS] = self._rank_buffers

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Go to where in its epoch the run was."""
        if not runner._resume:
            return
        position, loop = checkpoint['meta'].get(POSITION), runner.train_loop
        if position is None or not isinstance(loop, EpochBasedTrainLoop):
            return
        scale, batch = _scale(runner), position['batch']
        accumulated = checkpoint['meta']['iter'] % _steps_of_update(runner)
        if accumulated:
            runner.logger.warning(
                f'the update goes on without the gradients of its first {accumulated} steps, which no checkpoint has'
            )
        if not isinstance(loop, ExactEpochBasedTrainLoop):
            checkpoint['meta']['iter'] -= batch
            if batch:
                runner.logger.warning(
                    f'{type(loop).__name__} cannot begin in the middle of an epoch: it trains the {batch} batches that '
                    f'the checkpoint has of epoch {runner.epoch + 1} again'
                )
        elif all(position[key] == value for key, value in scale.items()):
            loop.batch = batch
            buffers = checkpoint.pop(RANK_BUFFERS, None)
            if buffers:
                checkpoint['state_dict'].update(buffers[get_rank()])
        else:
            clips = batch * position['processes'] * position['batch_size']
            loop.batch = clips // (scale['processes'] * scale['batch_size'])
            runner.logger.warning(
                f'the checkpoint is from {_describe(position)}, this run has {_describe(scale)}: it goes on with the '
                'clips that are left of the epoch, and not bit for bit'
            )

    def _save_checkpoint(self, runner: Runner) -> None:
        """Write the checkpoint of an epoch, or of an iteration within one."""
        self._rank_buffers = None if self.by_epoch else _gather_buffers(runner.model)
        super()._save_checkpoint(runner)
        self._rank_buffers = None

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Write the checkpoint of an epoch, or of an iteration, and then remove what it replaces."""
        outdated = []
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated.append(self.filename_tmpl.format(self.keep_ckpt_ids[0]))
            self.keep_ckpt_ids.append(step)  # and it drops the oldest
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        self.last_ckpt = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        self._save(
            runner,
            self.last_ckpt,
            meta=meta,
            by_epoch=self.by_epoch,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
        )
        if is_main_process():
            if self.save_optimizer:  # else a run can go on from that one alone
                outdated.append(MID_EPOCH)
            for filename in outdated:
                self._remove(self.file_backend.join_path(self.out_dir, filename))

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Write a checkpoint that is better than the best, and then remove the one that was."""
        backend, late = self.file_backend, _LateRemoval(self.file_backend)
        self.file_backend = late
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        written = {self.last_ckpt, getattr(self, 'best_ckpt_path', None)}
        written.update(getattr(self, 'best_ckpt_path_dict', {}).values())
        for path in late.removed:
            if path not in written:
                self._remove(path)

    def _save(self, runner: Runner, path: str, **kwargs) -> None:
        """Write a checkpoint, and then its path into the file that says which is the last."""
        folder, _, filename = path.rpartition('/')
        runner.save_checkpoint(
            folder, filename, self.file_client_args, backend_args=self.backend_args, **kwargs, **self.args
        )
        if is_main_process():
            with write_atomically(Path(runner.work_dir, 'last_checkpoint')) as partial:
                partial.write_text(path)
        self._saved_at = time.monotonic()
        if kwargs.get('save_optimizer', True):
            self._saved_iter, self._saved_path = kwargs['meta']['iter'], path

    def _remove(self, path: str) -> None:
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)
        elif self.file_backend.isdir(path):  # as DeepSpeed's
            self.file_backend.rmtree(path)


class _LateRemoval:
    """A file backend that notes what is to be removed."""

    def __init__(self, backend: BaseStorageBackend) -> None:
        self.backend = backend
        self.removed: list[str] = []

    def __getattr__(self, name: str):
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        self.removed.append(path)

    rmtree = remove


def has_updated(runner: Runner) -> bool:
    """Whether the step has updated the weights; one that accumulates gradients leaves those, which are in no file."""
    return (runner.iter + 1) % _steps_of_update(runner) == 0


def _steps_of_update(runner: Runner) -> int:
    return getattr(runner.optim_wrapper, '_accumulative_counts', 1)


def _scale(runner: Runner) -> dict[str, int]:
    """How many clips the processes read in a step."""
    return dict(processes=get_world_size(), batch_size=runner.train_dataloader.batch_size or 1)


def _describe(scale: dict[str, int]) -> str:
    return f'{scale["processes"]} processes with {scale["batch_size"]} clips each'


def _gather_buffers(model: nn.Module) -> list[dict[str, Tensor]]:
    """The running statistics of each process, which are made one only at the end of an epoch."""
    if get_world_size() == 1:
        return []
    own = {name: buffer.cpu() for name, buffer in saved_buffers(model).items() if buffer.is_floating_point()}
    return all_gather_object(own)


def saved_buffers(model: nn.Module) -> dict[str, Tensor]:
    """The buffers that a checkpoint of a model has, by their names in it.

    The state dict is not asked for them: FSDP gathers all weights for it, and before the first step takes each part of
    a model for one of its own.
    """
    model = model.get_submodule('module') if is_model_wrapper(model) else model
    return {
        unsharded_name(f'{prefix}.{name}' if prefix else name): buffer
        for prefix, module in model.named_modules()
        for name, buffer in module.named_buffers(recurse=False)
        if name not in module._non_persistent_buffers_set
    }
