"""One step of training: gradients, statistics and steps of every parameter are those of the released code.

tests/data holds what the released implementations compute in float64, in train mode and without dropout, for weights
and a clip drawn anew: models of the released structure, but narrow.
"""

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmdualformer.checkpoints.dualformer import backbone_name
from mmdualformer.checkpoints.vidtr import _NAMES, rename
from tests.helpers import REPO
from tests.reference import Reference

MODELS_OF = {
    'dualformer': ('dualformer_t_k400', dict(
        arch=dict(_delete_=True, embed_dims=(8, 16, 16, 32), num_blocks=(1, 1, 1, 1), num_heads=(1, 2, 2, 4)),
        clip_size=(16, 224, 224),
        fine_sizes=((8, 7, 7), (8, 7, 7), (8, 7, 7), 'whole'),
        drop_path_rate=0.)),
    'vidtr': ('vidtr_s_k400', dict(
        arch=dict(_delete_=True, embed_dims=32, num_layers=2, num_heads=4, feedforward_channels=64),
        clip_size=(4, 224, 224), drop_rate=0., attn_drop_rate=0.)),
    'cvidtr': ('cvidtr_s_k400', dict(
        arch=dict(_delete_=True, embed_dims=32, num_layers=3, num_heads=4, feedforward_channels=64),
        clip_size=(4, 224, 224), pool_layers=(1, ), pool_frames=(2, ), drop_rate=0., attn_drop_rate=0.)),
}  # yapf: disable


def our_name(family: str, released: str) -> str:
    """Our name of a tensor of a released recognizer."""
    if released.startswith('cls_head.'):
        return released
    if family == 'dualformer':
        return f'backbone.{backbone_name(released)}'
    if released.startswith('fc.'):
        return f'cls_head.fc_cls.{released.removeprefix("fc.")}'
    return f'backbone.{rename(released, _NAMES, "the released VidTrs")}'


@pytest.fixture(params=MODELS_OF)
def trained(request):
    """A model of ours and the reference, after one step of the released recipe."""
    family = request.param
    reference = Reference(f'{family}_training_step')
    name, backbone = MODELS_OF[family]
    cfg = Config.fromfile(REPO / f'configs/released/{name}_released.py')
    head = dict(num_classes=5, in_channels=32, dropout_ratio=0.0)
    cfg.merge_from_dict(dict(model=dict(backbone=backbone, cls_head=head)))
    cfg.model.backbone.init_cfg = None
    cfg.optim_wrapper.type = 'OptimWrapper'  # float64
    init_default_scope('mmaction')
    model = MODELS.build(cfg.model).double().train()
    own = model.state_dict()
    weights = {our_name(family, key): value for key, value in reference.weights().items()}
    assert weights.keys() == own.keys()
    model.load_state_dict({key: value.reshape(own[key].shape) for key, value in weights.items()})

    before = {key: parameter.detach().clone() for key, parameter in model.named_parameters()}
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    samples = [ActionDataSample().set_gt_label(label) for label in reference.content['labels']]
    losses = model(reference.input()[:, None], samples, mode='loss')
    losses['loss_cls'].backward()
    wrapper.optimizer.step()
    return family, reference, model, before, losses['loss_cls'].item()


def test_gradients_statistics_and_steps_are_those_of_the_released_code(trained):
    family, reference, model, before, loss = trained
    assert loss == pytest.approx(reference.content['loss'], rel=1e-9)
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    gradients, steps = reference.content['gradients'], reference.content['steps']
    assert {our_name(family, name) for name in gradients} == parameters.keys()

    def check(name: str, tensor: torch.Tensor, expected: dict, tolerance: float) -> None:
        tensor = tensor.detach().flatten()
        assert tensor.norm().item() == pytest.approx(expected['l2'], rel=tolerance, abs=1e-14), name
        values = tensor[expected['idx']].tolist()
        absolute = max(tolerance * expected['l2'], 1e-14)
        assert values == pytest.approx(expected['values'], rel=tolerance, abs=absolute), name

    for name, expected in gradients.items():
        check(name, parameters[our_name(family, name)].grad, expected, 1e-7)
    for name, expected in steps.items():
        ours = our_name(family, name)
        check(name, parameters[ours] - before[ours], expected, 1e-4)
    for name, expected in reference.content['statistics'].items():
        check(name, buffers[our_name(family, name)], expected, 1e-9)
