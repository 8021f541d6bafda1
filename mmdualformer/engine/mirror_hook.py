"""Clips that are mirrored as soon as training shows that the classes do not change."""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.amp import autocast

from mmdualformer.datasets.switchable_flip import SwitchableFlip
from mmdualformer.datasets.wrappers import iterate_datasets

from .mirrored import MirroredClip, Verdict, describe_pairs, judge
from .quiet_runner import SHOWN

KEY = 'mirrored_clips'  # in a checkpoint's meta


@HOOKS.register_module()
class MirrorHook(Hook):
    """Finds out whether classes change when mirrored, and if not has the ``SwitchableFlip`` transforms mirror clips.

    Training begins without mirrored clips. The clips of a validation are shown to the model a second time, mirrored,
    until two validations in a row agree, see :func:`~mmdualformer.engine.mirrored.judge`. If they never do, no clip is
    mirrored. A line in the log says what was decided, and why.

    All processes decide alike. The decision is in the checkpoints, and a run that resumes makes the same one.

    Args:
        latest (float): Share of the epochs after which nothing is decided any more. Defaults to 0.4, and two epochs at
            least.
        most_clips (int): Clips of a validation that are shown mirrored, about. Defaults to 2000.
    """

    def __init__(self, latest: float = 0.4, most_clips: int = 2000) -> None:
        self.latest = latest
        self.most_clips = most_clips
        self._choice: bool | None = None  # whether clips are mirrored, once that is decided
        self._verdict: Verdict | None = None  # of the last validation
        self._epoch = 0  # which that was
        self._is_watching = False
        self._clips: dict[tuple[str, int], MirroredClip] = {}

    def before_train(self, runner: Runner) -> None:
        """Switch the transforms as was decided before the run was resumed."""
        self._is_watching = True
        self._switch(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take over what was decided. A run that rolls back keeps what it has decided since."""
        state = checkpoint['meta'].get(KEY)
        if runner._resume and state and self._choice is None:
            self._choice, self._epoch = state['choice'], state['epoch']
            self._verdict = Verdict(**state['verdict']) if state['verdict'] else None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Say what was decided, and in which epoch the last validation said what."""
        verdict = asdict(self._verdict) if self._verdict else None
        checkpoint['meta'][KEY] = dict(choice=self._choice, epoch=self._epoch, verdict=verdict)

    def before_train_epoch(self, runner: Runner) -> None:
        """Decide for no mirrored clips when it is late."""
        if self._choice is None and runner.epoch >= self._deadline(runner):
            self._decide(runner, False)

    def before_val_epoch(self, runner: Runner) -> None:
        """Begin a validation."""
        self._clips = {}

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence | None = None
    ) -> None:
        """Show the model the clips of a batch mirrored."""
        if not self._is_watching or self._choice is not None or not outputs:
            return
        loader = runner.val_dataloader
        total = len(loader) * (loader.batch_size or 1) * get_world_size()
        if batch_idx % math.ceil(total / self.most_clips):
            return
        batch = dict(data_batch, data_samples=copy.deepcopy(data_batch['data_samples']))
        batch['inputs'] = [clips.flip(-1) for clips in batch['inputs']]
        with autocast(enabled=runner.val_loop.fp16):
            mirrored = runner.model.val_step(batch)
        for i, (sample, other) in enumerate(zip(outputs, mirrored)):
            if 'unreadable' not in sample:
                label = int(sample.gt_label)
                # a sampler gives some clips to two processes
                key = str(sample.get('filename', f'{get_rank()}.{batch_idx}.{i}')), label
                self._clips[key] = label, int(sample.pred_score.argmax()), int(other.pred_score.argmax())

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Decide, if two validations in a row agree."""
        if not self._is_watching or self._choice is not None:
            return
        clips: dict[tuple[str, int], MirroredClip] = {}
        for part in all_gather_object(self._clips):
            clips.update(part)
        before = self._verdict if self._epoch < runner.epoch else None  # a resumed run repeats a validation
        self._verdict, self._epoch = judge(clips.values(), len(self._classes(runner))), runner.epoch
        if before and before.kind == self._verdict.kind != 'unclear':
            self._decide(runner, self._verdict.kind == 'same')

    def after_train(self, runner: Runner) -> None:
        """Say of a short run that nothing was decided."""
        if self._choice is None:
            self._decide(runner, False)

    def _decide(self, runner: Runner, choice: bool) -> None:
        self._choice = choice
        verdict = self._verdict
        if choice:
            words = 'mirrored from now on, as the classes do not change'
        elif verdict and verdict.kind == 'changes':
            words = f'not mirrored: {describe_pairs(verdict.pairs, self._classes(runner))}'
        else:
            words = 'not mirrored, as it is not clear whether the classes change; if they do not, give --flip'
        figures = f'; {verdict.figures}' if verdict else ''
        runner.logger.info(f'clips are {words} (epoch {runner.epoch}{figures})', extra=SHOWN)
        self._switch(runner)

    def _deadline(self, runner: Runner) -> int:
        return max(math.ceil(self.latest * runner.max_epochs), 2)

    def _switch(self, runner: Runner) -> None:
        for dataset in iterate_datasets(runner.train_dataloader.dataset):
            for flip in _iterate_flips(getattr(dataset, 'pipeline', None)):
                flip.switch(bool(self._choice))

    @staticmethod
    def _classes(runner: Runner) -> Sequence[str]:
        return runner.train_dataloader.dataset.metainfo['classes']


def _iterate_flips(pipeline: Any) -> Iterator[SwitchableFlip]:
    """Yield the transforms to switch in a pipeline, also within other transforms."""
    if isinstance(pipeline, SwitchableFlip):
        yield pipeline
    parts = pipeline if isinstance(pipeline, (list, tuple)) else getattr(pipeline, 'transforms', [])
    for part in parts:
        yield from _iterate_flips(part)
    if hasattr(pipeline, 'augment'):  # of repeated augmentation
        yield from _iterate_flips(pipeline.augment)
