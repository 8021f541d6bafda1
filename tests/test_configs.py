import sys

import pytest
from mmengine.config import Config
from mmengine.visualization import WandbVisBackend

from mmdualformer.configs import merge_options, parse_options, read_config, refuse_what_cannot_be_built
from mmdualformer.errors import UserError
from tests.helpers import REPO

CONFIG = REPO / 'configs/dualformer_micro_motion.py'


def test_options_become_values():
    options = ['a.b=1', 'a.c=0.5', 'd=small', 'e=[1,(2,3)]', 'f=1,2', 'g=None', 'h=true', 'i=x=y', 'j=']
    values = {'a.b': 1, 'a.c': 0.5, 'd': 'small', 'e': [1, (2, 3)], 'f': [1, 2], 'g': None, 'h': True, 'i': 'x=y'}
    assert parse_options(options) == {**values, 'j': ''}
    assert parse_options([]) == {}


@pytest.mark.parametrize('option', ['a', '=1', 'a=1,(2', 'a=[1,2)]'])
def test_options_that_are_none(option):
    with pytest.raises(UserError, match=r'^--cfg-options .* must be key=value') as error:
        parse_options([option])
    assert repr(option) in str(error.value)


def test_an_option_that_nothing_reads_is_refused():
    cfg = read_config(str(CONFIG), {'model.backbone.drop_path_rate': 0.3})
    assert cfg.model.backbone.drop_path_rate == 0.3
    with pytest.raises(UserError, match=r"optim_wraper\.type=x does not fit .*: nothing reads 'optim_wraper'"):
        merge_options(cfg, {'optim_wraper.type': 'x'}, str(CONFIG))
    with pytest.raises(UserError, match=r'model\.backbone\.type\.x=1 does not fit c\.py: '):
        merge_options(cfg, {'model.backbone.type.x': 1}, 'c.py')


def test_an_option_that_only_a_runner_reads():
    cfg = Config.fromfile(CONFIG)
    assert 'sync_bn' not in cfg
    merge_options(cfg, dict(sync_bn='torch'), str(CONFIG))
    assert cfg.sync_bn == 'torch'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('model = dict(\n', "line 1: '(' was never closed"),
        ('x = 1\n', 'has no model'),
        ("_base_ = 'nowhere.py'\n", 'FileNotFoundError: '),
        ('model = dict(a=1 / 0)\n', 'ZeroDivisionError: division by zero'),
    ],
)
def test_files_that_are_no_configs_are_one_line(text, message, tmp_path):
    path = str(tmp_path / 'c.py')
    with pytest.raises(UserError, match=r'does not exist \(looked in '):
        read_config(path)
    (tmp_path / 'c.py').write_text(text)
    with pytest.raises(UserError) as error:
        read_config(path)
    assert message in str(error.value) and '\n' not in str(error.value)


def test_a_strategy_is_an_option_of_the_runner_that_has_one():
    strategy = {'strategy.type': 'SingleDeviceStrategy'}
    with pytest.raises(UserError, match="nothing reads 'strategy'"):
        read_config(str(CONFIG), strategy)
    assert read_config(str(CONFIG), {**strategy, 'runner_type': 'FlexibleRunner'}).strategy == dict(
        type='SingleDeviceStrategy'
    )


def test_a_package_that_a_config_needs_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'wandb', None)
    with pytest.raises(UserError, match='needs wandb, which is not installed: pip install wandb'):
        with refuse_what_cannot_be_built():
            WandbVisBackend(str(tmp_path))._init_env()
    with pytest.raises(ImportError), refuse_what_cannot_be_built():
        raise ImportError('a fault of something else')
