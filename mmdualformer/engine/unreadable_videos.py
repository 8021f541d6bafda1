from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmdualformer.datasets import RobustVideoDataset
from mmdualformer.datasets.robust_video_dataset import DAMAGED
from mmdualformer.datasets.wrappers import iterate_datasets


@HOOKS.register_module()
class UnreadableVideosHook(Hook):
    """Keeps the ledgers of a run's videos beside its log.

    ``unreadable_videos.tsv`` has those that could not be read, ``damaged_videos.tsv`` those that are damaged and were
    read as far as they can be.
    """

    def before_train(self, runner: Runner) -> None:
        """Tell the training data where the ledger is."""
        # MMAction2's multi-loader loop has several
        self._set_ledger(runner, *getattr(runner.train_loop, 'multi_loaders', [runner.train_dataloader]))

    def before_val(self, runner: Runner) -> None:
        """Tell the validation data where the ledger is."""
        self._set_ledger(runner, runner.val_dataloader)

    def before_test(self, runner: Runner) -> None:
        """Tell the test data where the ledger is."""
        self._set_ledger(runner, runner.test_dataloader)

    def after_run(self, runner: Runner) -> None:
        """Say how many videos could not be read, and how many were damaged."""
        unreadable = self._ledger(runner)
        for ledger, what in (
            (unreadable, 'could not be read'),
            (unreadable.with_name(DAMAGED), 'are damaged and were read as far as they can be'),
        ):
            if ledger.exists():
                count = len(ledger.read_text(encoding='utf-8').splitlines())
                runner.logger.warning(f'{count} videos {what}; {ledger} lists them and the reasons')

    @staticmethod
    def _ledger(runner: Runner) -> Path:
        return Path(runner.log_dir, 'unreadable_videos.tsv')

    def _set_ledger(self, runner: Runner, *loaders: DataLoader) -> None:
        for loader in loaders:
            for dataset in iterate_datasets(loader.dataset):
                if isinstance(dataset, RobustVideoDataset):
                    dataset.ledger = self._ledger(runner)
