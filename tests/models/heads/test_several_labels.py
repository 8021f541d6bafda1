"""Heads of several labels give the probability of each class, in everything that is put out."""

import json
import runpy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmaction.apis import ActionRecogInferencer, inference_recognizer, init_recognizer
from mmaction.engine.hooks import VisualizationHook
from mmaction.evaluation import mean_average_precision
from mmaction.models import I3DHead
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config

from tests.helpers import REPO

LOGITS = (2.0, -1.0, 0.5)
SHARES = [0.8808, 0.2689, 0.6225]


@pytest.mark.parametrize('head', ['I3DHead', 'TimeSformerHead', 'VideoMobileFormerHead', 'TokenLabelHead'])
def test_scores_are_probabilities_of_each_class(head):
    options = dict(num_token_labels=1) if head == 'TokenLabelHead' else {}
    head = MODELS.build(dict(type=head, num_classes=2, in_channels=4, multi_class=True, **options))
    views = torch.tensor([[2.0, 0.0], [-1.0, 0.0], [40.0, -3.0], [40.0, -1.0]])  # two of each of two videos
    for average_clips, expected in (
        ('score', [[0.6225, 0.5], [1.0, 0.1192]]),  # of the mean logit, 0.5 and 0
        ('prob', [[0.5748, 0.5], [1.0, 0.1582]]),  # 0.8808 and 0.2689
        (None, [[[0.8808, 0.5], [0.2689, 0.5]], [[1.0, 0.0474], [1.0, 0.2689]]]),
    ):
        head.average_clips = average_clips
        samples = head.predict_by_feat(views, [ActionDataSample() for _ in range(2)])
        if average_clips is None:
            torch.testing.assert_close(head.average_clip(views, 2), torch.tensor(expected), atol=1e-4, rtol=0)
        else:
            scores = torch.stack([sample.pred_score for sample in samples])
            torch.testing.assert_close(scores, torch.tensor(expected), atol=1e-4, rtol=0)
            assert [sample.pred_label.item() for sample in samples] == [0, 0]
    assert head.average_clip(views.half(), 2).dtype == torch.float32
    head.average_clips = 'maximum'
    with pytest.raises(ValueError, match='maximum is not supported'):
        head.average_clip(views, 2)


def test_the_average_precision_is_that_of_the_mean_logits():
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(40, 3, 5))).float()
    labels = [row.astype(float) for row in rng.random((40, 5)) < 0.4]
    head = I3DHead(num_classes=5, in_channels=4, multi_class=True, average_clips='score')
    scores = head.average_clip(logits.flatten(0, 1), 3)
    expected = mean_average_precision(list(logits.mean(1).numpy()), labels)
    assert mean_average_precision(list(scores.numpy()), labels) == expected
    head.average_clips = 'prob'
    assert mean_average_precision(list(head.average_clip(logits.flatten(0, 1), 3).numpy()), labels) != expected


def test_one_label_is_scored_as_before():
    head = I3DHead(num_classes=2, in_channels=4, average_clips='prob')
    assert head.average_clip(torch.zeros(2, 2), 2).tolist() == [[0.5, 0.5]]
    head.average_clips = 'score'
    assert head.average_clip(torch.tensor([[4.0, -3.0], [0.0, -1.0]]), 2).tolist() == [[2.0, -2.0]]


@pytest.fixture
def trained(motion_root, tmp_path):
    """The config and the checkpoint of a model of three labels, whose logits are those above for every clip."""
    (tmp_path / 'list.txt').write_text(f'{next(motion_root.glob("videos_val/*.mp4"))} 0 1\n')
    config = tmp_path / 'several.py'
    config.write_text(f"""
_base_ = {str(REPO / 'configs/dualformer_micro_motion.py')!r}
model = dict(
    cls_head=dict(
        num_classes=3, multi_class=True, loss_cls=dict(type='BCELossWithLogits'), average_clips='score'))
several = dict(ann_file={str(tmp_path / 'list.txt')!r}, data_root='', data_prefix=dict(video=''), multi_class=True,
    num_classes=3)
val_dataloader = dict(dataset=several, num_workers=0, persistent_workers=False)
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(
    _delete_=True, type='RobustAccMetric', metric_list='mean_average_precision')
""")
    model = init_recognizer(str(config), device='cpu')
    torch.nn.init.zeros_(model.cls_head.fc_cls.weight)
    model.cls_head.fc_cls.bias.data = torch.tensor(LOGITS)
    torch.save(
        dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=('run', 'sit', 'eat')))),
        tmp_path / 'several.pth',
    )
    return config, tmp_path / 'several.pth'


def test_predictions_that_are_printed(trained, clip_file, fork_tool):
    result = fork_tool('tools/recognize.py', *trained, clip_file, '--topk', 1)
    assert result.stdout == f'{clip_file}\n*  88.08%  run\n*  62.25%  eat\n', result.stderr
    result = fork_tool('tools/recognize.py', *trained, clip_file)
    assert result.stdout.splitlines()[1:] == ['*  88.08%  run', '*  62.25%  eat', '   26.89%  sit']
    config = trained[0]
    config.write_text(
        config.read_text().replace('multi_class=True, loss', 'loss').replace('BCELossWithLogits', 'CrossEntropyLoss')
    )
    result = fork_tool('tools/recognize.py', *trained, clip_file)  # of a head whose scores are logits
    assert result.stdout.splitlines()[1:] == ['   78.56%  run', '   17.53%  eat', '    3.91%  sit']


@pytest.mark.parametrize(
    ('label', 'truth', 'predicted'), [([1.0, 1.0, 0.0], [0, 1], [0, 2]), ([1], [1], [0])], ids=['several', 'one']
)
def test_predictions_that_are_drawn(label, truth, predicted):
    drawn = []
    hook = SimpleNamespace(enable=True, interval=1, out_dir=None, draw_args=dict(show=False))
    hook._visualizer = SimpleNamespace(add_datasample=lambda name, data_sample, **_: drawn.append(data_sample))
    sample = ActionDataSample().set_gt_label(torch.tensor(label)).set_pred_score(torch.tensor(SHARES)).set_pred_label(0)
    VisualizationHook._draw_samples(hook, 0, dict(inputs=[torch.zeros(1, 3, 2, 8, 8)]), [sample])
    assert drawn[0].pred_labels.item.tolist() == predicted and drawn[0].gt_label.tolist() == truth
    assert drawn[0].pred_labels.score.tolist() == pytest.approx(SHARES)
    assert {'pred_labels', 'gt_labels'} <= set(drawn[0].keys()) and sample.gt_label.tolist() == label  # as it was


def test_predictions_in_python(trained, clip_file):
    config, checkpoint = map(str, trained)
    sample = inference_recognizer(init_recognizer(config, checkpoint, device='cpu'), clip_file)
    assert sample.pred_score.tolist() == pytest.approx(SHARES, abs=1e-4)
    (prediction,) = ActionRecogInferencer(config, checkpoint, device='cpu')(clip_file)['predictions']
    assert prediction['pred_scores'] == pytest.approx(SHARES, abs=1e-4)


def test_an_exported_file_says_how_its_logits_become_probabilities():
    describe_input = runpy.run_path(str(REPO / 'tools/export_onnx.py'))['describe_input']
    for config, activation in (('vidtr_l_charades', 'sigmoid'), ('vidtr_s_k400', 'softmax')):
        described = describe_input(Config.fromfile(REPO / f'configs/{config}.py'))
        assert json.loads(described['activation']) == activation
