import torch
import torch.nn as nn
import torch.nn.functional as F

from mmdualformer.analysis import count_cost, split_cost
from mmdualformer.models import DualFormer
from mmdualformer.models.backbones import dualformer


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(8)

    def forward(self, x):
        x = self.norm(x)
        return F.scaled_dot_product_attention(x, x, x)


def test_counts_by_hand():
    cost = count_cost(nn.Conv3d(4, 8, 3, padding=1, groups=2), (2, 4, 5, 6, 7))
    assert cost.macs == cost.flops == 2 * 8 * (5 * 6 * 7) * 2 * 27
    assert cost.params == 8 * 2 * 27 + 8

    class OwnNorm(nn.BatchNorm1d):
        pass

    assert count_cost(OwnNorm(8), (3, 8)).flops == count_cost(nn.BatchNorm3d(8), (3, 8, 1, 1, 1)).flops == 2 * 3 * 8

    attention = Attention().train()
    cost = count_cost(attention, (1, 1, 10, 8))
    assert cost.macs == 2 * 10 * 10 * 8
    assert cost.flops - cost.macs == 5 * 10 * 8
    assert attention.training and attention.norm.weight.device.type == 'cpu'
    assert not attention.norm._forward_hooks


def test_fused_attention_is_counted_on_every_device():
    shape = (1, 1, 10, 8)
    assert count_cost(Attention(), shape) == count_cost(Attention().to('meta'), shape)
    assert count_cost(torch.nn.Linear(8, 3), (5, 8)).macs == 5 * 8 * 3


def test_half_of_dualformers_cost_is_in_the_perceptrons():
    """Appendix C. The parts are all but the downsampling of priors, which is in GP-MSA."""
    with torch.device('meta'):
        model = DualFormer('tiny')
        low_rank = DualFormer('tiny', mlp_rank=0.4)
    shape = (1, 3, 32, 224, 224)
    kinds = (
        dualformer.Mlp,
        dualformer.LocalWindowAttention,
        dualformer.GlobalPyramidAttention,
        dualformer.PatchEmbed,
        dualformer.PositionEncodingGenerator,
    )
    parts, macs = split_cost(model, shape, kinds), count_cost(model, shape).macs
    assert sum(parts.values()) == macs
    shares = {name: round(part / macs, 3) for name, part in parts.items()}
    assert shares == {
        'Mlp': 0.494,
        'LocalWindowAttention': 0.25,
        'GlobalPyramidAttention': 0.227,
        'PatchEmbed': 0.026,
        'PositionEncodingGenerator': 0.003,
    }
    assert round(1 - count_cost(low_rank, shape).flops / count_cost(model, shape).flops, 3) == 0.248
