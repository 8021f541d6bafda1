import itertools
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import init_default_scope

from mmdualformer.analysis import count_cost
from tests.helpers import REPO

CONFIGS = sorted(str(path.relative_to(REPO / 'configs')) for path in (REPO / 'configs').glob('[!_]*/*.py')) + sorted(
    path.name for path in (REPO / 'configs').glob('*.py'))


@pytest.mark.parametrize('name', CONFIGS)
def test_every_config_builds_and_classifies(name):
    """On the meta device: the recognizer of each config takes the clip that its test pipeline makes."""
    cfg = Config.fromfile(REPO / 'configs' / name)
    init_default_scope(cfg.default_scope)
    with torch.device('meta'):
        model = MODELS.build(cfg.model).eval()
        sample = next(step for step in cfg.test_pipeline if step.type in ('SampleFrames', 'UniformSample'))
        crop = next(step for step in cfg.test_pipeline if 'Crop' in step.type).crop_size
        feature = model.backbone(torch.empty(1, 3, sample.clip_len, crop, crop))
        assert model.cls_head(feature).shape == (1, cfg.model.cls_head.num_classes)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert cfg[loader].dataset.pipeline[-1].type == 'PackActionInputs'
    assert cfg.test_dataloader.dataset.pipeline == cfg.test_pipeline
    schedules = [(schedule.begin, schedule.end) for schedule in cfg.param_scheduler]
    assert schedules[0][0] == 0 and schedules[-1][1] == cfg.train_cfg.max_epochs
    assert all(first[1] == second[0] for first, second in itertools.pairwise(schedules))


@pytest.mark.parametrize(('size', 'params', 'gflops', 'decay', 'drop_path'),
                         [('t', 21.8, 240, 0.02, 0.1), ('s', 48.9, 636, 0.02, 0.2), ('b', 86.8, 1072, 0.05, 0.3)])
def test_kinetics_400_recipe_of_the_paper(size, params, gflops, decay, drop_path):
    """Table 1 and Section 4.2."""
    cfg = Config.fromfile(REPO / f'configs/dualformer_{size}_k400.py')
    init_default_scope('mmaction')
    with torch.device('meta'):
        backbone = MODELS.build(cfg.model.backbone)
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
    cfg.model.backbone.update(
        arch=dict(embed_dims=(8, 8, 8, 8), num_blocks=(1, 1, 1, 1), num_heads=(1, 1, 1, 1)))
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


def test_configs_by_package_name_from_any_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reference = Config.fromfile(REPO / 'configs/dualformer_b_k400.py')
    assert get_config('mmdualformer::dualformer_b_k400.py').model == reference.model

    Path('mine.py').write_text("_base_ = 'mmdualformer::dualformer_b_k400.py'\n"
                               'model = dict(cls_head=dict(num_classes=7))\n')
    mine = Config.fromfile('mine.py')
    assert mine.model.cls_head.num_classes == 7
    assert mine.model.backbone == reference.model.backbone

    Path('nested.py').write_text("_base_ = 'mmdualformer::ablations/dualformer_micro_motion_shuffled.py'\n")
    assert Config.fromfile('nested.py').train_pipeline[3].type == 'ShuffleFrames'
    Path('missing.py').write_text("_base_ = 'mmdualformer::dualformer_x_k400.py'\n")
    with pytest.raises(FileNotFoundError, match=r'dualformer_x_k400\.py'):
        Config.fromfile('missing.py')


@pytest.mark.parametrize('code', [
    'from mmengine.hub import get_config; cfg = get_config("mmdualformer::dualformer_b_k400.py")',
    'from mmengine.config import Config; cfg = Config.fromfile("mine.py")',
])
def test_configs_by_package_name_before_we_are_imported(tmp_path, code):
    (tmp_path / 'mine.py').write_text("_base_ = 'mmdualformer::dualformer_b_k400.py'\n")
    code += '; print(cfg.model.backbone.arch)'
    result = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == 'base', result.stderr
    assert result.stderr == ''


def test_starting_python_imports_neither_us_nor_mmengine():
    code = 'import sys; print(*sys.modules)'
    modules = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60).stdout.split()
    assert not {'mmdualformer', 'mmengine', 'torch', 'numpy'} & set(modules)


def test_configs_of_other_packages_are_found_as_before():
    assert get_config('mmaction::_base_/default_runtime.py').default_scope == 'mmaction'


@pytest.mark.parametrize(('name', 'gflops', 'params', 'paper'), [
    ('ll_ll_ll_ll', 245.7, 21.73, 244),
    ('gg_gg_gg_gg', 235.0, 21.81, 228),
    ('ll_ll_lg_lg', 241.1, 21.74, 236),
    ('lg_lg_ll_ll', 245.0, 21.75, 244),
    ('coarse_only', 225.2, 21.76, 224),
    ('fine_only', 233.7, 21.76, 232),
    ('window_4x7x7', 225.2, 21.77, 224),
    ('window_16x7x7', 270.6, 21.77, 272),
    ('window_8x14x14', 323.4, 21.77, 324),
    ('16x4', 119.5, 21.76, 112),
    ('16x4_window_4x7x7', 111.9, 21.76, 104),
    ('avgpool', 240.3, 21.73, 4 * 59),
    ('conv', 247.7, 26.54, 4 * 61),
    ('no_peg', 239.7, 21.74, None),
    ('relative_bias', 239.7, 21.94, None),
    ('patch_4x4x4', 120.1, 21.76, 112),
    ('pool_2_1_1', 141.2, 21.79, 136),
    ('pool_1_2_1', 156.7, 21.89, 152),
    ('pool_1_1_2', 215.5, 22.29, 216),
])
def test_ablations_of_the_paper_cost_what_they_say(name, gflops, params, paper):
    """Tables 3 to 7: four views of DualFormer-T; the paper's cell is met, or the config says by how much it is not."""
    path = REPO / f'configs/ablations/dualformer_t_k400_{name}.py'
    cfg = Config.fromfile(path)
    init_default_scope('mmaction')
    with torch.device('meta'):
        backbone = MODELS.build(cfg.model.backbone)
    sample = cfg.test_pipeline[1]
    cost = count_cost(backbone, (1, 3, sample.clip_len, 224, 224))
    assert sample.num_clips * cost.flops / 1e9 == pytest.approx(gflops, abs=0.06)
    assert cost.params / 1e6 == pytest.approx(params, abs=0.006)
    if paper:
        assert gflops == pytest.approx(paper, rel=0.08)
        said = ' '.join(path.read_text().replace('#', ' ').split())
        assert f'Here: {gflops}' in said or f'Here: {cost.flops / 1e9:.1f}' in said
    assert sample.clip_len == cfg.train_pipeline[1].clip_len == cfg.model.backbone.clip_size[0]


@pytest.mark.parametrize('data', ['diving48', 'hmdb51', 'ucf101'])
@pytest.mark.parametrize(('model', 'input', 'views'),
                         [('t', '16x4', '4x1'), ('s', '32x4', '4x1'), ('s', '32x4', '4x3')])
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
    assert cfg.load_from.startswith(f'checkpoints/dualformer_{model}_k400')
