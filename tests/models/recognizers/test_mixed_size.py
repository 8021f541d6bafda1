import pytest
import torch
from mmaction.models import FeatureHead
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.errors import UserError
from tests.helpers import REPO


def build(**preprocessor):
    """The quick start's recognizer, without dropout."""
    cfg = Config.fromfile(REPO / 'configs/dualformer_micro_motion.py').model
    cfg.data_preprocessor.update(preprocessor)
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    return model.double()


def batch(sizes):
    """Clips of ``(views, frames, height, width)``, as a data loader collates them."""
    torch.manual_seed(1)
    clips = [torch.randint(0, 256, (views, 3, *size), dtype=torch.uint8) for views, *size in sizes]
    return dict(inputs=clips, data_samples=[ActionDataSample().set_gt_label(i % 8) for i in range(len(clips))])


SIZES = [(1, 18, 32, 32), (1, 12, 32, 48), (2, 18, 32, 32), (1, 18, 32, 32), (1, 1, 40, 20)]


def test_a_clip_scores_the_same_alone_and_in_a_batch_of_mixed_sizes():
    model = build().eval()
    together = model.test_step(batch(SIZES))
    for i, sample in enumerate(together):
        data = batch(SIZES)
        (alone,) = model.test_step({key: values[i : i + 1] for key, values in data.items()})
        torch.testing.assert_close(sample.pred_score, alone.pred_score, rtol=1e-10, atol=1e-12)
        assert torch.equal(sample.gt_label, alone.gt_label)
    assert len({sample.pred_score[0].item() for sample in together}) == len(SIZES)


def test_the_loss_of_a_mixed_batch_is_the_mean_over_its_clips():
    model = build()
    data = model.data_preprocessor(batch(SIZES[:2] + SIZES[3:]), training=True)
    together = model(**data, mode='loss')
    alone = []
    for i in range(4):
        one = model.data_preprocessor({key: values[i : i + 1] for key, values in batch(SIZES[:2] + SIZES[3:]).items()})
        alone.append(model(**one, mode='loss'))
    for name in ('loss_cls', 'top1_acc'):
        mean = sum(losses[name] for losses in alone) / 4
        torch.testing.assert_close(together[name], mean, check_dtype=False)
    together['loss_cls'].backward()
    assert all(p.grad is not None for p in model.parameters())


def test_features_of_a_mixed_batch_stand_in_its_order():
    model = build().eval()
    data = model.data_preprocessor(batch(SIZES))
    features = model(data['inputs'], data['data_samples'])
    for clip, feature in zip(data['inputs'], features):
        torch.testing.assert_close(feature, model(clip[None]))


def test_a_head_for_features_predicts_those_of_each_clip():
    model = build().eval()
    model.cls_head = FeatureHead(average_clips='score').double()
    together = model.test_step(batch(SIZES))
    for i, feature in enumerate(together):
        (alone,) = model.test_step({key: values[i : i + 1] for key, values in batch(SIZES).items()})
        torch.testing.assert_close(feature, alone)
    assert len(together) == len(SIZES)


@pytest.mark.parametrize('recognizer', ['MixedSizeRecognizer3D', 'TokenLabelRecognizer3D'])
@pytest.mark.parametrize('family', ['dualformer', 'vmf', 'mobile3d', 'vidtr', 'cvidtr'])
def test_views_in_parts_give_what_they_give_together(family, recognizer):
    cfg = Config.fromfile(REPO / f'configs/{family}_micro_motion.py').model
    cfg.type = recognizer
    if recognizer == 'TokenLabelRecognizer3D' and family == 'dualformer':
        cfg.cls_head.type = 'TokenLabelHead'
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(cfg).eval()
    runs = []
    model.backbone.register_forward_pre_hook(lambda _, inputs: runs.append(len(inputs[0])))
    for head in (model.cls_head, FeatureHead(average_clips='score')):
        model.cls_head = head
        outputs = []
        for views, parts in ((None, [4, 3]), (2, [2, 2, 2, 1])):
            model.test_cfg = dict(max_testing_views=views)
            runs.clear()
            with torch.no_grad():
                predicted = model.test_step(batch([(2, 18, 32, 32)] * 2 + [(3, 12, 32, 32)]))
            assert runs == parts
            outputs.append([x if isinstance(x, torch.Tensor) else x.pred_score for x in predicted])
        assert not outputs[0][0].eq(outputs[0][1]).all()
        torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-5, atol=1e-6)


def test_features_may_be_pairs():
    """Those of Video Mobile-Former are a map and tokens."""
    cfg = Config.fromfile(REPO / 'configs/vmf_1g_k400.py').model
    init_default_scope('mmaction')
    model = MODELS.build(cfg).eval()
    clips = [torch.randn(1, 3, 8, 32, 32), torch.randn(1, 3, 8, 48, 32)]
    with torch.no_grad():
        together = model(clips)
        for clip, (features, tokens) in zip(clips, together):
            alone = model(clip[None])
            torch.testing.assert_close(features, alone[0])
            torch.testing.assert_close(tokens, alone[1])


def test_a_batch_of_one_size_is_one_tensor():
    model = build()
    data = model.data_preprocessor(batch(SIZES[:1] * 3))
    assert data['inputs'].shape == (3, 1, 3, 18, 32, 32)


def test_blending_needs_one_size():
    model = build(blending=dict(type='MixupBlending', num_classes=8))
    model.data_preprocessor(batch(SIZES), training=False)
    for training, labels in ((False, (1,)), (True, (8,))):
        data = model.data_preprocessor(batch(SIZES[:1] * 2), training=training)
        assert data['data_samples'][0].gt_label.shape == labels
    with pytest.raises(UserError, match=r'blending needs clips of one size, not of 1 x 40 x 20, 12 x 32 x 48'):
        model.data_preprocessor(batch(SIZES), training=True)
