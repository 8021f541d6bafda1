"""``--out`` of the tools that write a file."""

import json
import pickle

import pytest
import torch

from tests.helpers import REPO, assert_one_line

CONFIG = REPO / 'configs/vidtr_micro_motion.py'
MODEL = (CONFIG, 'none')
COMMANDS = [
    (('explain.py', *MODEL, 'clip.mp4'), 'a.png', 'a.png'),
    (('features.py', *MODEL, 'clip.mp4'), 'a.npz', 'a.npz'),
    (('export.py', *MODEL), 'a.onnx', 'a.onnx'),
    (('export.py', *MODEL), 'a.xml', 'a.bin'),  # the weights of OpenVINO's file
    (('export_onnx.py', *MODEL), 'a.onnx', 'a.onnx'),
    (('visualize_attention.py', *MODEL, 'clip.mp4'), 'a.png', 'a.png'),
    (('convert_checkpoint.py', 'trained', CONFIG), 'a.pth', 'a.pth'),
    (('pretrain.py', '--motion'), 'a.safetensors', 'a.safetensors'),
    (('analysis/benchmark.py', CONFIG), 'a.json', 'a.json'),
    (('analysis/ensemble.py', 'p.pkl'), 'a.json', 'a.json'),
    (('analysis/scale_training.py', CONFIG), 'a.json', 'a.json'),
    (('analysis/sweep_sizes.py', CONFIG), 'a.json', 'a.json'),
]


@pytest.mark.parametrize('command, out, there', COMMANDS, ids=str)
def test_a_file_that_is_there_is_not_replaced(fork_tool, tmp_path, command, out, there):
    """It is refused before anything takes long."""
    (tmp_path / there).write_text('of yesterday')
    tool, *arguments = command
    result = fork_tool(f'tools/{tool}', *arguments, '--out', out)
    assert_one_line(result, f"--out '{there}' is there already; choose another name, or replace it with --overwrite")
    assert (tmp_path / there).read_text() == 'of yesterday'


def test_it_is_replaced_where_that_is_wanted(fork_tool, tmp_path):
    samples = [dict(pred_score=torch.eye(2)[label], gt_label=torch.tensor([label])) for label in (0, 1)]
    (tmp_path / 'p.pkl').write_bytes(pickle.dumps(samples))
    (tmp_path / 'a.json').write_text('of yesterday')
    result = fork_tool('tools/analysis/ensemble.py', 'p.pkl', '--out', 'a.json', '--overwrite')
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / 'a.json').read_text())['weights'] is None
