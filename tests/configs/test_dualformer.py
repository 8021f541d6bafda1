import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.analysis import count_cost
from mmdualformer.checkpoints.inflate import inflate
from mmdualformer.weights import check_checkpoint
from tests.helpers import REPO, build_backbone, config_text


@pytest.mark.parametrize(
    ('size', 'params', 'gflops', 'decay', 'drop_path'),
    [('t', 21.8, 240, 0.02, 0.1), ('s', 48.9, 636, 0.02, 0.2), ('b', 86.8, 1072, 0.05, 0.3)],
)
def test_kinetics_400_recipe_of_the_paper(size, params, gflops, decay, drop_path):
    """Table 1 and Section 4.2."""
    cfg = Config.fromfile(REPO / f'configs/dualformer_{size}_k400.py')
    backbone = build_backbone(cfg)
    cost = count_cost(backbone, (1, 3, 32, 224, 224))
    views = cfg.test_pipeline[1].num_clips
    assert views == 4
    assert cost.params / 1e6 == pytest.approx(params, abs=0.05)
    assert views * cost.flops / 1e9 == pytest.approx(gflops, rel=0.01)  # the paper prints rounded views
    assert cfg.optim_wrapper.optimizer.weight_decay == decay
    assert cfg.model.backbone.drop_path_rate == drop_path
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert 8 * cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 64


def test_learning_rates_and_decay_of_each_kind_of_parameter():
    from mmengine.optim import build_optim_wrapper

    cfg = Config.fromfile(REPO / 'configs/dualformer_t_k400.py')
    cfg.model.backbone.update(arch=dict(embed_dims=(8, 8, 8, 8), num_blocks=(1, 1, 1, 1), num_heads=(1, 1, 1, 1)))
    cfg.model.cls_head.in_channels = 8
    init_default_scope('mmaction')
    model = MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    settings = {id(group['params'][0]): (group['lr'], group['weight_decay']) for group in groups}
    assert len(settings) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        undecayed = 'norm' in name or 'peg' in name
        expected = (1e-4 if name.startswith('backbone.') else 1e-3, 0 if undecayed else 0.02)
        assert settings[id(parameter)] == pytest.approx(expected), name


def test_learning_rates_and_decay_as_released():
    """Longest key first: the PEG learns like the head, and norms are decayed."""
    from mmengine.optim import build_optim_wrapper

    cfg = Config.fromfile(REPO / 'configs/released/dualformer_t_k400_released.py')
    cfg.model.backbone.update(arch=dict(embed_dims=(8, 8, 8, 8), num_blocks=(1, 1, 1, 1), num_heads=(1, 1, 1, 1)))
    cfg.model.cls_head.in_channels = 8
    init_default_scope('mmaction')
    model = MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    settings = {id(group['params'][0]): (group['lr'], group['weight_decay']) for group in groups}
    assert len(settings) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        in_backbone = name.startswith('backbone.') and '.peg.' not in name
        expected = (1e-4 if in_backbone else 1e-3, 0 if '.peg.' in name else 0.02)
        assert settings[id(parameter)] == pytest.approx(expected), name


@pytest.mark.parametrize(
    ('name', 'warmup', 'epochs', 'batch'),
    [
        ('dualformer_t_k400', 3, 30, 64),
        ('dualformer_s_k400', 2.5, 30, 64),
        ('dualformer_t_k400_tokenlabel', 3, 30, 128),
        ('dualformer_s_k400_tokenlabel', 2.5, 30, 64),
        ('dualformer_s_diving48', 1, 30, 64),
        ('dualformer_s_hmdb51', 1, 16, 128),
        ('dualformer_s_ucf101', 1, 16, 128),
        ('dualformer_t_ucf101', 1, 16, 128),
    ],
)
def test_released_cosines_run_from_epoch_0_by_epoch(name, warmup, epochs, batch):
    """As mmcv 1.3: the cosine of the epoch, times a line from 0.1 to 1 over the iterations of the warm-up."""
    from mmaction.registry import PARAM_SCHEDULERS

    cfg = Config.fromfile(REPO / f'configs/released/{name}_released.py')
    init_default_scope('mmaction')
    assert 8 * cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == batch
    steps = 200
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    schedulers = []
    for settings in cfg.param_scheduler:
        kind = PARAM_SCHEDULERS.get(settings.pop('type'))
        by_iteration = settings.pop('convert_to_iter_based', False)
        build = partial(kind.build_iter_from_epoch, epoch_length=steps) if by_iteration else kind
        schedulers.append((by_iteration, build(optimizer, **settings)))
    for epoch in range(epochs):
        cosine = 1e-3 * (1 + math.cos(math.pi * epoch / epochs)) / 2
        for step in range(steps):
            expected = cosine * min(0.1 + 0.9 * (epoch * steps + step) / (warmup * steps), 1)
            assert optimizer.param_groups[0]['lr'] == pytest.approx(expected, rel=0.006), (epoch, step)
            optimizer.step()
            for by_iteration, scheduler in schedulers:
                if by_iteration or step == steps - 1:
                    scheduler.step()


