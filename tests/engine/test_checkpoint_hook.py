"""Whatever ends a run while it writes a checkpoint, there is one to go on from."""

import os
import resource
import signal

import pytest
import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook

from mmdualformer.weights import load_safely
from tests.helpers import REPO, assert_one_line


@HOOKS.register_module()
class EndWhileSavingHook(Hook):
    """Ends the run while it writes its second checkpoint of a name that begins so."""

    def __init__(self, how: str, name: str) -> None:
        self.how, self.name = how, name

    def before_train(self, runner) -> None:
        save, self.saved = torch.save, 0

        def save_half(content, file) -> None:
            if not os.path.basename(file.name).startswith(self.name):
                return save(content, file)
            self.saved += 1
            if self.saved == 2 and self.how == 'full':
                resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
            if self.saved == 2 and self.how == 'kill':
                file.write(b'half of it')
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            save(content, file)

        torch.save = save_half


@HOOKS.register_module()
class BetterEachTimeHook(Hook):
    """Makes each validation better than the one before."""

    priority = 'HIGH'

    def after_val_epoch(self, runner, metrics) -> None:
        metrics['acc/top1'] = float(runner.epoch)


@pytest.fixture
def train(fork_tool, motion_root, tmp_path):
    """Train the quick start's model for epochs of two steps, and keep one checkpoint."""
    config = tmp_path / 'config.py'
    config.write_text(f"""
_base_ = {str(REPO / 'configs/dualformer_micro_motion.py')!r}
loader = dict(batch_size=8, num_workers=0, persistent_workers=False, dataset=dict(data_root={str(motion_root)!r}))
train_dataloader = val_dataloader = test_dataloader = loader
train_cfg = dict(max_epochs=4)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
custom_hooks = [dict(type='BetterEachTimeHook'), dict(type='EndWhileSavingHook', how='', name='epoch')]
""")

    def run(*arguments):
        return fork_tool('tools/train.py', config, '--work-dir', tmp_path / 'run', *arguments)

    return run


@pytest.mark.parametrize(('how', 'name'), [('kill', 'epoch'), ('kill', 'best'), ('full', 'epoch')])
def test_write_that_does_not_end(train, tmp_path, how, name):
    result = train('--cfg-options', f'custom_hooks.1.how={how}', f'custom_hooks.1.name={name}')
    if how == 'kill':
        assert result.returncode == -signal.SIGKILL, result.stderr
    else:
        assert_one_line(result, 'File too large', f'{name}')

    files = sorted(path.name for path in (tmp_path / 'run').glob('*.pth'))
    kept = {'epoch': ['best_acc_top1_epoch_1.pth', 'epoch_1.pth'], 'best': ['best_acc_top1_epoch_1.pth', 'epoch_2.pth']}
    assert files == kept[name]
    for file in files:
        torch.load(tmp_path / 'run' / file, weights_only=True)

    resumed = train('--resume', '--cfg-options', 'train_cfg.max_epochs=3')
    assert resumed.returncode == 0, resumed.stderr
    assert f'resumed epoch: {files[-1][6]}' in resumed.stdout + resumed.stderr
    assert sorted(path.name for path in (tmp_path / 'run').glob('*.pth*')) == [
        'best_acc_top1_epoch_3.pth',
        'epoch_3.pth',
    ]


def test_every_few_minutes(train, tmp_path):
    """Within an epoch too; the checkpoint of the epoch then takes its place."""
    stop = 'custom_hooks=None', 'default_hooks.checkpoint.interval_minutes=0', 'default_hooks.checkpoint.interval=2'
    assert train('--cfg-options', *stop, 'train_cfg.max_epochs=1').returncode == 0
    assert (tmp_path / 'run/last_checkpoint').read_text() == str(tmp_path / 'run/epoch_1.pth')
    assert not (tmp_path / 'run/mid_epoch.pth').exists()


def test_by_iterations(train, tmp_path):
    """A run goes on in the middle of the epoch then too."""
    hook = [f'default_hooks.checkpoint.{option}' for option in ('by_epoch=False', 'interval=3', 'save_last=False')]
    assert train('--cfg-options', 'custom_hooks=None', 'train_cfg.max_epochs=2', *hook).returncode == 0
    meta = load_safely(str(tmp_path / 'run/iter_3.pth'))['meta']
    assert (meta['epoch'], meta['iter'], meta['position']['batch']) == (1, 3, 1)
