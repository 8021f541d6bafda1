"""The command ``export``: what it prints, and its errors in one line."""

import importlib.util

import pytest

from mmdualformer.errors import UserError
from mmdualformer.export import check_installed, load_exported
from tests.export.conftest import build_recognizer, save_recognizer
from tests.helpers import assert_one_line

TOOL = 'tools/export.py'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory) -> str:
    return save_recognizer(build_recognizer('vidtr'), tmp_path_factory.mktemp('checkpoint') / 'model.pth')


def test_it_writes_compares_and_times(fork_tool, checkpoint, clip_file, tmp_path):
    """By a checkpoint alone; a list's labels are numbers, and a video that cannot be read is left out."""
    broken = tmp_path / 'broken.mp4'
    broken.write_bytes(b'no video')
    (tmp_path / 'list.txt').write_text(f'{clip_file} 3\n{broken} 0\n')
    result = fork_tool(
        TOOL, checkpoint, '--out', 'out/model.ts', '--preprocessing', '--clips', clip_file, '--accuracy', 'list.txt',
        '--runs', 1, '--threads', 1,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    first, differences, accuracy, times = result.stdout.splitlines()
    assert first.startswith('out/model.ts: TorchScript, float32, ')
    assert first.endswith('clips N x 3 x 8 x 32 x 32 of uint8 pixels in, logits and probabilities out')
    assert 'at most on random clips, by ' in differences and differences.endswith('at most on videos')
    assert accuracy.startswith('accuracy ') and accuracy.endswith('; the same answer for 100.00% of 1 videos')
    assert times.startswith('PyTorch ') and times.endswith(' ms for a clip (1 threads)')
    assert result.stderr.startswith('warning: --accuracy: ') and len(result.stderr.splitlines()) == 1
    assert load_exported(tmp_path / 'out/model.ts', trust=True).description.preprocessing


def test_a_file_that_differs_is_not_written(fork_tool, checkpoint, tmp_path):
    result = fork_tool(TOOL, checkpoint, '--format', 'openvino', '--dtype', 'bfloat16', '--tolerance', 1e-9)
    assert_one_line(result, 'on a clip 1 x 3 x 8 x 32 x 32 the logits of the file differ by', 'so nothing was written')
    assert not [path for path in tmp_path.iterdir() if 'model' in path.name]


def test_wrong_arguments_are_one_line(fork_tool, checkpoint, tmp_path):
    (tmp_path / 'folder.onnx').mkdir()
    for arguments, message, status in (
        (['--out', 'model.tflite'], "--out 'model.tflite' must end in .onnx or .xml or .pt2 or .ts", 1),
        (['--out', 'model.onnx', '--format', 'openvino'], "--out 'model.onnx' must end in .xml", 1),
        (['--out', 'folder.onnx'], "--out 'folder.onnx' is a folder", 1),
        (['--dtype', 'bfloat16'], '--dtype bfloat16 is none of ONNX Runtime files: it must be float32', 1),
        (['--dtype', 'int8'], '--dtype int8 needs clips', 1),
        (['--calibrate', '.'], '--calibrate is for --dtype int8 alone', 1),
        (['--clips', 'no.mp4'], "--clips 'no.mp4' does not exist", 1),
        (['--accuracy', 'no'], "--accuracy 'no' does not exist", 1),
        (['--dynamic', 'width'], "--dynamic 'width' must be none, or of batch, time, space", 2),
        (['--tolerance', '-1'], '--tolerance -1 must be a number over 0', 2),
    ):
        assert_one_line(fork_tool(TOOL, checkpoint, *arguments), message, status=status)


@pytest.mark.parametrize(
    ('what', 'package', 'extra'), [('onnx', 'onnxscript', 'export'), ('openvino', 'openvino', 'openvino'),
                                   ('nncf', 'nncf', 'openvino')],
)  # fmt: skip
def test_missing_packages_are_named(monkeypatch, what, package, extra):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None if name == package else find(name))
    with pytest.raises(UserError, match=rf'needs {package}: pip install "mmdualformer\[{extra}\]"$'):
        check_installed(what)