@pytest.mark.parametrize(
    ('name', 'gflops', 'params', 'paper'),
    [
        ('ll_ll_ll_ll', 245.7, 21.73, 244),
        ('gg_gg_gg_gg', 226.7, 21.82, 228),
        ('ll_ll_lg_lg', 236.9, 21.75, 236),
        ('lg_lg_ll_ll', 245.0, 21.75, 244),
        ('coarse_only', 225.2, 21.76, 224),
        ('fine_only', 233.7, 21.76, 232),
        ('window_4x7x7', 225.2, 21.77, 224),
        ('window_16x7x7', 270.6, 21.77, 272),
        ('window_8x14x14', 323.4, 21.77, 324),
        ('16x4', 112.0, 21.77, 112),
        ('16x4_window_4x7x7', 104.4, 21.77, 104),
        ('avgpool', 236.1, 21.73, 4 * 59),
        ('conv', 245.2, 27.59, 4 * 61),
        ('no_peg', 239.7, 21.74, None),
        ('relative_bias', 239.7, 21.94, None),
        ('patch_4x4x4', 112.6, 21.77, 112),
        ('pool_2_1_1', 136.2, 21.80, 136),
        ('pool_1_2_1', 153.0, 21.90, 152),
        ('pool_1_1_2', 215.5, 22.29, 216),
    ],
)
def test_ablations_of_the_paper_cost_what_they_say(name, gflops, params, paper):
    """Tables 3 to 7: four views of DualFormer-T; the paper prints a view's GFLOPs, rounded, times four."""
    path = REPO / f'configs/ablations/dualformer/dualformer_t_k400_{name}.py'
    cfg = Config.fromfile(path)
    backbone = build_backbone(cfg)
    sample = cfg.test_pipeline[1]
    cost = count_cost(backbone, (1, 3, sample.clip_len, 224, 224))
    assert sample.num_clips * cost.flops / 1e9 == pytest.approx(gflops, abs=0.06)
    assert cost.params / 1e6 == pytest.approx(params, abs=0.006)
    if paper:
        assert sample.num_clips * round(cost.flops / 1e9) == paper
        said = config_text(path)
        assert f'Here: {gflops}' in said or f'Here: {cost.flops / 1e9:.1f}' in said
    assert sample.clip_len == cfg.train_pipeline[1].clip_len == cfg.model.backbone.clip_size[0]


@pytest.mark.parametrize('data', ['diving48', 'hmdb51', 'ucf101'])
@pytest.mark.parametrize(
    ('model', 'input', 'views'), [('t', '16x4', '4x1'), ('s', '32x4', '4x1'), ('s', '32x4', '4x3')]
)
def test_inputs_and_views_of_table_2(data, model, input, views):
    name = f'dualformer_{model}_{data}' + ('_4x3' if views == '4x3' else '')
    cfg = Config.fromfile(REPO / f'configs/{name}.py')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        sample = cfg[loader].dataset.pipeline[1]
        assert f'{sample.clip_len}x{sample.frame_interval}' == input
        assert f'data/{data}/' in cfg[loader].dataset.ann_file
    crops = {'CenterCrop': 1, 'ThreeCrop': 3}[cfg.test_pipeline[4].type]
    assert f'{cfg.test_pipeline[1].num_clips}x{crops}' == views
    assert cfg.train_cfg.max_epochs == 16 and cfg.param_scheduler[0].end == 1
    assert cfg.load_from == f'checkpoints/dualformer_{model}_k400.pth'


@pytest.mark.parametrize('data', ['diving48', 'hmdb51', 'ucf101'])
def test_a_checkpoint_of_32_frames_starts_the_fine_tuning_on_16(data, tmp_path):
    """Table 2's DualFormer-T: the backbone of Kinetics-400, whose kernels are those of 32 frames, costs 28 GFLOPs."""
    torch.manual_seed(0)
    init_default_scope('mmaction')
    trained = MODELS.build(Config.fromfile(REPO / 'configs/dualformer_t_k400.py').model)
    torch.save(dict(state_dict=trained.state_dict()), tmp_path / 'k400.pth')
    cfg = Config.fromfile(REPO / f'configs/dualformer_t_{data}.py')
    model = MODELS.build(cfg.model)
    check_checkpoint(model, str(tmp_path / 'k400.pth'), prefix='backbone.')
    assert cfg.train_pipeline[1].clip_len == 16
    with torch.device('meta'):
        assert round(count_cost(build_backbone(cfg), (1, 3, 16, 224, 224)).flops / 1e9) == 28


