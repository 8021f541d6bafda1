"""Every model of the main configs passes what MMAction2 asks of a recognizer, on small clips."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from mmaction.models import FeatureHead
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope

from mmdualformer.models import DualFormer, VidTr
from tests.helpers import REPO

SIZE = (4, 32, 64)
CLASSES = 7
NARROWER = 4  # times
TRANSFORMERS = {'DualFormer': DualFormer, 'VidTr': VidTr}


def narrow(zoo: Mapping[str, Any]) -> dict[str, dict]:
    """Make the variants of a transformer narrower, of the same depth."""
    narrower = {}
    for name, arch in zoo.items():
        widths = {key: arch[key] for key in ('embed_dims', 'feedforward_channels') if key in arch}
        narrower[name] = arch | {
            key: width // NARROWER if isinstance(width, int) else tuple(part // NARROWER for part in width)
            for key, width in widths.items()
        }
    return narrower


def main_models() -> dict[str, dict]:
    """The models of the main configs by the first one that has them, with few classes, from random weights."""
    models: dict[str, dict] = {}
    names: dict[str, str] = {}
    for path in sorted((REPO / 'configs').glob('*.py')):
        model = Config.fromfile(path).model.to_dict()
        model['cls_head']['num_classes'] = CLASSES
        if blending := model['data_preprocessor'].get('blending'):
            for augmentation in blending['augments']:
                augmentation['num_classes'] = CLASSES
        model['backbone'].pop('init_cfg', None)  # weights that are not here
        model.pop('teacher', None)
        if model['backbone']['type'] in TRANSFORMERS and isinstance(model['backbone']['arch'], str):
            model['cls_head']['in_channels'] //= NARROWER
        key = json.dumps(model, sort_keys=True)
        models.setdefault(names.setdefault(key, path.stem), model)
    return models


MAIN = main_models()


@pytest.fixture(scope='module', params=MAIN)
def recognizer(request):
    init_default_scope('mmaction')
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        for transformer in TRANSFORMERS.values():
            patch.setattr(transformer, 'arch_zoo', narrow(transformer.arch_zoo))
        return MODELS.build(Config(MAIN[request.param]))


def batch(recognizer, views=1, videos=1):
    """Videos of small clips, as a data loader collates them."""
    torch.manual_seed(1)
    head = recognizer.cls_head
    label = torch.eye(CLASSES)[2] if head.multi_class else 2
    samples = [ActionDataSample().set_gt_label(label) for _ in range(videos)]
    clips = [torch.randint(0, 256, (views, 3, *SIZE), dtype=torch.uint8) for _ in range(videos)]
    if hasattr(head, 'token_branch'):
        for sample in samples:
            sample.token_logits = torch.randn(CLASSES, 4, 2, 2)
    return dict(inputs=clips, data_samples=samples)


@pytest.fixture(autouse=True)
def settings_as_before(recognizer):
    """Leave the recognizer as the next test is to find it."""
    head, average_clips = recognizer.cls_head, recognizer.cls_head.average_clips
    yield
    recognizer.cls_head, recognizer.test_cfg = head, None
    head.average_clips = average_clips
    recognizer.zero_grad()


def test_a_step_of_training(recognizer):
    recognizer.train()
    updates = []

    class Noting(OptimWrapper):
        def update_params(self, loss, **kwargs):
            updates.append(loss.item())
            super().update_params(loss, **kwargs)

    bias = list(recognizer.cls_head.parameters())[-1]
    before = bias.detach().clone()
    wrapper = Noting(torch.optim.SGD(recognizer.parameters(), lr=1e-3))
    log_vars = recognizer.train_step(batch(recognizer, videos=2), wrapper)
    assert {'loss', 'loss_cls'} <= set(log_vars)
    assert updates == [pytest.approx(log_vars['loss'].item())]
    assert log_vars['loss'].isfinite() and not torch.equal(bias, before)
    parts = [value for name, value in log_vars.items() if name.startswith('loss_')]
    assert log_vars['loss'].item() == pytest.approx(sum(part.item() for part in parts))


@torch.no_grad()
def test_predictions(recognizer):
    recognizer.eval()
    (sample,) = recognizer.test_step(batch(recognizer))
    score = sample.pred_score
    assert score.shape == (CLASSES,) and score.min() >= 0 and score.max() <= 1
    assert recognizer.cls_head.multi_class or score.sum().item() == pytest.approx(1, abs=1e-4)
    assert sample.pred_label.tolist() == [score.argmax().item()]
    recognizer.cls_head.average_clips = None
    (sample,) = recognizer.test_step(batch(recognizer, views=3))
    assert sample.pred_score.shape == (3, CLASSES)


@torch.no_grad()
def test_views_are_averaged_and_may_come_in_parts(recognizer):
    """Also with ``fcn_test``, which is for heads that average over places."""
    recognizer.eval()
    recognizer.cls_head.average_clips = 'prob'
    data = batch(recognizer, views=3, videos=2)
    whole = recognizer.test_step(data)
    recognizer.cls_head.average_clips = None
    alone = recognizer.test_step(batch(recognizer, views=3, videos=2))
    for sample, views in zip(whole, alone):  # of one label the scores of views are logits
        scores = views.pred_score if recognizer.cls_head.multi_class else views.pred_score.softmax(1)
        torch.testing.assert_close(sample.pred_score, scores.mean(0), rtol=1e-4, atol=1e-6)
    recognizer.cls_head.average_clips = 'prob'
    recognizer.test_cfg = dict(max_testing_views=4, fcn_test=True)
    for sample, expected in zip(recognizer.test_step(batch(recognizer, views=3, videos=2)), whole):
        torch.testing.assert_close(sample.pred_score, expected.pred_score, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_modes_of_forward(recognizer):
    recognizer.eval()
    data = recognizer.data_preprocessor(batch(recognizer, videos=2))
    losses = recognizer(**data, mode='loss')
    assert losses['loss_cls'].isfinite()
    scores = [sample.pred_score for sample in recognizer(**data, mode='predict')]
    features = recognizer(data['inputs'])
    torch.testing.assert_close(recognizer(data['inputs'], stage='neck'), features)
    logits = recognizer(data['inputs'], stage='head')
    assert logits.shape == (2, CLASSES)
    probabilities = logits.sigmoid() if recognizer.cls_head.multi_class else logits.softmax(1)
    torch.testing.assert_close(probabilities, torch.stack(scores), rtol=1e-4, atol=1e-6)
    with pytest.raises(RuntimeError, match='Invalid mode'):
        recognizer(**data, mode='invalid')


@torch.no_grad()
def test_features(recognizer):
    """Those that ``test_cfg`` asks for, and a ``FeatureHead`` gives."""
    recognizer.eval()
    recognizer.test_cfg = dict(feature_extraction=True, max_testing_views=4)
    given = recognizer.test_step(batch(recognizer, views=3, videos=2))
    assert given.shape == (2, recognizer.backbone.num_features)
    maps = recognizer(recognizer.data_preprocessor(batch(recognizer, views=3, videos=2))['inputs'])
    maps = maps[0] if isinstance(maps, tuple) else maps
    expected = maps.flatten(2).mean(2) if maps.ndim == 5 else maps
    torch.testing.assert_close(given, expected.unflatten(0, (2, 3)).mean(1), rtol=1e-4, atol=1e-5)
    recognizer.test_cfg = None
    recognizer.cls_head = FeatureHead(average_clips='score')
    (alone,) = recognizer.test_step(batch(recognizer, views=3))
    torch.testing.assert_close(alone, given[0], rtol=1e-4, atol=1e-5)
