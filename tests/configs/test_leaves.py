import ast
import itertools
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from tests.helpers import REPO

FILES = sorted((REPO / 'configs').rglob('*.py'))


OWN = ('_base_', 'own_videos', 'pretraining')  # of no published data set
CONFIGS = [
    str(path.relative_to(REPO / 'configs')) for path in FILES if path.relative_to(REPO / 'configs').parts[0] not in OWN
]


DATA = sorted((REPO / 'configs/_base_/data').glob('*.py'))


def strings(path: Path) -> list[str]:
    """The strings in the code of a config."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_configs_name_what_they_change(path):
    """They build dicts and lists; none changes a step of a pipeline, or anything else, by its number or in place."""
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, (ast.Subscript, ast.AugAssign, ast.For)), ast.unparse(node)
        assert not isinstance(node, ast.Call) or ast.unparse(node.func) == 'dict', ast.unparse(node)
        if isinstance(node, ast.Assign):
            assert all(isinstance(target, ast.Name) for target in node.targets), ast.unparse(node)


@pytest.mark.parametrize('path', DATA, ids=lambda path: path.stem)
def test_the_paths_of_a_data_set_stand_in_one_file(path):
    paths = {string for string in strings(path) if string.startswith('data/')}
    assert paths
    for other in FILES:
        assert other == path or not paths & set(strings(other)), other


@pytest.fixture(scope='module')
def data_sets() -> list[dict]:
    return [Config.fromfile(path)[path.stem] for path in DATA]


def reads(loader: dict, part: dict) -> bool:
    """Whether a loader reads a part of a data set."""
    return loader.dataset == {**loader.dataset, **part}


@pytest.mark.parametrize('name', CONFIGS)
def test_every_config_has_one_data_set_and_the_samplings_that_it_names(name, data_sets):
    cfg = Config.fromfile(REPO / 'configs' / name)
    (data,) = [data for data in data_sets if reads(cfg.train_dataloader, data.train)]
    assert all(reads(loader, data.val) for loader in (cfg.val_dataloader, cfg.test_dataloader) if loader)
    assert cfg.model.cls_head.num_classes == data.num_classes
    for kind in ('train', 'val', 'test'):
        assert f'{kind}_sample' not in cfg or cfg[f'{kind}_sample'] == cfg[f'{kind}_pipeline'][1]


@pytest.mark.parametrize('name', CONFIGS)
def test_every_config_builds_and_classifies(name):
    """On the meta device: the recognizer of each config takes the clip that its test pipeline makes."""
    cfg = Config.fromfile(REPO / 'configs' / name)
    init_default_scope(cfg.default_scope)
    cfg.model.data_preprocessor.pop('blending', None)  # torch's Beta needs real numbers
    # without weights, but for MMAction2's Swin, which reads a tensor's numbers while it is built
    with torch.device('cpu' if cfg.model.backbone.type == 'SwinTransformer3D' else 'meta'):
        model = MODELS.build(cfg.model).eval().to('meta')
    frames = next(step.clip_len for step in cfg.test_pipeline if 'clip_len' in step)
    crop = next(step for step in cfg.test_pipeline if 'Crop' in step.type).crop_size
    with torch.device('meta'):
        feature = model.backbone(torch.empty(1, 3, frames, crop, crop))
        assert model.cls_head(feature).shape == (1, cfg.model.cls_head.num_classes)
    loaders = [cfg[name] for name in ('train_dataloader', 'val_dataloader', 'test_dataloader') if cfg[name]]
    assert all(loader.dataset.pipeline[-1].type == 'PackActionInputs' for loader in loaders)
    assert cfg.test_dataloader.dataset.pipeline == cfg.test_pipeline
    schedules = [(schedule.begin, schedule.end) for schedule in cfg.param_scheduler]
    assert schedules[0][0] == 0 and schedules[-1][1] == cfg.train_cfg.max_epochs
    # one after another, or, in the released recipes, together from the start
    assert all(second[0] in (first[1], 0) for first, second in itertools.pairwise(schedules))
