"""A training loop that goes on exactly where it was."""

from collections.abc import Iterable, Sequence
from itertools import islice

import torch.nn as nn
from mmaction.registry import LOOPS
from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop

from mmdualformer.datasets.placed_loader import PlacedDataLoader
from mmdualformer.randomness import seed_all


@LOOPS.register_module(name='EpochBasedTrainLoop')
class ExactEpochBasedTrainLoop(EpochBasedTrainLoop):
    """MMEngine's ``EpochBasedTrainLoop``, of which a resumed run ends with the same bits as one that was not stopped.

    - It begins in the middle of an epoch where the checkpoint is from there.
    - What a step draws at random follows from the seed and the number of the step, and what a clip's augmentation draws
      from the seed and the clip's place, so neither depends on what was drawn before.
    - Where training ends with an error, hooks that have ``after_failed_train`` hear of it; the process may go on.
    - The epoch that a checkpoint ends with is validated, as the run may have been stopped before that was done.

    It takes the place of MMEngine's in configs whose scope is ``mmaction``. The arguments are the same.

    Attributes:
        batch (int): How many batches of the current epoch are trained. A checkpoint's hook sets it when a run resumes.
    """

    batch = 0

    def run(self) -> nn.Module:
        """Launch training."""
        try:
            self.runner.call_hook('before_train')
            self._order_by_seed()
            if self._epoch > 0 and self.batch == 0:
                self._validate()
            while self._epoch < self._max_epochs and not self.stop_training:
                self.run_epoch()
                self._validate()
        except BaseException:
            self.runner.call_hook('after_failed_train')
            raise
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train an epoch, or what is left of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for idx, data_batch in enumerate(self._batches_left(), self.batch):
            self.run_iter(idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        self.batch = 0

    def run_iter(self, idx: int, data_batch: Sequence[dict]) -> None:
        """Train a batch, the one number ``idx`` of the epoch."""
        seed_all(self.runner.seed, self._iter)
        self.batch = idx + 1
        super().run_iter(idx, data_batch)

    def _validate(self) -> None:
        """Validate an epoch that ended, if its turn has come."""
        self._decide_current_val_interval()
        if (
            self.runner.val_loop is not None
            and self._epoch >= self.val_begin
            and (self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs)
        ):
            self.runner.val_loop.run()

    def _batches_left(self) -> Iterable[Sequence[dict]]:
        if isinstance(self.dataloader, PlacedDataLoader) and self.dataloader.batch_sampler is not None:
            self.dataloader.begin((self.runner.seed, get_rank(), self._epoch), first_batch=self.batch)
            return self.dataloader
        return islice(self.dataloader, self.batch, None)

    def _order_by_seed(self) -> None:
        """Have the order of the clips follow from the run's seed.

        MMEngine's samplers draw a seed when they are built, which is before a run that resumes knows its own.
        """
        sampler = getattr(self.dataloader.batch_sampler, 'sampler', self.dataloader.sampler)
        loader = self.runner.cfg.get('train_dataloader') or {}
        has_its_own = isinstance(loader, dict) and (loader.get('sampler') or {}).get('seed') is not None
        if hasattr(sampler, 'seed') and not has_its_own:
            differs = self.runner.cfg.get('randomness', {}).get('diff_rank_seed')
            sampler.seed = self.runner.seed - get_rank() if differs else self.runner.seed
