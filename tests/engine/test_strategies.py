"""``FlexibleRunner`` and its strategies, by ``tools/train.py`` in real processes."""

import math
from types import SimpleNamespace

import pytest
import torch
from mmengine._strategy import SingleDeviceStrategy
from mmengine._strategy.base import BaseStrategy
from mmengine.config import Config

from mmdualformer.configs import build_runner
from mmdualformer.engine import FiniteOptimWrapper
from mmdualformer.errors import UserError
from mmdualformer.weights import load_safely
from tests.engine.test_exact_resume import assert_same, options, write_config
from tests.helpers import REPO, assert_one_line, free_port
from tests.running import Running

CONFIG = REPO / 'configs/dualformer_micro_motion.py'


@pytest.fixture
def train(motion_root, tmp_path):
    """Train in two processes, to an epoch, with steps that are as large as the gradients."""

    def run(name, *arguments, epochs, strategy=None, parts=None):
        settings = [
            f'train_dataloader.dataset.data_root={motion_root}',
            'train_dataloader.num_workers=0',
            f'train_cfg.max_epochs={epochs}',
            'optim_wrapper.optimizer._delete_=True',
            'optim_wrapper.optimizer.type=SGD',
            'optim_wrapper.optimizer.lr=1.0',
            'optim_wrapper.optimizer.momentum=0.9',
            'optim_wrapper.optimizer.weight_decay=0.01',
        ]
        if strategy:
            settings += ['runner_type=FlexibleRunner', f'strategy.type={strategy}']
        if parts:  # sharded each by itself
            policy = 'strategy.model_wrapper.auto_wrap_policy'
            function = 'torch.distributed.fsdp.wrap.size_based_auto_wrap_policy'
            settings += [f'{policy}.type={function}', f'{policy}.min_num_params={parts}']
        work_dir = tmp_path / name
        command = [
            'tools/train.py',
            CONFIG,
            *arguments,
            '--work-dir',
            work_dir,
            '--launcher',
            'pytorch',
            '--no-validate',
        ]
        port = free_port()
        ranks = [
            Running(
                tmp_path / f'{name} {epochs} {rank}',
                *command,
                '--cfg-options',
                *settings,
                RANK=str(rank),
                LOCAL_RANK=str(rank),
                WORLD_SIZE='2',
                MASTER_ADDR='127.0.0.1',
                MASTER_PORT=port,
            )
            for rank in range(2)
        ]
        statuses = [rank.end() for rank in ranks]
        assert not any(statuses), [rank.stderr for rank in ranks]
        return work_dir / f'epoch_{epochs}.pth'

    return run


def tensors_of(path):
    """The weights in a checkpoint, and what the optimizer keeps of each parameter."""
    checkpoint = load_safely(str(path))
    momenta = {f'momentum {i}': state['momentum_buffer'] for i, state in checkpoint['optimizer']['state'].items()}
    return {**checkpoint['state_dict'], **momenta}


def test_shards_train_as_copies_do(train):
    """A run may also go on from a checkpoint of another kind: what is in it is the same."""
    wanted = tensors_of(train('plain', epochs=2))
    first = train('shards', epochs=1, strategy='FSDPStrategy', parts=20_000)  # the blocks, most of which have more
    for path in (
        train('copies', '--resume', first, epochs=2, strategy='DDPStrategy'),
        train('parts', '--resume', first, epochs=2, strategy='FSDPStrategy', parts=20_000),
        train('shards', '--resume', epochs=2, strategy='FSDPStrategy'),
    ):
        given = tensors_of(path)
        assert given.keys() == wanted.keys()
        for name, value in wanted.items():
            torch.testing.assert_close(given[name], value, rtol=1e-3, atol=1e-5, msg=f'{path} {name}')


