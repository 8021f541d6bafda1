"""A run that was killed and resumed ends with the bits of one that was not."""

import os
import signal
from pathlib import Path

import pytest
import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook

from tests.helpers import REPO


@HOOKS.register_module()
class KillHook(Hook):
    """Kills its process after a step, as a machine that fails does."""

    priority = 'LOWEST'

    def __init__(self, step: int) -> None:
        self.step = step

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        if runner.iter + 1 == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def train(fork_tool, motion_root, tmp_path):
    """Train the quick start's model for two epochs of four steps, with all that is random."""
    config = tmp_path / 'config.py'
    config.write_text(f"""
_base_ = {str(REPO / 'configs/dualformer_micro_motion.py')!r}
model = dict(backbone=dict(drop_path_rate=0.2), cls_head=dict(dropout_ratio=0.5),
             data_preprocessor=dict(blending=dict(type='MixupBlending', num_classes=8, alpha=0.8)))
motion = dict(train=dict(data_root={str(motion_root)!r}), val=dict(data_root={str(motion_root)!r}))
train_dataloader = dict(batch_size=4, dataset=dict(data_root={str(motion_root)!r}))
val_dataloader = test_dataloader = dict(num_workers=0, persistent_workers=False,
                                        dataset=dict(data_root={str(motion_root)!r}))
train_cfg = dict(max_epochs=2)
custom_hooks = [dict(type='EMAHook'), dict(type='KillHook', step=0)]
default_hooks = dict(checkpoint=dict(interval_minutes=0))
randomness = dict(seed=None)
""")

    def run(work_dir: str, *options, workers: int = 0, resume: bool = False, seed: int | None = 3):
        return fork_tool(
            'tools/train.py',
            config,
            '--work-dir',
            tmp_path / work_dir,
            *(['--resume'] if resume else []),
            *([] if seed is None else ['--seed', seed]),
            '--cfg-options',
            f'train_dataloader.num_workers={workers}',
            f'train_dataloader.persistent_workers={workers > 0}',
            *options,
        )

    return run


def state_of(work_dir: Path) -> dict[str, torch.Tensor]:
    """All tensors of a run's last checkpoint."""
    checkpoint = torch.load(work_dir / 'epoch_2.pth', weights_only=True)
    tensors = {}

    def collect(name: str, value) -> None:
        if isinstance(value, dict):
            for key, part in value.items():
                collect(f'{name}.{key}', part)
        elif isinstance(value, torch.Tensor):
            tensors[name] = value

    for part in ('state_dict', 'ema_state_dict', 'optimizer'):
        collect(part, checkpoint[part])
    return tensors


@pytest.mark.parametrize('step', [2, 4, 7])
def test_bits(train, tmp_path, step):
    assert train('whole', workers=2).returncode == 0
    killed = train('killed', f'custom_hooks.1.step={step}')
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = train('killed', resume=True, workers=1)
    assert resumed.returncode == 0, resumed.stderr

    whole, other = state_of(tmp_path / 'whole'), state_of(tmp_path / 'killed')
    assert whole.keys() == other.keys() and len(whole) > 100
    assert [name for name, value in whole.items() if not value.equal(other[name])] == []
