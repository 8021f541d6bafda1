import torch

from mmdualformer.models.layers import Mlp


def test_dropout_follows_each_layer():
    mlp, hidden = Mlp(4, 8, drop=1.), []
    mlp.fc2.register_forward_pre_hook(lambda module, args: hidden.append(args[0]))
    assert not mlp(torch.randn(2, 4)).any() and not hidden[0].any()
    assert mlp.eval()(torch.randn(2, 4)).any() and hidden[1].any()
