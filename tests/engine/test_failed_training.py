"""A training that fails, in a process that goes on, as a notebook does."""

import threading

import pytest
import torch
import torch.nn as nn
from mmengine.dataset import DefaultSampler
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmdualformer import signals
from mmdualformer.engine import InterruptionHook, StallHook


class Model(BaseModel):
    """Fails at the second step, where it is to."""

    def __init__(self, fails: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.fails = fails
        self.calls = 0

    def forward(self, inputs, mode='tensor'):
        assert signals._listener.is_deferred and count_watching() == 1  # while it trains
        self.calls += 1
        if self.fails and self.calls == 2:
            raise RuntimeError('as of a full GPU')
        return dict(loss=self.weight)


def collate(samples: list) -> dict:
    return dict(inputs=torch.tensor(samples))


def count_watching() -> int:
    return sum(thread.name == 'stall' for thread in threading.enumerate())


@pytest.fixture
def train(tmp_path, monkeypatch):
    monkeypatch.setattr(Runner, '_log_env', lambda *_: None)  # which asks compilers for their versions

    def run(fails: bool) -> None:
        Runner(
            model=Model(fails),
            work_dir=str(tmp_path),
            train_dataloader=DataLoader([0, 1], sampler=DefaultSampler([0, 1]), collate_fn=collate),
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            default_hooks=dict(logger=None, checkpoint=None, runtime_info=None, timer=None),
            custom_hooks=[StallHook(), InterruptionHook()],
            default_scope='mmaction',
            experiment_name=f'fails_{fails}',
            log_level='ERROR',
        ).train()

    return run


@pytest.mark.parametrize('fails', [False, True])
def test_nothing_watches_it_afterwards(train, fails):
    if fails:
        with pytest.raises(RuntimeError, match='as of a full GPU'):
            train(fails)
    else:
        train(fails)
    for thread in threading.enumerate():
        if thread.name == 'stall':
            thread.join(10)  # it has been told
    assert count_watching() == 0
    assert not signals._listener.is_deferred
