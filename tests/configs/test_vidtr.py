import numpy as np
import pytest
import torch
from mmaction.registry import METRICS, MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from mmdualformer.analysis import count_cost
from mmdualformer.papers.conventions import count_vidtr
from tests.helpers import REPO, build_backbone, config_text

# config: paper's GFLOPs a view, what its convention gives here, and the true multiply-adds, both in 1e9
COSTS = {
    'vidtr_s_k400': (89, 89.7, 158.2),
    'vidtr_m_k400': (179, 179.4, 299.5),
    'vidtr_l_k400': (351, 358.8, 583.4),
    'vidtr_s_vanilla_k400': (89, 89.7, 179.6),
    'cvidtr_s_k400': (39, 39.8, 64.6),
    'cvidtr_m_k400': (None, 46.2, 77.2),  # 59
    'ablations/vidtr/vidtr_s_k400_patch_4x16x16': (23, 23.1, 53.3),
    'ablations/vidtr/vidtr_s_k400_patch_2x16x16': (45, 45.3, 88.3),
    'ablations/vidtr/vidtr_s_k400_patch_1x32x32': (None, 23.1, 39.6),  # 21
    'ablations/vidtr/vidtr_s_k400_spatial': (89, 89.7, 140.5),
    'ablations/vidtr/vidtr_s_k400_axial': (89, 89.7, 174.4),
    'ablations/vidtr/vidtr_s_k400_vit_l': (None, 316.9, 554.6),  # 358
    'ablations/vidtr/vidtr_s_k400_t2t_vit_14': (None, 19.9, 41.0),  # 34
    'ablations/vidtr/vidtr_s_k400_t2t_vit_19': (None, 36.4, 74.4),  # 34
    'ablations/vidtr/vidtr_s_k400_t2t_vit_24': (None, 59.8, 121.1),  # 34
    'ablations/vidtr/cvidtr_s_k400_avg': (None, 32.4, 53.3),
    'ablations/vidtr/cvidtr_s_k400_conv': (None, 32.4, 53.3),
    'ablations/vidtr/cvidtr_s_k400_pool_1_2_4': (None, 36.1, 58.9),
    'ablations/vidtr/cvidtr_s_k400_pool_0_2': (26, 26.8, 44.7),
    'ablations/vidtr/cvidtr_s_k400_pool_1_3': (32, 32.4, 53.3),
    'ablations/vidtr/cvidtr_s_k400_pool_2_4': (None, 37.9, 61.8),  # 47
    'ablations/vidtr/cvidtr_s_k400_pool_6_8': (60, 60.1, 96.1),
    'ablations/vidtr/cvidtr_s_k400_pool_1_2': (30, 30.5, 50.5),
    'ablations/vidtr/cvidtr_s_k400_pool_1_4': (None, 34.2, 56.0),  # 33
    'ablations/vidtr/cvidtr_s_k400_pool_1_5': (None, 36.1, 58.8),  # 34
}


@pytest.mark.parametrize('name', COSTS)
def test_costs_in_truth_and_in_the_papers_convention(name):
    """Tables 2, 3 and 5; a cell of the paper is met, or the config says that it is not."""
    paper, convention, macs = COSTS[name]
    path = REPO / f'configs/{name}.py'
    cfg = Config.fromfile(path)
    backbone = build_backbone(cfg)
    shape = (1, 3, cfg.test_pipeline[1].clip_len, 224, 224)
    assert backbone.grid_embed.size[0] * backbone.patch_embed.kernel_size[0] == shape[2]
    assert count_vidtr(backbone, shape) / 1e9 == pytest.approx(convention, abs=0.06)
    assert count_cost(backbone, shape).macs / 1e9 == pytest.approx(macs, abs=0.06)
    if paper:
        assert convention == pytest.approx(paper, rel=0.035)  # the paper seems to cut off what follows the point
    assert f"Here: {convention} in the paper's convention, {macs} multiply-adds" in config_text(path)


def test_the_convention_misses_attention_and_class_tokens_by_hand():
    cfg = Config.fromfile(REPO / 'configs/vidtr_s_k400.py')
    assert count_vidtr(build_backbone(cfg), (2, 3, 8, 224, 224)) == 2 * 8 * 196 * (
        16 * 16 * 3 * 768 + 12 * 2 * 768 * 3072
    )


