import copy

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils import prune
from torch.utils.flop_counter import FlopCounterMode

from mmdualformer.models.layers import Mlp, apply_linear, linear
from mmdualformer.models.layers.linear import OneDnnLinear, onednn_is_faster
from tests.helpers import Operators

pytestmark = pytest.mark.skipif(not hasattr(torch.ops.mkldnn, '_linear_pointwise'), reason='this PyTorch has no oneDNN')


@pytest.fixture
def taken(monkeypatch) -> list[torch.Size]:
    """The sizes of what is computed by oneDNN, on a CPU where it is faster."""
    sizes: list[torch.Size] = []
    apply = OneDnnLinear.apply

    def note(x: Tensor, *others: Tensor | None) -> Tensor:
        sizes.append(x.shape)
        return apply(x, *others)

    monkeypatch.setattr(linear, 'onednn_is_faster', lambda: True)
    monkeypatch.setattr(OneDnnLinear, 'apply', note)
    return sizes


def gradients(call, x: Tensor, layer: nn.Linear) -> list[Tensor]:
    """The output, the first gradients, and the gradients of those."""
    inputs = [x, *layer.parameters()]
    y = call(layer, x)
    first = torch.autograd.grad(y.sin().sum(), inputs, create_graph=True)
    second = torch.autograd.grad(sum(part.square().sum() for part in first), inputs)
    return [y, *first, *second]


@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('shape', [(5, 6), (2, 3, 4, 6)])
def test_results_and_gradients_are_those_of_the_layer(taken, shape, bias):
    torch.manual_seed(0)
    layer = nn.Linear(6, 7, bias)
    x = torch.randn(*shape[:-1], 1, 6).transpose(0, -2).requires_grad_()  # not contiguous
    found = gradients(apply_linear, x, layer)
    assert len(taken) >= 3
    for ours, theirs in zip(found, gradients(lambda layer, x: layer(x), x, layer)):
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    with torch.inference_mode():
        torch.testing.assert_close(apply_linear(layer, x), layer(x))


def test_only_what_needs_a_gradient_gets_one(taken):
    layer = nn.Linear(6, 7)
    layer.weight.requires_grad_(False)
    apply_linear(layer, torch.randn(5, 6)).sum().backward()
    assert layer.weight.grad is None and layer.bias.grad.tolist() == [5] * 7
    assert taken == [(5, 6)]


class Scaled(Tensor):
    """A weight of another kind, as those of quantized layers."""


def test_who_stands_between_is_heard(taken, monkeypatch):
    layer, x = nn.Linear(6, 7), torch.randn(5, 6)
    calls: list[str] = []

    hooked = copy.deepcopy(layer)
    hooked.register_forward_hook(lambda *_: calls.append('hook'))
    apply_linear(hooked, x)
    pruned = copy.deepcopy(layer)
    prune.l1_unstructured(pruned, 'weight', 0.5)
    apply_linear(pruned, x)
    replaced = copy.deepcopy(layer)
    replaced.forward = lambda x: calls.append('forward')
    apply_linear(replaced, x)
    with FlopCounterMode(display=False) as counter:
        apply_linear(layer, x)
    assert counter.get_total_flops() == 2 * 5 * 6 * 7
    with Operators() as operators:
        apply_linear(layer, x)
    assert torch.ops.aten.addmm.default in operators.called
    other = copy.deepcopy(layer)
    other.weight = nn.Parameter(other.weight.detach().as_subclass(Scaled))
    apply_linear(other, x)
    apply_linear(nn.Sequential(layer), x)
    with torch.autocast('cpu', torch.bfloat16):
        assert apply_linear(layer, x).dtype == torch.bfloat16
    apply_linear(copy.deepcopy(layer).double(), x.double())
    torch.func.vmap(lambda x: apply_linear(layer, x))(x)
    frozen = copy.deepcopy(layer).requires_grad_(False)
    torch.jit.trace(lambda x: apply_linear(frozen, x), x, check_trace=False)
    with monkeypatch.context() as patch:
        patch.setattr(F, 'linear', lambda x, *weights: calls.append('counter'))
        apply_linear(layer, x)

    assert calls == ['hook', 'forward', 'counter'] and taken == []


def test_a_perceptron_is_computed_so(taken):
    x = torch.randn(2, 3, 8)
    Mlp(8, 16)(x)
    Mlp(8, 16, rank=4)(x)  # two matrices each, called as they are
    assert taken == [(6, 8), (6, 16)]


@pytest.mark.parametrize(
    'flags, faster', [('AuthenticAMD avx512f', True), ('AuthenticAMD avx2', False), ('GenuineIntel avx512f', False)]
)
def test_the_cpu_decides(monkeypatch, flags, faster):
    monkeypatch.setattr(linear, 'cpu_flags', lambda: frozenset(flags.split()))
    assert onednn_is_faster() is faster
