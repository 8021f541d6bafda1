import copy
import math

import pytest
import torch
from mmaction.registry import MODELS, OPTIM_WRAPPERS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.engine import FiniteAmpOptimWrapper, FiniteOptimWrapper
from mmdualformer.errors import UserError
from tests.helpers import REPO

on_cpu = pytest.mark.skipif(torch.cuda.is_available(), reason='of a machine without a GPU')


def build(wrapper='OptimWrapper', **kwargs):
    """A wrapper whose optimizer has taken a step, and its one parameter."""
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([parameter], lr=0.1)
    wrapper = OPTIM_WRAPPERS.build(dict(type=wrapper, optimizer=optimizer, **copy.deepcopy(kwargs)))
    for _ in range(kwargs.get('accumulative_counts', 1)):
        wrapper.update_params(parameter.square().sum())
    return wrapper, parameter


def scaled(init_scale=2.0**16, **kwargs):
    """A wrapper that scales the loss as in float16, here on the CPU."""
    wrapper, parameter = build('AmpOptimWrapper', dtype='bfloat16', **kwargs)
    wrapper.loss_scaler = torch.amp.GradScaler('cpu', init_scale=init_scale)
    return wrapper, parameter


def snapshot(wrapper, parameter) -> list:
    state = wrapper.optimizer.state[parameter]
    return [parameter.detach().clone(), *(value.clone() for value in state.values())]


@pytest.mark.parametrize('number', [math.nan, math.inf])
@pytest.mark.parametrize(
    'kwargs',
    [
        dict(),
        dict(clip_grad=dict(max_norm=1.0)),
        dict(clip_grad=dict(type='value', clip_value=1.0)),
        dict(accumulative_counts=2),
        dict(wrapper='AmpOptimWrapper', dtype='bfloat16'),
        dict(wrapper='AmpOptimWrapper', dtype='bfloat16', clip_grad=dict(max_norm=1.0)),
    ],
)
def test_no_step_is_taken_from_what_is_not_finite(kwargs, number):
    wrapper, parameter = build(**kwargs)
    before = snapshot(wrapper, parameter)
    weights = torch.tensor([1.0, number])  # one element of the gradient
    losses = [(parameter * weights).sum(), parameter.sum()][: kwargs.get('accumulative_counts', 1)]
    for loss in losses:
        wrapper.update_params(loss)
    assert wrapper.fault
    for old, new in zip(before, snapshot(wrapper, parameter)):
        assert torch.equal(old, new)
    assert parameter.grad is None
    for _ in losses:  # and the next is as if it had not been
        wrapper.update_params(parameter.square().sum())
    assert not wrapper.fault
    assert parameter.isfinite().all() and not torch.equal(parameter, before[0])


def test_a_loss_that_its_gradient_does_not_see():
    wrapper, parameter = build()
    before = snapshot(wrapper, parameter)
    wrapper.update_params(parameter.sum() + math.inf)
    assert wrapper.fault and torch.equal(parameter, before[0])


def test_steps_are_those_of_torch():
    wrapper, parameter = build(clip_grad=dict(max_norm=1.0))
    expected = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([expected], lr=0.1)
    for _ in range(3):
        expected.square().sum().backward()
        torch.nn.utils.clip_grad_norm_([expected], 1.0)
        optimizer.step()
        optimizer.zero_grad()
    for _ in range(2):
        wrapper.update_params(parameter.square().sum())
    assert torch.equal(parameter, expected)


