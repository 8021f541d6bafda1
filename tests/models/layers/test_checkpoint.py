import pytest
import torch
import torch.nn as nn
from torch import Tensor

from mmdualformer.models import DualFormer, VidTr
from mmdualformer.models.layers import Mlp, multi_head_attention, run_checkpointed
from tests.helpers import Operators

aten = torch.ops.aten


class Attention(nn.Module):
    """Two attentions, the second of which meets other random numbers, and a perceptron after them."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.mlp = Mlp(8, 16, drop=0.5)
        self.bias = nn.Parameter(torch.randn(2, 6, 6)) if kind == 'bias' else None
        self.mask = torch.rand(3, 6) > 0.3 if kind == 'mask' else None
        self.dropout = 0.3 if kind == 'dropout' else 0.0

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(2):
            q, k, v = self.qkv(x).chunk(3, -1)
            x = multi_head_attention(q, k, v, 2, self.mask, self.bias, self.dropout)
        return self.mlp(x)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize('kind', ['plain', 'mask', 'bias', 'dropout'])
def test_gradients_are_the_same_to_the_last_bit(kind, dtype):
    torch.manual_seed(0)
    module, x = Attention(kind).to(dtype).train(), torch.randn(3, 6, 8, dtype=dtype, requires_grad=True)
    results = []
    for checkpointed in (False, True):
        torch.manual_seed(1)
        y = run_checkpointed(module, x) if checkpointed else module(x)
        following = torch.rand(3)
        wanted = (x, *module.parameters())
        first, again = (torch.autograd.grad(y.square().sum(), wanted, retain_graph=True) for _ in range(2))
        results.append((y, following, *first, *again))
    assert all(map(torch.equal, *results))


def test_attention_is_not_computed_again():
    clip = torch.rand(1, 3, 8, 64, 64)
    arch = dict(embed_dims=(8, 16, 32, 64), num_blocks=(1, 1, 1, 1), num_heads=(1, 2, 4, 8))
    with Operators() as step:
        DualFormer(arch, clip_size=(8, 64, 64), with_cp=True).train()(clip).sum().backward()
    assert step.called.count(aten._scaled_dot_product_flash_attention_for_cpu.default) == 8
    assert step.called.count(aten._scaled_dot_product_flash_attention_for_cpu_backward.default) == 8
    assert step.called.count(aten.native_layer_norm.default) > 2 * 16  # the rest is


def test_dropped_attention_is_computed_again_once():
    """In the backward pass, where its matrices are needed."""
    arch = dict(embed_dims=48, num_layers=3, num_heads=3, feedforward_channels=192)
    softmaxes = []
    for with_cp in (False, True):
        model = VidTr(arch, clip_size=(8, 64, 64), with_cp=with_cp).train()
        with Operators() as step:
            model(torch.rand(1, 3, 8, 64, 64)).sum().backward()
        softmaxes.append(sum(map(step.called.count, (aten._safe_softmax.default, aten._softmax.default))))
    assert softmaxes[0] == softmaxes[1] > 0
