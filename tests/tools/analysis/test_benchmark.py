"""The command ``benchmark``: what it measures and writes, and its errors in one line."""

import csv
import json

import pytest

from tests.export.conftest import build_recognizer, save_recognizer
from tests.helpers import REPO, assert_one_line

TOOL = 'tools/analysis/benchmark.py'
QUICK = ('--device', 'cpu', '--threads', 1, '--runs', 2)
X3D = 'mmaction::recognition/x3d/x3d_s_13x6x1_facebook-kinetics400-rgb.py'
TSN = 'mmaction::recognition/tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb.py'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory) -> str:
    return save_recognizer(build_recognizer('vidtr'), tmp_path_factory.mktemp('checkpoint') / 'model.pth')


def test_forms_and_a_file_side_by_side(fork_tool, checkpoint, tmp_path):
    written = fork_tool('tools/export.py', checkpoint, '--out', 'model.xml', '--runs', 1)
    assert written.returncode == 0, written.stderr
    result = fork_tool(
        TOOL, checkpoint, 'model.xml', '--forms', 'eager', 'openvino', '--dtype', 'float32', 'bfloat16',
        '--batch', 2, *QUICK, '--out', 'a.csv', 'a.json',
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    with open(tmp_path / 'a.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [(row['model'], row['form'], row['dtype']) for row in rows] == [
        ('model.pth', 'eager', 'float32'),
        ('model.pth', 'eager', 'bfloat16'),
        ('model.pth', 'openvino', 'float32'),
        ('model.pth', 'openvino', 'bfloat16'),
        ('model.xml', 'openvino', 'float32'),
    ]
    largest = {'float32': 1e-4, 'bfloat16': 0.5}
    for row in rows[:4]:
        assert (row['batch'], row['frames'], row['height'], row['width']) == ('2', '8', '32', '32')
        assert float(row['ms_quartile1']) <= float(row['ms']) <= float(row['ms_quartile3'])
        assert float(row['cpu_ms']) > 0 and 0 < float(row['memory_mib']) < 1000
        assert float(row['clips_per_s']) == pytest.approx(2000 / float(row['ms']), rel=0.01)
        assert 0 < float(row['difference']) + (row is rows[0]) and float(row['difference']) < largest[row['dtype']]
        assert float(row['gmacs']) == float(rows[0]['gmacs']) > 0 and float(row['share']) > 0
    assert not rows[4]['gmacs'] and not rows[4]['difference']  # a file does not say what its model is
    content = json.loads((tmp_path / 'a.json').read_text())
    assert content['threads'] == 1 and [row['model'] for row in content['results']] == [row['model'] for row in rows]
    assert len(result.stdout.splitlines()) == 2 + 2 + 5 and '| of the matmul rate |' in result.stdout


def test_video_mobile_former_stays_in_float32_and_its_accuracy_is_drawn(fork_tool, tmp_path):
    config = REPO / 'configs/vmf_560m_k400.py'
    result = fork_tool(TOOL, config, '--dtype', 'float32', 'bfloat16', *QUICK, '--out', 'a.png', 'a.json')
    assert result.returncode == 0, result.stderr
    line = 'VideoMobileFormer is slower in bfloat16 than in float32 on a CPU: it is computed in float32'
    assert result.stderr.splitlines().count(line) == 1
    (row,) = json.loads((tmp_path / 'a.json').read_text())['results']  # nothing is measured twice
    assert (row['dtype'], row['top1'], row['views']) == ('float32', 62.6, 1)
    assert row['gmacs'] == pytest.approx(0.535, abs=0.001)
    assert (tmp_path / 'a.png').read_bytes().startswith(b'\x89PNG')


def test_training_steps_of_models_of_mmaction2(fork_tool, tmp_path):
    """Of clips, and of frames."""
    result = fork_tool(TOOL, X3D, TSN, '--train', '--shapes', '4x64', *QUICK, '--out', 'a.json')
    assert result.returncode == 0, result.stderr
    rows = json.loads((tmp_path / 'a.json').read_text())['results']
    assert [(row['step'], row['frames'], row['width']) for row in rows] == [('train', 4, 64)] * 2
    assert rows[1]['gmacs'] == pytest.approx(3 * 4 * 4.11 * (64 / 224) ** 2, rel=0.05)  # of ResNet-50


def test_what_cannot_be_measured_is_left_out(fork_tool, checkpoint):
    result = fork_tool(TOOL, checkpoint, '--forms', 'onnx', 'eager', '--dtype', 'bfloat16', *QUICK)
    assert result.returncode == 0, result.stderr
    (warning,) = [line for line in result.stderr.splitlines() if line.startswith('warning: model.pth')]
    assert 'model.pth onnx bfloat16 batch 1 is left out: --dtype bfloat16 is none of ONNX Runtime files' in warning
    assert len(result.stdout.splitlines()) == 2 + 2 + 1


def test_wrong_arguments_are_one_line(fork_tool, checkpoint):
    for arguments, message, status in (
        (['no.pth'], "'no.pth' does not exist", 1),
        (['mmaction::recognition/none.py'], "'mmaction::recognition/none.py' is no config of", 1),
        ([checkpoint, '--out', 'a.txt'], "--out 'a.txt' must end in .csv, .json, .png", 1),
        ([checkpoint, '--out', 'no/a.csv'], "--out 'no/a.csv': the folder 'no' does not exist", 1),
        ([checkpoint, '--out', 'a.png'], "--out 'a.png' draws accuracies that papers print", 1),
        ([checkpoint, '--train', '--forms', 'onnx'], '--train is of the forms eager and compile, not --forms onnx', 1),
        ([checkpoint, '--forms', 'tflite'], '--forms invalid choice', 2),
        ([checkpoint, '--shapes', '16'], "--shapes '16' must be frames and size", 2),
        ([checkpoint, '--batch', '0'], '--batch 0 must be at least 1', 2),
    ):
        assert_one_line(fork_tool(TOOL, *arguments, '--device', 'cpu'), message, status=status)