@pytest.mark.parametrize(
    ('name', 'gflops', 'params', 'paper'),
    [
        ('t_in1k', 2.9, 22.2, 'Paper: 81.9 %, 4.2 GFLOPs, 22 M parameters'),
        ('s_in1k', 8.3, 49.6, 'Paper: 83.5 %, 8.1 GFLOPs, 50 M parameters'),
        ('b_in1k', 14.6, 87.8, 'Paper: 84.0 %, 14.7 GFLOPs, 88 M parameters'),
        ('b_in21k', 14.6, 109.2, ''),
    ],
)
def test_image_models_of_the_supplement(name, gflops, params, paper):
    """Table 1 and Section A.2 of the supplement."""
    path = REPO / f'configs/dualformer_{name}.py'
    cfg = Config.fromfile(path)
    init_default_scope('mmaction')
    blending = cfg.model.data_preprocessor.pop('blending')
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert count_cost(model.backbone, (1, 3, 1, 224, 224)).flops / 1e9 == pytest.approx(gflops, abs=0.05)
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(params, abs=0.05)
    said = ' '.join(path.read_text().replace('#', ' ').split())
    assert paper in said
    assert not paper or (f'Here: {gflops} GFLOPs' in said and f'{params} M' in said)

    large = name.endswith('21k')
    assert cfg.model.cls_head.num_classes == (21841 if large else 1000)
    assert cfg.model.cls_head.label_smooth_eps == 0.1
    assert [(augment.type, augment.num_classes, augment.alpha) for augment in blending.augments] == [
        ('MixupBlending', cfg.model.cls_head.num_classes, 0.8),
        ('CutmixBlending', cfg.model.cls_head.num_classes, 1.0),
    ]
    assert cfg.model.backbone.drop_path_rate == (0.2 if large else 0.1)
    assert 8 * cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 1024
    assert cfg.optim_wrapper.optimizer.weight_decay == (0.01 if large else 0.05)
    assert cfg.train_cfg.max_epochs == (100 if large else 300)
    assert cfg.randomness.diff_rank_seed


@pytest.mark.parametrize(
    ('name', 'points'),
    [
        ('t_in1k', {0: 1e-6, 10: 5e-4, 20: 1e-3, 160: (1e-3 + 1e-5) / 2, 300: 1e-5}),
        ('b_in21k', {0: 5e-7, 5: 5e-4, 52.5: 0.505 * 5e-4, 100: 5e-6}),
    ],
)
def test_learning_rates_of_image_models(name, points):
    """Linear warm-up, then the cosine of ImageNet-1K or the line of ImageNet-21K; by iteration."""
    from mmaction.registry import PARAM_SCHEDULERS

    cfg = Config.fromfile(REPO / f'configs/dualformer_{name}.py')
    init_default_scope('mmaction')
    steps = 100
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr)
    schedulers = []
    for settings in cfg.param_scheduler:
        kind = PARAM_SCHEDULERS.get(settings.pop('type'))
        settings.pop('convert_to_iter_based')
        schedulers.append(kind.build_iter_from_epoch(optimizer, epoch_length=steps, **settings))
    rates = []
    for _ in range(cfg.train_cfg.max_epochs * steps):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    for epoch, rate in points.items():
        assert rates[min(int(epoch * steps), len(rates) - 1)] == pytest.approx(rate, rel=0.01)


def test_weight_decay_of_image_models():
    """None on biases, norms and PEG, and one learning rate for all."""
    from mmengine.optim import build_optim_wrapper

    cfg = Config.fromfile(REPO / 'configs/dualformer_t_in1k.py')
    cfg.model.backbone.update(arch=dict(embed_dims=(8, 8, 8, 8), num_blocks=(1, 1, 1, 1), num_heads=(1, 1, 1, 1)))
    cfg.model.cls_head.in_channels = 8
    init_default_scope('mmaction')
    model = MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    settings = {id(parameter): group for group in groups for parameter in group['params']}
    assert len(settings) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        decay = 0 if parameter.ndim == 1 or 'peg' in name else 0.05
        assert settings[id(parameter)]['weight_decay'] == decay, name
        assert settings[id(parameter)]['lr'] == 1e-3


