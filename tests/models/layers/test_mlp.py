import torch

from mmdualformer.models.layers import Mlp


def test_weights_of_a_lower_rank():
    mlp = Mlp(10, 40, rank=4)
    weight = mlp.fc1[1].weight @ mlp.fc1[0].weight
    assert weight.shape == (40, 10) and torch.linalg.matrix_rank(weight) == 4
    assert sum(p.numel() for p in mlp.parameters()) == 2 * 4 * (10 + 40) + 40 + 10
    assert mlp(torch.randn(2, 3, 10)).shape == (2, 3, 10)


def test_dropout_follows_each_layer():
    mlp, hidden = Mlp(4, 8, drop=1.0), []
    mlp.fc2.register_forward_pre_hook(lambda module, args: hidden.append(args[0]))
    assert not mlp(torch.randn(2, 4)).any() and not hidden[0].any()
    assert mlp.eval()(torch.randn(2, 4)).any() and hidden[1].any()
