"""What only a GPU can show. The models' steps and scores on one are in models/test_devices.py."""

import numpy as np
import pytest
import torch
import torch.nn as nn
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer import Recognizer
from mmdualformer.analysis.gpu_check.steps import SMALL, TrainingStep
from mmdualformer.analysis.waiting import find_wait
from mmdualformer.export import export_model, load_exported, shape_of_clips
from mmdualformer.weights import load_safely
from tests.export.conftest import build_recognizer
from tests.helpers import REPO
from tests.recognition.conftest import write_checkpoint

pytestmark = pytest.mark.gpu

CLIP = (2, 3, 18, 32, 32)


def build_scorer(config: str) -> nn.Module:
    """Backbone and head of a config, in eval mode, with logits that differ from class to class."""
    cfg = Config.fromfile(REPO / f'configs/{config}.py')
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
    return nn.Sequential(model.backbone, model.cls_head).to('cuda')


def clips() -> torch.Tensor:
    return torch.randn(CLIP, generator=torch.Generator().manual_seed(1)).to('cuda')


def assert_near(logits: torch.Tensor, expected: torch.Tensor, share: float) -> None:
    """No number is off by more than a share of the greatest; a GPU convolves in TF32, with ten bits."""
    assert logits.isfinite().all()
    assert (logits.float() - expected).abs().max() <= share * expected.abs().max()


@pytest.mark.parametrize(('dtype', 'share'), [(torch.float16, 0.02), (torch.bfloat16, 0.1)])
@pytest.mark.parametrize('config', SMALL)
def test_mixed_precision_is_near_float32(config, dtype, share):
    model = build_scorer(config)
    with torch.inference_mode():
        expected = model(clips())
        with torch.autocast('cuda', dtype):
            logits = model(clips())
    assert logits.dtype == dtype
    assert_near(logits, expected, share)


@pytest.mark.parametrize('config', SMALL)
def test_channels_may_be_last(config):
    model = build_scorer(config)
    with torch.inference_mode():
        expected = model(clips())
        model.to(memory_format=torch.channels_last_3d)
        logits = model(clips().contiguous(memory_format=torch.channels_last_3d))
    assert_near(logits, expected, 1e-2)


@pytest.mark.parametrize('config', ['dualformer_micro_motion', 'vidtr_micro_motion', 'vmf_micro_motion'])
def test_a_compiled_model_scores_and_learns_as_an_eager_one(config):
    """As PyTorch's compiler sees it; kernels of its own take minutes, and are made in the benchmark."""
    model = build_scorer(config)
    compiled = torch.compile(model, backend='aot_eager', fullgraph=True, dynamic=False)
    with torch.inference_mode():
        assert_near(compiled(clips()), model(clips()), 1e-2)
    gradients = []
    for run in (model, compiled):
        model.zero_grad()
        run(clips()).logsumexp(1).sum().backward()
        gradients.append(next(model.parameters()).grad.clone())
    assert_near(gradients[1], gradients[0], 5e-2)


def test_kernels_of_the_compiler_score_as_pytorch():
    model = build_scorer('dualformer_micro_motion')
    compiled = torch.compile(model, dynamic=False)
    with torch.inference_mode():
        assert_near(compiled(clips()), model(clips()), 1e-2)


@pytest.mark.parametrize('with_cp', [False, True])
@pytest.mark.parametrize('config', SMALL)
def test_a_training_step_waits_nowhere_for_the_gpu(config, with_cp):
    step = TrainingStep(config, 2, 'cuda', with_cp=with_cp)
    for _ in range(2):  # kernels are loaded, and the optimizer's state is made
        step()
    assert find_wait(step, torch.device('cuda')) is None


def test_a_wait_is_found():
    assert 'test_gpu.py' in find_wait(lambda: torch.ones(1, device='cuda').item(), torch.device('cuda'))


def test_computing_again_takes_less_memory():
    peaks = []
    for with_cp in (False, True):
        step = TrainingStep('vidtr_micro_motion', 32, 'cuda', with_cp=with_cp)
        step()
        torch.cuda.reset_peak_memory_stats()
        step()
        peaks.append(torch.cuda.max_memory_allocated())
        del step
    assert peaks[1] < 0.8 * peaks[0]


def test_training_from_pinned_memory_goes_on_from_a_checkpoint(run_tool, motion_root, tmp_path):
    """In float16, whose loss scale goes on too."""
    options = [f'{loader}.dataset.data_root={motion_root}' for loader in ('train_dataloader', 'val_dataloader')]
    options += [f'{loader}.pin_memory=True' for loader in ('train_dataloader', 'val_dataloader')]
    for epochs, arguments in ((1, []), (2, ['--resume'])):
        command = ['tools/train.py', REPO / 'configs/dualformer_micro_motion.py', '--work-dir', tmp_path / 'run']
        result = run_tool(*command, *arguments, '--cfg-options', *options, f'train_cfg.max_epochs={epochs}')
        assert result.returncode == 0, result.stdout + result.stderr
    assert 'resumed epoch: 1' in result.stdout + result.stderr
    checkpoint = load_safely(str(tmp_path / 'run/epoch_2.pth'))
    assert checkpoint['optimizer']['loss_scaler']['scale'] > 0
    assert all(value.isfinite().all() for value in checkpoint['state_dict'].values())


@pytest.mark.parametrize('dtype', ['float32', 'float16', 'bfloat16'])
def test_a_recognizer_scores_as_on_a_cpu(dtype, clip_file, tmp_path):
    path = write_checkpoint(tmp_path / 'model.pth', 'dualformer')
    expected = Recognizer(path, device='cpu')(clip_file).probabilities
    probabilities = Recognizer(path, device='cuda', dtype=dtype)(clip_file).probabilities
    np.testing.assert_allclose(probabilities, expected, atol={'float32': 5e-3, 'float16': 0.02, 'bfloat16': 0.1}[dtype])


@pytest.mark.parametrize('kind', ['onnx', 'torch_export'])
def test_a_model_on_a_gpu_is_exported_as_one_on_a_cpu(kind, tmp_path):
    pytest.importorskip({'onnx': 'onnxruntime'}.get(kind, 'torch'))
    model = build_recognizer('dualformer')
    clip = torch.randn(shape_of_clips(model))
    logits = []
    for device in ('cpu', 'cuda'):
        path = tmp_path / device / ('model.onnx' if kind == 'onnx' else 'model.pt2')
        export_model(model.to(device), path, kind, shape_of_clips(model), threads=1)
        logits.append(load_exported(path, threads=1, trust=True).run(clip)[0])
    assert next(model.parameters()).is_cuda
    torch.testing.assert_close(logits[1], logits[0], rtol=0, atol=1e-4)
