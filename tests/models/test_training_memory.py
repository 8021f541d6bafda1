"""What a step of training holds in memory."""

import pytest
import torch
import torch.nn.functional as F
from mmaction.models import TimeSformer
from mmengine.registry import init_default_scope
from torch.nn.parallel import DistributedDataParallel

from mmdualformer.analysis import PeakMemory
from mmdualformer.models import DualFormer, VidTr
from mmdualformer.models.layers import Dropout, multi_head_attention

DUALFORMER = dict(arch=dict(embed_dims=(8, 16, 32, 64), num_blocks=(1, 1, 1, 1), num_heads=(1, 2, 4, 8)))
VIDTR = dict(arch=dict(embed_dims=48, num_layers=3, num_heads=3, feedforward_channels=192))


def peak_of_step(model: torch.nn.Module, frames: int, size: int) -> int:
    """Bytes that a step holds at its peak beyond the weights and their gradients."""
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    with PeakMemory([tensor for p in model.parameters() for tensor in (p, p.grad)]) as memory:
        held = memory.current
        model(torch.rand(1, 3, frames, size, size)).sum().backward()
    return memory.peak - held


def test_checkpointing_saves_most_of_a_dualformer():
    settings = dict(**DUALFORMER, clip_size=(8, 64, 64))
    plain, saved = (peak_of_step(DualFormer(**settings, with_cp=cp).train(), 8, 64) for cp in (False, True))
    assert saved < 0.45 * plain


def test_vidtr_with_dropout_holds_no_more_than_timesformer_without():
    """Of the same width, layers and heads."""
    init_default_scope('mmaction')
    other = TimeSformer(8, 112, 16, embed_dims=48, num_heads=3, num_transformer_layers=3, dropout_ratio=0.0)
    ours = VidTr(**VIDTR, clip_size=(8, 112, 112))
    assert ours.layers[0].drop.p == ours.layers[0].attn.drop_rate == 0.1
    assert peak_of_step(ours.train(), 8, 112) < peak_of_step(other.train(), 8, 112)


def test_attention_that_is_made_twice_is_the_same():
    q, k, v = torch.randn(3, 2, 5, 8, dtype=torch.float64, requires_grad=True)
    split = [x.unflatten(2, (2, 4)).transpose(1, 2) for x in (q, k, v)]
    torch.manual_seed(0)
    expected = F.scaled_dot_product_attention(*split, dropout_p=0.3).transpose(1, 2).flatten(2)
    torch.manual_seed(0)
    out = multi_head_attention(q, k, v, 2, dropout=0.3)
    assert torch.equal(out, expected)
    following = torch.rand(3)
    weight = torch.randn_like(out)
    grads, wanted = (torch.autograd.grad(y, (q, k, v), weight) for y in (out, expected))
    assert all(map(torch.equal, grads, wanted))
    torch.manual_seed(0)
    F.scaled_dot_product_attention(*split, dropout_p=0.3)
    assert torch.equal(torch.rand(3), following)  # random numbers of other layers do not change


@pytest.mark.parametrize('rate', [0.0, 0.3, 1.0])
def test_dropout_is_that_of_pytorch(rate):
    x = torch.randn(1000, requires_grad=True)
    results = []
    for layer in (torch.nn.Dropout(rate), Dropout(rate)):
        torch.manual_seed(0)
        with PeakMemory([x]) as memory:
            y = layer(x) * 1
            (grad,) = torch.autograd.grad(y.sum(), x)
        results.append((y, grad, memory.peak))
    (y, grad, peak), (expected, wanted, usual) = results[1], results[0]
    assert torch.equal(y, expected) and torch.equal(grad, wanted)
    assert peak < usual or rate in (0.0, 1.0)


@pytest.mark.parametrize(('family', 'settings'), [(DualFormer, DUALFORMER), (VidTr, VIDTR)])
def test_checkpointed_gradients_in_a_distributed_model(one_process, family, settings):
    """Each gradient is reduced once, and is that of the plain model."""
    clip, grads = torch.rand(2, 3, 8, 64, 64), []
    for with_cp in (False, True):
        torch.manual_seed(0)
        model = family(**settings, clip_size=(8, 64, 64), with_cp=with_cp).train()
        (DistributedDataParallel(model) if with_cp else model)(clip).square().mean().backward()
        grads.append([parameter.grad for parameter in model.parameters()])
    assert all(map(torch.equal, *grads))
