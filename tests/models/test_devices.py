"""The models on every device there is, as they are trained there."""

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope

from tests.helpers import REPO

DEVICES = ['cpu', pytest.param('cuda', marks=pytest.mark.gpu)]
FAMILIES = ['dualformer', 'vidtr', 'cvidtr', 'vmf', 'mobile3d']


def build(family: str) -> torch.nn.Module:
    cfg = Config.fromfile(REPO / f'configs/{family}_micro_motion.py')
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model


def batch() -> dict:
    generator = torch.Generator().manual_seed(0)
    clips = [torch.randint(256, (1, 3, 17, 36, 30), generator=generator, dtype=torch.uint8) for _ in range(2)]
    return dict(inputs=clips, data_samples=[ActionDataSample().set_gt_label(label) for label in (1, 6)])


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('with_cp', [False, True])
@pytest.mark.parametrize('family', FAMILIES)
def test_a_training_step_in_mixed_precision(family, with_cp, device):
    """On clips that neither patches nor strides divide."""
    model = build(family).to(device).train()
    for part in model.backbone.modules():
        if hasattr(part, 'with_cp'):
            part.with_cp = with_cp
    data = model.data_preprocessor(batch(), training=True)
    with torch.autocast(device, torch.float16 if device == 'cuda' else torch.bfloat16):
        loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    assert loss.isfinite()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('family', FAMILIES)
def test_scores_are_those_of_the_reference(family, device):
    """In float32, of float64 on a CPU."""
    model = build(family).eval()
    data = model.data_preprocessor(batch())
    with torch.inference_mode():
        expected = model.double()(data['inputs'].double(), stage='head')[0]
        scores = model.float().to(device)(data['inputs'].to(device), stage='head')[0]
    torch.testing.assert_close(scores.cpu().double(), expected, rtol=0, atol=1e-3)
