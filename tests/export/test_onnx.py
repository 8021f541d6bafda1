import importlib.util
import json
import os
import subprocess
import sys

import onnx
import pytest
import torch
import torch.nn as nn

from mmdualformer.errors import UserError
from mmdualformer.export import export_onnx, load_onnx
from mmdualformer.export.packages import check_installed
from mmdualformer.models import VideoMobileFormer, VideoMobileFormerHead
from tests.helpers import assert_one_line, randomize_norms


@pytest.mark.parametrize(
    'settings',
    [
        dict(),
        dict(conv_type='(2+1)d', temporal_strides=(2, 2), activation='dyrelu'),
    ],
)
def test_onnx_runtime_agrees(tmp_path, settings):
    """On a batch of two clips, whose lengths the temporal strides do not divide."""
    torch.manual_seed(0)
    settings = dict(settings)
    arch = dict(dim=8, num_blocks=(2,), expansion=2.25, temporal_strides=settings.pop('temporal_strides', (2, 1)))
    backbone = VideoMobileFormer(arch, out_indices=(0,), token_dim=16, **settings)
    model = nn.Sequential(backbone, VideoMobileFormerHead(5, 8, token_dim=16, hidden_dim=24))
    randomize_norms(model)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.3)
    model.eval()
    clip = torch.randn(2, 3, 7, 33, 30)
    export_onnx(model, clip.shape, tmp_path / 'model.onnx')
    convolutions = [node for node in onnx.load(tmp_path / 'model.onnx').graph.node if node.op_type == 'Conv']
    kernels = [
        attribute.ints for node in convolutions for attribute in node.attribute if attribute.name == 'kernel_shape'
    ]
    assert kernels and all(len(kernel) == 2 for kernel in kernels)  # those of 3D ones are slow
    logits = load_onnx(tmp_path / 'model.onnx', num_threads=1)(clip)
    with torch.no_grad():
        torch.testing.assert_close(logits, model(clip), atol=1e-4, rtol=1e-4)


def test_what_the_model_refuses_is_said_as_it_says_it(tmp_path):
    with pytest.raises(UserError, match=r'takes \[batch, 3, frames, height, width\]'):
        export_onnx(VideoMobileFormer().eval(), (1, 1, 4, 32, 32), tmp_path / 'model.onnx')


def test_missing_packages_are_named(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None if name == 'onnxruntime' else find(name))
    with pytest.raises(UserError, match=r'^ONNX export needs onnxruntime: pip install .*\[export\]"$'):
        export_onnx(nn.Identity(), (1,), 'model.onnx')


SMALLER = """
_base_ = 'mmdualformer::vmf_micro_motion.py'
model = dict(
    backbone=dict(arch=dict(num_blocks=(1, ), temporal_strides=(2, 1)), out_indices=(0, )),
    cls_head=dict(in_channels=16))
"""


def test_tool_exports_and_checks(run_tool, fork_tool, tmp_path):
    (tmp_path / 'smaller.py').write_text(SMALLER)
    result = run_tool('tools/export_onnx.py', 'smaller.py', 'none', '--out', 'out/smaller.onnx', '--runs', 1)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / 'out/smaller.onnx').is_file()
    assert 'clip 1 x 3 x 18 x 32 x 32' in result.stdout and 'logits differ by' in result.stdout
    metadata = onnx.load(tmp_path / 'out/smaller.onnx').metadata_props
    properties = {entry.key: json.loads(entry.value) for entry in metadata}
    assert properties['mean'] == [123.675, 116.28, 103.53] and len(properties['std']) == 3
    assert dict(type='CenterCrop', crop_size=32) in properties['test_pipeline']
    export = ('tools/export_onnx.py', 'smaller.py', 'none')
    assert_one_line(fork_tool(*export, '--size', 0), '--size 0 must be at least 1', status=2)
    assert_one_line(fork_tool(*export, '--frames', -1), '--frames -1 must be at least 1', status=2)
    assert_one_line(fork_tool('tools/export_onnx.py', 'smaller.py', 'none', '--out', 'out'), "--out 'out' is a folder")
    assert_one_line(fork_tool(*export, '--cfg-options', 'model.type.x=1'), '--cfg-options model.type.x=1 does not fit')
    assert_one_line(run_tool('tools/export_onnx.py', 'none.py', 'none'), "config 'none.py' does not exist")


def test_onnx_runtime_reports_nothing(tmp_path, monkeypatch):
    """It would connect to its makers' servers, and keep a database of its use in the home folder."""
    monkeypatch.delenv('ORT_DISABLE_TELEMETRY', raising=False)
    check_installed()
    environment = {**os.environ, 'HOME': str(tmp_path), 'XDG_CACHE_HOME': str(tmp_path)}
    subprocess.run([sys.executable, '-c', 'import onnxruntime'], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
