import torch

from mmdualformer.models.layers import Mlp


def test_weights_of_a_lower_rank():
    mlp = Mlp(10, 40, rank=4)
    weight = mlp.fc1[1].weight @ mlp.fc1[0].weight
    assert weight.shape == (40, 10) and torch.linalg.matrix_rank(weight) == 4
    assert sum(p.numel() for p in mlp.parameters()) == 2 * 4 * (10 + 40) + 40 + 10
    assert mlp(torch.randn(2, 3, 10)).shape == (2, 3, 10)


def test_dropout_follows_the_activation():
    mlp, hidden, x = Mlp(4, 8, drop=1.0), [], torch.randn(2, 4)
    mlp.fc2.register_forward_pre_hook(lambda module, args: hidden.append(args[0]))
    assert torch.equal(mlp(x), mlp.fc2.bias.expand(2, 4)) and not hidden[0].any()
    assert not torch.equal(mlp.eval()(x), mlp.fc2.bias.expand(2, 4)) and hidden[-1].any()