@pytest.mark.parametrize(
    ('name', 'input'),
    [
        ('vidtr_s_k400', '8x8'),
        ('vidtr_m_k400', '16x4'),
        ('vidtr_l_k400', '32x2'),
        ('vidtr_s_vanilla_k400', '8x8'),
        ('cvidtr_s_k400', '8x8'),
        ('cvidtr_m_k400', '16x4'),
        ('vidtr_s_k700', '8x8'),
        ('vidtr_m_k700', '16x4'),
        ('vidtr_l_k700', '32x2'),
        ('vidtr_l_charades', '32x4'),
        ('vidtr_m_ucf101', '16x4'),
        ('vidtr_l_ucf101', '32x2'),
        ('vidtr_m_hmdb51', '16x4'),
        ('vidtr_l_hmdb51', '32x2'),
    ],
)
def test_inputs_views_and_schedules_of_the_paper(name, input):
    """Tables 1, 2, 3 and 6, and Section 3.3."""
    cfg = Config.fromfile(REPO / f'configs/{name}.py')
    data = {'k400': 'kinetics400', 'k700': 'kinetics700'}.get(name.split('_')[-1], name.split('_')[-1])
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        sample = cfg[loader].dataset.pipeline[1]
        assert f'{sample.clip_len}x{sample.frame_interval}' == input
        assert f'data/{data}/' in cfg[loader].dataset.ann_file
    assert cfg.test_pipeline[1].num_clips == 10 and cfg.test_pipeline[4].type == 'ThreeCrop'
    short = data in ('ucf101', 'hmdb51')
    assert cfg.train_cfg.max_epochs == (6 if short else 50)
    assert list(cfg.param_scheduler[0].milestones) == ([3, 5] if short else [25, 40])
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ('SGD', 0.01, 1e-5)
    assert 64 * cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 384
    if data != 'kinetics400':
        assert cfg.load_from == f'checkpoints/vidtr_{name.split("_")[1]}_k400.pth'


@pytest.mark.parametrize(('size', 'frames'), [('m', 16), ('l', 32)])
def test_something_something_is_sampled_all_over_the_video_and_not_flipped(size, frames):
    cfg = Config.fromfile(REPO / f'configs/vidtr_{size}_sthv2.py')
    for pipeline in (cfg.train_pipeline, cfg.val_pipeline, cfg.test_pipeline):
        assert pipeline[1].type == 'UniformSample' and pipeline[1].clip_len == frames
        assert 'Flip' not in [step.type for step in pipeline]
    assert cfg.train_dataloader.dataset.pipeline == cfg.train_pipeline
    assert cfg.test_pipeline[1].num_clips == 10 and cfg.test_pipeline[4].type == 'ThreeCrop'
    assert cfg.model.cls_head.num_classes == 174


@pytest.mark.filterwarnings('ignore:invalid value')  # AccMetric's, of classes without a positive
def test_charades_learns_several_labels_and_is_measured_by_average_precision():
    cfg = Config.fromfile(REPO / 'configs/vidtr_l_charades.py')
    assert cfg.train_dataloader.dataset.multi_class and cfg.train_dataloader.dataset.num_classes == 157
    init_default_scope('mmaction')
    head = MODELS.build(cfg.model.cls_head).eval()
    torch.manual_seed(0)
    tokens = torch.randn(4, 768)
    labels = torch.zeros(4, 157)
    labels[[0, 1, 2, 3, 3], [0, 1, 0, 2, 1]] = 1.0
    samples = [ActionDataSample().set_gt_label(label) for label in labels]
    loss = head.loss(tokens, samples)['loss_cls']
    torch.testing.assert_close(loss, torch.nn.functional.binary_cross_entropy_with_logits(head(tokens), labels))

    metric = METRICS.build(cfg.test_evaluator)
    predictions = head.predict(tokens.repeat_interleave(2, 0), samples)  # two views of each
    torch.testing.assert_close(predictions[0].pred_score, head(tokens)[0].sigmoid())
    metric.process(None, [dict(pred_score=label, gt_label=label) for label in labels])
    assert metric.evaluate(4)['acc/mean_average_precision'] == pytest.approx(np.float64(1))


@pytest.mark.parametrize(('name', 'frames'), [('vidtr_s_k400', 8), ('vidtr_m_sthv2', 16)])
def test_pipelines_make_the_views_of_a_real_clip(name, frames, clip_file):
    cfg = Config.fromfile(REPO / f'configs/{name}.py')
    init_default_scope('mmaction')
    video = dict(filename=clip_file, label=3, start_index=0, modality='RGB')
    for pipeline, views in ((cfg.train_pipeline, 1), (cfg.val_pipeline, 1), (cfg.test_pipeline, 30)):
        sample = Compose(pipeline)(dict(video))
        assert sample['inputs'].shape == (views, 3, frames, 224, 224)