class TestLossScale:
    def test_an_overflow_makes_the_scale_smaller_and_is_no_fault(self):
        wrapper, parameter = scaled(init_scale=2.0**127)
        before = snapshot(wrapper, parameter)
        wrapper.update_params((parameter * 8).sum())
        assert not wrapper.fault and torch.equal(parameter, before[0])
        assert wrapper.loss_scaler.get_scale() == 2.0**126

    def test_an_overflow_at_less_than_no_scale_is_a_fault(self):
        wrapper, parameter = scaled(init_scale=1.0)
        wrapper.update_params((parameter * torch.tensor([1e-30, 3e38])).square().sum() * 1e-30)
        assert wrapper.fault and parameter.isfinite().all()

    def test_a_loss_that_is_not_finite_is_a_fault_at_once(self):
        wrapper, parameter = scaled(accumulative_counts=2)
        wrapper.update_params(parameter.sum() * math.nan)
        wrapper.update_params(parameter.sum())
        assert wrapper.fault and parameter.isfinite().all()
        for _ in range(2):
            wrapper.update_params(parameter.sum())
        assert not wrapper.fault

    def test_it_is_resumed(self):
        wrapper, _ = scaled(init_scale=2.0**5)
        state = wrapper.state_dict()
        other, _ = scaled()
        other.load_state_dict(state)
        assert other.loss_scaler.get_scale() == 2.0**5

    def test_a_run_without_one_is_resumed_with_it_and_the_other_way(self, monkeypatch):
        messages = []
        monkeypatch.setattr(FiniteOptimWrapper, '_say', staticmethod(messages.append))
        with_scale, _ = scaled(init_scale=2.0**5)
        with_scale.load_state_dict(build()[0].state_dict())
        assert with_scale.loss_scaler.get_scale() == 2.0**5
        for kind in ('OptimWrapper', 'AmpOptimWrapper'):
            without, parameter = build(kind)
            messages.clear()
            without.load_state_dict(with_scale.state_dict())
            assert messages == ['the checkpoint has a loss scale, and this run needs none: it goes on without']
            without.update_params(parameter.sum())
            assert 'loss_scaler' not in without.state_dict()
        messages.clear()
        with_scale.load_state_dict(without.state_dict())
        assert messages == ['the checkpoint has no loss scale: it begins at 32']


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(dtype='int8'), "optim_wrapper.dtype='int8' must be one of 'float16', 'bfloat16', 'float32'"),
        (dict(dtype=torch.float64), "optim_wrapper.dtype='float64' must be one of"),
        (dict(loss_scale='static'), "optim_wrapper.loss_scale='static' must be 'dynamic', a number or a dict"),
    ],
)
def test_arguments_that_are_none(kwargs, message):
    with pytest.raises(UserError, match=message):
        build('AmpOptimWrapper', **kwargs)


@on_cpu
def test_float16_stays_float32_on_a_cpu_and_says_so(monkeypatch):
    messages = []
    monkeypatch.setattr(FiniteOptimWrapper, '_say', staticmethod(messages.append))
    wrapper, _ = build('AmpOptimWrapper', loss_scale=512)
    assert messages == [
        'mixed precision in float16 needs a GPU: training is in float32; optim_wrapper.dtype=bfloat16 works here'
    ]
    with wrapper.optim_context(torch.nn.Linear(1, 1)):
        assert not torch.is_autocast_enabled('cpu')
    build('AmpOptimWrapper', dtype='float32')
    assert len(messages) == 1


@on_cpu
@pytest.mark.parametrize('name', ['dualformer', 'vmf', 'mobile3d', 'vidtr', 'cvidtr'])
def test_families_train_in_bfloat16(name):
    cfg = Config.fromfile(REPO / f'configs/{name}_micro_motion.py')
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).train()
    dtypes = set()
    model.cls_head.register_forward_hook(lambda module, inputs, output: dtypes.add(output.dtype))
    wrapper = OPTIM_WRAPPERS.build(
        dict(
            type='AmpOptimWrapper',
            dtype='bfloat16',
            optimizer=torch.optim.AdamW(model.parameters(), lr=1e-3),
            clip_grad=dict(max_norm=1.0),
        )
    )
    assert isinstance(wrapper, FiniteAmpOptimWrapper)
    samples = [ActionDataSample().set_gt_label(label) for label in range(2)]
    batch = dict(inputs=[torch.randint(256, (1, 3, 18, 32, 32)) for _ in samples], data_samples=samples)
    losses = [model.train_step(batch, wrapper)['loss'].item() for _ in range(4)]
    assert dtypes == {torch.float32 if name == 'vmf' else torch.bfloat16}  # which is slower in bfloat16 on a CPU
    assert all(map(math.isfinite, losses)) and losses[-1] < losses[0]
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not wrapper.fault and all(parameter.isfinite().all() for parameter in model.parameters())
