"""Runs with ``compile`` in their config: the same checkpoints and numbers as of runs without."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from mmdualformer.weights import load_safely

# Of one layer, as what is compiled is traced for seconds; with SGD, as Adam makes large steps of gradients that are
# zero but for rounding.
MODELS = dict(
    dualformer="""
    backbone=dict(arch=dict(embed_dims=(16, ), num_blocks=(1, ), num_heads=(1, )), temporal_strides=(),
                  block_types=('LG', ), fine_sizes=((3, 2, 2), ), coarse_sizes=(None, ), out_indices=(0, )),
    cls_head=dict(in_channels=16)""",
    vidtr="""
    backbone=dict(arch=dict(num_layers=1))""",
    vmf="""
    backbone=dict(arch=dict(num_blocks=(1, ), temporal_strides=(2, 1)), out_indices=(0, )),
    cls_head=dict(in_channels=16)""",
)
CONFIG = """
_base_ = 'mmdualformer::{family}_micro_motion.py'
model = dict({model})
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.05, weight_decay=0.0, _delete_=True))
"""
ONE_GRAPH = ('compile.backend=eager', 'compile.fullgraph=True')  # a graph break is an error; compiles no code


@pytest.fixture
def train(fork_tool, data_options, tmp_path, monkeypatch):
    """Train a model of a family on the quick start's clips; gives the accuracies of its validations."""
    monkeypatch.setattr(Runner, '_log_env', lambda *_: None)  # which asks compilers for their versions

    def run(family: str, work_dir: str, *options: str, resume: str = '') -> list[str]:
        (tmp_path / 'config.py').write_text(CONFIG.format(family=family, model=MODELS[family]))
        result = fork_tool(
            'tools/train.py', 'config.py', '--work-dir', work_dir,
            *(['--resume', resume] if resume else []), '--cfg-options', *data_options, *options,
        )  # fmt: skip
        output = result.stdout + result.stderr
        assert result.returncode == 0, output
        compiles = any(option.startswith('compile') for option in options)
        assert ('The backbone is compiled for training' in output) is compiles
        return re.findall(r'Epoch\(val\) .*acc/top1: (\S+)', output)

    return run


def assert_near(path: Path, other: Path, **tolerances: float) -> None:
    """Two checkpoints have the same names, and the same weights but for rounding."""
    weights, others = (load_safely(str(file))['state_dict'] for file in (path, other))
    assert weights.keys() == others.keys() and not [name for name in weights if '_orig_mod' in name]
    for name, value in weights.items():
        torch.testing.assert_close(value, others[name], **tolerances)


@pytest.mark.parametrize('family', ['dualformer', 'vmf'])
def test_a_compiled_run_ends_as_another(train, tmp_path, family):
    accuracies = train(family, 'eager')
    assert accuracies and train(family, 'compiled', *ONE_GRAPH) == accuracies
    assert_near(tmp_path / 'compiled/epoch_1.pth', tmp_path / 'eager/epoch_1.pth')


def test_another_goes_on_with_a_compiled_run(train, tmp_path):
    first, second = train('vidtr', 'eager', 'train_cfg.max_epochs=2')
    assert train('vidtr', 'run', *ONE_GRAPH) == [first]
    assert train('vidtr', 'run', 'train_cfg.max_epochs=2', resume='run/epoch_1.pth') == [first, second]
    assert_near(tmp_path / 'run/epoch_2.pth', tmp_path / 'eager/epoch_2.pth')


@pytest.mark.parametrize('family', MODELS)
@pytest.mark.slow
def test_a_compiled_run_goes_on_with_another(train, tmp_path, family):
    first, second = train(family, 'eager', 'train_cfg.max_epochs=2')
    assert train(family, 'run') == [first]
    assert train(family, 'run', *ONE_GRAPH, 'train_cfg.max_epochs=2', resume='run/epoch_1.pth') == [first, second]
    assert_near(tmp_path / 'run/epoch_2.pth', tmp_path / 'eager/epoch_2.pth')


@pytest.mark.parametrize('family', MODELS)
@pytest.mark.slow
def test_mixed_precision(train, tmp_path, family):
    amp = ('optim_wrapper.type=AmpOptimWrapper', 'optim_wrapper.dtype=bfloat16')
    accuracies = train(family, 'eager', *amp)
    assert train(family, 'compiled', *amp, 'compile.backend=aot_eager', 'compile.fullgraph=True') == accuracies
    assert_near(tmp_path / 'compiled/epoch_1.pth', tmp_path / 'eager/epoch_1.pth', atol=1e-3, rtol=0)


@pytest.mark.parametrize('family', MODELS)
@pytest.mark.slow
def test_compiled_code(train, tmp_path, family):
    accuracies = train(family, 'eager')
    assert train(family, 'compiled', 'compile=True') == accuracies
    assert_near(tmp_path / 'compiled/epoch_1.pth', tmp_path / 'eager/epoch_1.pth', atol=1e-3, rtol=0)
