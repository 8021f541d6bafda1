import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hub import get_config

from tests.helpers import REPO


def test_configs_by_package_name_from_any_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reference = Config.fromfile(REPO / 'configs/dualformer_b_k400.py')
    assert get_config('mmdualformer::dualformer_b_k400.py').model == reference.model

    Path('mine.py').write_text(
        "_base_ = 'mmdualformer::dualformer_b_k400.py'\nmodel = dict(cls_head=dict(num_classes=7))\n"
    )
    mine = Config.fromfile('mine.py')
    assert mine.model.cls_head.num_classes == 7
    assert mine.model.backbone == reference.model.backbone

    Path('nested.py').write_text("_base_ = 'mmdualformer::ablations/dualformer/dualformer_micro_motion_shuffled.py'\n")
    assert Config.fromfile('nested.py').train_pipeline[3].type == 'ShuffleFrames'
    Path('missing.py').write_text("_base_ = 'mmdualformer::dualformer_x_k400.py'\n")
    with pytest.raises(FileNotFoundError, match=r'dualformer_x_k400\.py'):
        Config.fromfile('missing.py')


@pytest.mark.parametrize(
    'code',
    [
        'from mmengine.hub import get_config; cfg = get_config("mmdualformer::dualformer_b_k400.py")',
        'from mmengine.config import Config; cfg = Config.fromfile("mine.py")',
    ],
)
def test_configs_by_package_name_before_we_are_imported(tmp_path, code):
    (tmp_path / 'mine.py').write_text("_base_ = 'mmdualformer::dualformer_b_k400.py'\n")
    code += '; print(cfg.model.backbone.arch)'
    result = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == 'base', result.stderr
    assert result.stderr == ''


def test_models_by_package_name_before_we_are_imported(tmp_path):
    code = (
        'from mmengine.hub import get_model; '
        'print(type(get_model("mmdualformer::dualformer_micro_motion.py").backbone).__name__)'
    )
    result = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == 'DualFormer', result.stderr
    assert result.stderr == ''


def test_starting_python_imports_neither_us_nor_mmengine():
    code = 'import sys; print(*sys.modules)'
    modules = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60).stdout.split()
    assert not {'mmdualformer', 'mmengine', 'torch', 'numpy'} & set(modules)


def test_configs_of_other_packages_are_found_as_before():
    assert get_config('mmaction::_base_/default_runtime.py').default_scope == 'mmaction'