def test_a_killed_run_of_a_flexible_runner_ends_with_the_same_bits(fork_tool, motion_root, tmp_path):
    """As one of ``Runner`` that was not killed: within the epoch it goes on with the next batch."""
    config = write_config(tmp_path, motion_root, 'dualformer_micro_motion.py', 'randomness = dict(seed=1)')
    train = 'tools/train.py', config, '--work-dir'
    assert fork_tool(*train, 'whole', *options(0)).returncode == 0
    assert fork_tool(*train, 'killed', *options(0, 6), 'runner_type=FlexibleRunner').returncode < 0
    progress = load_safely(str(tmp_path / 'killed/mid_epoch.pth'))['meta']
    assert (progress['epoch'], progress['iter']) == (1, 6)
    result = fork_tool(*train, 'killed', '--resume', *options(0), 'runner_type=FlexibleRunner')
    assert result.returncode == 0, result.stderr
    assert_same(tmp_path / 'killed/epoch_2.pth', tmp_path / 'whole/epoch_2.pth')
    result = fork_tool('tools/test.py', config, 'killed/epoch_2.pth', *options(0), 'runner_type=FlexibleRunner')
    assert result.returncode == 0 and 'acc/top1' in result.stdout + result.stderr, result.stderr
    other = fork_tool('tools/train.py', config, '--resume', 'killed/epoch_2.pth', *options(0),
                      'model.backbone.patch_size=(2,2,2)', 'runner_type=FlexibleRunner')  # fmt: skip
    assert_one_line(other, "'killed/epoch_2.pth' is of another architecture")


def test_no_config_in_a_checkpoint_is_run(tmp_path):
    content = dict(meta=dict(config=f"open({str(tmp_path / 'run')!r}, 'w')", iter=3))
    strategy = SimpleNamespace(
        load_checkpoint=lambda *args, **kwargs: content, _randomness={}, logger=SimpleNamespace(info=print)
    )
    resumed = SingleDeviceStrategy.resume(strategy, 'epoch_1.pth', resume_optimizer=False, resume_param_scheduler=False)
    assert resumed['meta'] == dict(iter=3)


def test_a_strategy_compiles_the_backbone(monkeypatch):
    calls = []
    monkeypatch.setattr(torch, 'compile', lambda function, **options: calls.append(options) or function)
    model = torch.nn.Module()
    model.backbone, model.train_step = torch.nn.Linear(1, 1), str
    strategy = SimpleNamespace(logger=SimpleNamespace(info=lambda text: None))
    assert BaseStrategy.compile_model(strategy, model, dict(target='train_step', mode='default')) is model
    assert calls == [dict(mode='default')] and model.train_step is str
    assert BaseStrategy.compile_model(strategy, model, False) is model and len(calls) == 1


def refused(**settings):
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict({'runner_type': 'FlexibleRunner', 'launcher': 'pytorch', **settings})
    with pytest.raises(UserError) as error:
        build_runner(cfg)
    return str(error.value)


def test_strategies_that_cannot_be_are_refused(monkeypatch):
    for name, package in (('DeepSpeedStrategy', 'deepspeed'), ('ColossalAIStrategy', 'colossalai')):
        assert f'needs {package}, which is not installed: pip install {package}' in refused(strategy=dict(type=name))
    monkeypatch.setattr('importlib.util.find_spec', lambda name: name)
    assert "type='DeepSpeedOptimWrapper'" in refused(strategy=dict(type='DeepSpeedStrategy'))
    sharded = dict(type='FSDPStrategy')
    assert '--launcher' in refused(strategy=sharded, launcher='none')
    assert "state_dict_cfg='local' must be 'full'" in refused(strategy=dict(sharded, state_dict_cfg='local'))
    assert 'EMAHook' in refused(strategy=sharded, custom_hooks=[dict(type='EMAHook')])
    assert "runner_type='FlexibleRunner' alone, not by None" in refused(strategy=sharded, runner_type=None)
    assert 'sync_bn is read by Runner alone' in refused(sync_bn='torch')


class Shards(torch.nn.Module):
    """A stand-in of FSDP's in one process, which says what it clips by."""

    def clip_grad_norm_(self, max_norm, norm_type=2.0):
        self.clipped = max_norm, norm_type
        return torch.tensor(self.norm)


@pytest.mark.parametrize(('norm', 'fault'), [(3.0, False), (math.inf, True)])
def test_the_norm_of_shards_is_that_of_all_processes(norm, fault, monkeypatch):
    monkeypatch.setattr('mmdualformer.engine.optim_wrappers.FullyShardedDataParallel', Shards)
    model = Shards()
    model.weight, model.norm = torch.nn.Parameter(torch.ones(1)), norm
    wrapper = FiniteOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.5), clip_grad=dict(max_norm=1.0))
    with wrapper.optim_context(model):
        loss = model.weight.sum()
    wrapper.update_params(loss)
    assert model.clipped == (1.0, 2.0) and wrapper.fault is fault
    assert model.weight.item() == (1.0 if fault else 0.5)
    assert wrapper.message_hub.get_scalar('train/grad_norm').current() == norm
    wrapper = FiniteOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.5))
    with wrapper.optim_context(model):
        loss = model.weight.sum() * norm
    wrapper.update_params(loss)
    assert wrapper.fault is fault
