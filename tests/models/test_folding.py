"""``efficient_conv_bn_eval``: batch normalisation in eval mode is part of the convolution before it, with gradients."""

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.model import efficient_conv_bn_eval
from mmengine.registry import init_default_scope
from torch import nn

from mmdualformer.errors import UserError
from tests.helpers import REPO, randomize_norms

NORMS = (nn.BatchNorm1d, nn.BatchNorm3d)


def turn_on(model, modules):
    efficient_conv_bn_eval.turn_on_efficient_conv_bn_eval(model, modules)


@pytest.fixture(params=['dualformer_t_k400', 'vmf_1g_k400', 'mobile3d_1g_k400', 'cvidtr_micro_motion'])
def model(request):
    cfg = Config.fromfile(REPO / f'configs/{request.param}.py').model
    if cfg.backbone.type == 'DualFormer':
        cfg.backbone.arch = dict(embed_dims=(16, 32, 64, 128), num_blocks=(1, 1, 1, 1), num_heads=(1, 2, 4, 8))
        cfg.cls_head.in_channels = 128
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(cfg).eval()
    randomize_norms(model)
    return model


def run(model, clips):
    """Its scores, gradients, and how often a batch normalisation was called."""
    calls = []
    forward = nn.BatchNorm3d.forward
    with pytest.MonkeyPatch.context() as patch:  # a hook would have it called
        patch.setattr(nn.BatchNorm3d, 'forward', lambda norm, x: calls.append(norm) or forward(norm, x))
        model.zero_grad()
        scores = model(clips[:, None], stage='head')
        scores.square().sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    return scores.detach(), gradients, len(calls)


def test_scores_and_gradients_stay(model):
    clips = torch.randn(2, 3, 8, 32, 32)
    scores, gradients, calls = run(model, clips)
    turn_on(model, ['backbone', 'cls_head'])
    folded, of_folded, called = run(model, clips)
    assert called == 0 and (calls > 0 or not any(isinstance(part, NORMS) for part in model.modules()))
    torch.testing.assert_close(folded, scores, rtol=1e-3, atol=1e-4)
    assert of_folded.keys() == gradients.keys()
    for name, gradient in gradients.items():
        scale = gradient.abs().max().item()
        torch.testing.assert_close(of_folded[name], gradient, rtol=1e-2, atol=1e-3 * max(scale, 1e-3))
    with torch.no_grad():
        torch.testing.assert_close(model(clips[:, None], stage='head'), scores, rtol=1e-3, atol=1e-4)
    model.train()
    assert run(model, clips)[2] == calls  # by the statistics of the batch


def test_hooks_are_called(model):
    turn_on(model, 'backbone')
    norm = next((part for part in model.backbone.modules() if isinstance(part, nn.BatchNorm3d)), None)
    if norm is None:
        return
    seen = []
    norm.register_forward_hook(lambda *_: seen.append(1))
    model(torch.randn(1, 1, 3, 8, 32, 32))
    assert seen


def test_what_is_no_module_is_refused(model):
    with pytest.raises(UserError, match=r"efficient_conv_bn_eval='bakbone' must name modules of the model"):
        turn_on(model, 'bakbone')


def test_models_of_others_are_traced():
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    container = nn.Sequential(model).eval()
    turn_on(container, '0')
    assert 'efficient_conv_bn_eval' in model.forward.__self__.code
