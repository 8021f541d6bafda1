"""Where a number comes from that is not finite."""

import contextlib
import math

import pytest
import torch
import torch.nn as nn
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel

from mmdualformer.engine.diagnosis import find_cause, name_clips


class Log(nn.Module):
    def forward(self, x):
        return x.log()


class Root(nn.Module):
    """Finite, and of an infinite gradient at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return (0 * self.scale * x).sqrt()


class Model(BaseModel):
    def __init__(self, middle=None, factor=1.0) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1))
        self.first = nn.Linear(2, 2)
        self.middle = middle or nn.Identity()
        self.last = nn.Linear(2, 1)
        self.factor = factor

    def forward(self, inputs, data_samples, mode):
        x = torch.stack(inputs).abs() + self.token
        x = self.last(self.middle(self.first(x).square()))
        return dict(loss=x.mean() * self.factor)


def samples(count: int) -> list:
    return [
        ActionDataSample(metainfo=dict(filename=f'{number}.mp4')).set_gt_label(number % 3) for number in range(count)
    ]


def batch(*inputs) -> dict:
    return dict(inputs=[torch.tensor(clip) for clip in inputs], data_samples=samples(len(inputs)))


@pytest.mark.parametrize(
    ('model', 'cause'),
    [
        (Model(nn.Sequential(nn.ReLU(), Log())), 'middle.1 gives values that are not finite'),
        (Model(factor=math.inf), 'the loss is not finite'),
        (Model(Root()), 'the gradient of middle.scale is not finite'),
        (Model(), None),
    ],
)
def test_the_first_module_is_named(model, cause):
    nn.init.constant_(model.first.weight, 0.0)
    nn.init.constant_(model.first.bias, 0.0)
    found = find_cause(model, batch([1.0, 2.0], [3.0, 4.0]), contextlib.nullcontext())
    assert found == (cause and f'{cause}; the clips are 0.mp4 (label 0), 1.mp4 (label 1)')
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_clips_that_are_not_finite_themselves_are_named_alone():
    found = find_cause(Model(), batch([1.0, 2.0], [math.nan, 4.0], [1.0, 1.0]), contextlib.nullcontext())
    assert found == 'the input is not finite; the clips are 1.mp4 (label 1)'


def test_clips_are_named_as_far_as_they_are_known():
    assert name_clips(samples(6)) == ('0.mp4 (label 0), 1.mp4 (label 1), 2.mp4 (label 2), 3.mp4 (label 0) and 2 more')
    assert name_clips([ActionDataSample().set_gt_label([1, 4])]) == 'one of an unknown file (label 1 4)'
