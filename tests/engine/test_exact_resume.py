"""A run that was killed and resumed ends with the bits of one that was not."""

import signal
from pathlib import Path

import pytest
import torch

from mmdualformer.weights import load_safely
from tests.helpers import REPO


def write_config(folder: Path, motion_root: Path, base: str, extra: str = '') -> Path:
    """Two epochs of four steps of a small model, with all that is random, and a checkpoint after each step."""
    config = folder / 'config.py'
    config.write_text(f"""
_base_ = {str(REPO / 'configs' / base)!r}
data = dict(dataset=dict(data_root={str(motion_root)!r}))
train_dataloader = dict(batch_size=4, **data)
val_dataloader = test_dataloader = dict(num_workers=0, persistent_workers=False, **data)
train_cfg = dict(max_epochs=2)
custom_imports = dict(imports=['mmdualformer', 'tests.engine.kill_hook'], _delete_=True)
custom_hooks = [dict(type='EMAHook'), dict(type='KillHook', step=0)]
default_hooks = dict(checkpoint=dict(interval_minutes=0))
randomness = dict(seed=None)
{extra}
""")
    return config


def state_of(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint."""
    checkpoint = load_safely(str(path))
    tensors = {}

    def collect(name: str, value: object) -> None:
        if isinstance(value, dict):
            for key, part in value.items():
                collect(f'{name}.{key}', part)
        elif isinstance(value, torch.Tensor):
            tensors[name] = value

    for part in ('state_dict', 'ema_state_dict', 'optimizer'):
        collect(part, checkpoint[part])
    return tensors


def assert_same(path: Path, other: Path) -> None:
    """Two checkpoints have the same bits."""
    tensors, others = state_of(path), state_of(other)
    assert tensors.keys() == others.keys() and len(tensors) > 100
    assert [name for name, value in tensors.items() if not value.equal(others[name])] == []


def options(workers: int, step: int = 0) -> list[str]:
    """With so many workers, and killed after a step."""
    loader = 'train_dataloader'
    return [
        '--cfg-options',
        f'{loader}.num_workers={workers}',
        f'{loader}.persistent_workers={workers > 0}',
        f'custom_hooks.1.step={step}',
    ]


def test_killed_twice(fork_tool, motion_root, tmp_path):
    """Within the first epoch and in the second, with other numbers of workers each time, and no seed."""
    config = write_config(
        tmp_path,
        motion_root,
        'dualformer_micro_motion.py',
        """model = dict(backbone=dict(drop_path_rate=0.2), cls_head=dict(dropout_ratio=0.5),
             data_preprocessor=dict(blending=dict(type='MixupBlending', num_classes=8, alpha=0.8)))""",
    )
    train = 'tools/train.py', config, '--work-dir'
    for step, workers, arguments in ((2, 0, ()), (7, 2, ['--resume'])):
        killed = fork_tool(*train, 'killed', *arguments, *options(workers, step))
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert fork_tool(*train, 'killed', '--resume', *options(1)).returncode == 0

    seed = load_safely(str(tmp_path / 'killed/epoch_2.pth'))['meta']['seed']
    assert fork_tool(*train, 'whole', '--seed', seed, *options(0)).returncode == 0
    assert_same(tmp_path / 'killed/epoch_2.pth', tmp_path / 'whole/epoch_2.pth')


@pytest.mark.slow
@pytest.mark.parametrize('base', ['vmf_micro_motion.py', 'vidtr_micro_motion.py'])
def test_two_processes(run_tool, motion_root, tmp_path, base):
    """Each has running statistics of its own until the epoch ends."""
    config = write_config(tmp_path, motion_root, base)

    def train(work_dir: str, *arguments):
        command = 'tools/dist_train.sh', config, 2, '--work-dir', work_dir, '--seed', 5, *arguments
        # half of the batch for each, so that an epoch has four steps
        return run_tool(*command, 'train_dataloader.batch_size=2', PYTHONPATH=str(REPO))

    assert train('whole', *options(1)).returncode == 0
    for step in range(1, 8):
        work_dir = f'killed_{step}'
        assert 'SIGKILL' in train(work_dir, *options(0, step)).stderr
        assert train(work_dir, '--resume', *options(2)).returncode == 0
        assert_same(tmp_path / work_dir / 'epoch_2.pth', tmp_path / 'whole/epoch_2.pth')
