import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from mmdualformer.models.layers import ConvNorm3d, DepthwiseConv3d, FactorizedConv3d, PointwiseConv3d


def clip(*shape: int, channels_last: bool = True) -> torch.Tensor:
    torch.manual_seed(0)
    x = torch.randn(*shape, dtype=torch.float64)
    return x.contiguous(memory_format=torch.channels_last_3d) if channels_last else x


@pytest.mark.parametrize('channels_last', [True, False])
@pytest.mark.parametrize(
    ('kernel', 'stride'),
    [
        ((3, 3, 3), (1, 1, 1)),
        ((3, 3, 3), (1, 2, 2)),
        ((3, 3, 3), (2, 2, 2)),
        ((1, 3, 3), (1, 2, 2)),
        ((5, 1, 1), (1, 1, 1)),
        ((5, 1, 1), (4, 1, 1)),
        ((1, 3, 5), (1, 1, 2)),
    ],
)
@pytest.mark.parametrize('size', [(5, 8, 7), (1, 1, 1), (2, 7, 4)])
def test_depthwise_equals_conv3d_and_its_gradients(kernel, stride, size, channels_last):
    conv = DepthwiseConv3d(6, kernel, stride).double()
    plain = nn.Conv3d(6, 6, kernel, stride, tuple(k // 2 for k in kernel), groups=6, bias=False).double()
    plain.load_state_dict(conv.state_dict())
    results = []
    for module in (conv, plain):
        x = clip(2, 6, *size, channels_last=channels_last).requires_grad_()
        y = module(x)
        (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)).sum().backward()
        with torch.no_grad():
            inference = module(x)
        results.append((y, inference, x.grad, module.weight.grad))
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours, theirs)


def test_depthwise_trains_a_part_alone():
    conv = DepthwiseConv3d(4, (3, 3, 3)).double()
    x = clip(1, 4, 3, 5, 5)
    conv(x).sum().backward()
    assert conv.weight.grad.abs().sum() > 0
    conv.requires_grad_(False)
    x.requires_grad_()
    conv(x).sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize('stride', [1, (1, 2, 2), (2, 2, 2)])
@pytest.mark.parametrize('channels_last', [True, False])
def test_pointwise_equals_conv3d(stride, channels_last):
    conv = PointwiseConv3d(6, 10, stride).double()
    x = clip(2, 6, 5, 8, 7, channels_last=channels_last)
    torch.testing.assert_close(conv(x), F.conv3d(x, conv.weight, stride=stride))


@pytest.mark.parametrize(
    ('channels', 'groups', 'kernel', 'stride'), [(3, 1, (5, 3, 3), (4, 2, 2)), (8, 8, (3, 3, 3), (1, 2, 2))]
)
def test_factorized_equals_its_two_convolutions(channels, groups, kernel, stride):
    conv = FactorizedConv3d(channels, 8, kernel, stride, groups).double()
    results = []
    for forward in (conv, lambda x: conv.temporal(conv.spatial(x))):
        y = forward(clip(2, channels, 9, 11, 8))
        gradients = torch.autograd.grad(y.square().sum(), list(conv.parameters()))
        results.append((y, *gradients))
    for one, two in zip(*results):
        torch.testing.assert_close(one, two)
    assert [name for name, _ in conv.named_parameters()] == ['spatial.weight', 'temporal.weight']


@pytest.mark.parametrize(
    'conv',
    [PointwiseConv3d(8, 8), DepthwiseConv3d(8, (3, 3, 3), (1, 2, 2)), FactorizedConv3d(8, 8, (3, 3, 3), (2, 1, 1))],
)
def test_norm_is_folded_in_inference_only(conv, monkeypatch):
    module = ConvNorm3d(conv).double()
    for _ in range(3):
        module(3 * clip(2, 8, 5, 6, 6) + 1)  # running statistics that matter
    nn.init.uniform_(module.norm.weight)
    nn.init.uniform_(module.norm.bias)
    module.eval()
    calls, normalize = [], module.norm.forward
    monkeypatch.setattr(module.norm, 'forward', lambda x: calls.append(1) or normalize(x))  # a hook would change it
    x = clip(2, 8, 5, 6, 6)
    plain = module(x)
    assert len(calls) == 1
    with torch.no_grad():
        torch.testing.assert_close(module(x), plain)
        assert len(calls) == 1
        traced = torch.jit.trace(module, x, check_trace=False)
        assert len(calls) == 2  # what traces sees both
        torch.testing.assert_close(traced(x), plain)
        module.train()(x)
        assert len(calls) == 3