def test_the_loss_of_image_models_takes_blended_and_smoothed_labels():
    from mmaction.structures import ActionDataSample

    cfg = Config.fromfile(REPO / 'configs/dualformer_t_in1k.py')
    init_default_scope('mmaction')
    preprocessor, head = MODELS.build(cfg.model.data_preprocessor), MODELS.build(cfg.model.cls_head)
    labels = [3, 999, 0, 17]

    def batch() -> dict:
        clips = [torch.full((1, 3, 1, 8, 8), 10 * i, dtype=torch.uint8) for i in range(4)]
        return dict(inputs=clips, data_samples=[ActionDataSample().set_gt_label(label) for label in labels])

    torch.manual_seed(0)
    np.random.seed(0)
    for _ in range(4):  # both kinds of blending
        samples = preprocessor(batch(), training=True)['data_samples']
        soft = torch.stack([sample.gt_label for sample in samples])
        torch.testing.assert_close(soft[:, labels].sum(1), torch.ones(4))
        assert all(soft[i, label] > 0 for i, label in enumerate(labels))
        scores = torch.randn(4, 1000)
        expected = -((0.9 * soft + 0.1 / 1000) * scores.log_softmax(1)).sum(1).mean()
        torch.testing.assert_close(head.loss_by_feat(scores, samples)['loss_cls'], expected)
    assert [sample.gt_label.tolist() for sample in preprocessor(batch())['data_samples']] == [[3], [999], [0], [17]]


def test_the_released_ucf_101_model_starts_from_what_fits(tmp_path, monkeypatch):
    """Nine kernels of the model of 16 frames have another length than those of the Kinetics-400 model of 32."""
    monkeypatch.chdir(tmp_path)
    init_default_scope('mmaction')
    models = []
    for name in ('dualformer_t_k400', 'dualformer_t_ucf101'):
        cfg = Config.fromfile(REPO / f'configs/released/{name}_released.py')
        cfg.model.backbone.arch = dict(embed_dims=(8, 8, 8, 8), num_blocks=(1, 1, 5, 1), num_heads=(1, 1, 1, 1))
        cfg.model.cls_head.in_channels = 8
        models.append(MODELS.build(cfg.model))
    kinetics, ucf = models
    for parameter in kinetics.parameters():
        torch.nn.init.constant_(parameter, 0.625)
    Path('checkpoints').mkdir()
    torch.save(dict(state_dict=kinetics.state_dict()), 'checkpoints/dualformer_t_k400.pth')
    ucf.init_weights()
    random = [name for name, value in ucf.backbone.named_parameters() if (value != 0.625).any()]
    assert len(random) == 9 and all('.fine.weight' in name or '.coarse.down' in name for name in random)
    assert all(value.std() > 0 for name, value in ucf.backbone.named_parameters() if name in random)
    assert ucf.cls_head.fc_cls.weight.std() > 0


@pytest.mark.parametrize(
    ('name', 'size', 'image', 'paper'),
    [
        ('t_k400_in1k', 't', 't_in1k', '79.0 %'),
        ('s_k400_in1k', 's', 's_in1k', '80.3 %'),
        ('b_k400_in1k', 'b', 'b_in1k', '81.1 %'),
        ('b_k400_in21k', 'b', 'b_in21k', '82.9 %'),
        ('b_k600_in21k', 'b', 'b_in21k', '85.2 %'),
        ('t_diving48_in1k', 't', 't_in1k', '75.4 %'),
        ('t_hmdb51_in1k', 't', 't_in1k', '74.6 %'),
        ('t_ucf101_in1k', 't', 't_in1k', '96.3 %'),
    ],
)
def test_video_configs_start_from_the_image_models(name, size, image, paper):
    """Tables 1 and 2: one change to the config without ImageNet weights, and the shapes inflate."""
    path = REPO / f'configs/dualformer_{name}.py'
    cfg, base = Config.fromfile(path), Config.fromfile(REPO / f'configs/dualformer_{name.rsplit("_", 1)[0]}.py')
    init_cfg = cfg.model.backbone.pop('init_cfg')
    assert init_cfg == dict(type='Inflated', checkpoint=f'checkpoints/dualformer_{image}.pth')
    assert cfg.load_from is None
    assert {**cfg.to_dict(), 'load_from': None} == {**base.to_dict(), 'load_from': None}
    assert paper in path.read_text()
    images = Config.fromfile(REPO / f'configs/dualformer_{image}.py')
    init_default_scope('mmaction')
    with torch.device('meta'):
        weights, wanted = (MODELS.build(model.backbone).state_dict() for model in (images.model, cfg.model))
        assert inflate(weights, wanted).keys() == wanted.keys()
