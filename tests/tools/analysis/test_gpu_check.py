import json

from tests.helpers import REPO, assert_one_line

TOOL = 'tools/analysis/gpu_check.sh'


def test_two_parts_on_a_cpu(run_tool, tmp_path):
    out = tmp_path / 'check'
    result = run_tool(
        TOOL, '--device', 'cpu', '--quick', '--time-factor', 10, '--out', out, '--parts', 'waiting', 'device'
    )
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ['device', 'waiting']
    assert 'not measured  no wait for the GPU in a training step: none in 10 steps on meta' in lines
    content = json.loads((out / 'gpu_check.json').read_text())
    assert [part['status'] for part in content['parts']] == ['done', 'done']
    assert content['results']['device']['matmul_tflops'].keys() == {'float32', 'bfloat16', 'float16'}
    assert set(content['results']['waiting']['waits'].values()) == {None}
    assert '## The device' in (out / 'gpu_check.md').read_text()


def test_a_part_that_does_not_exist_and_a_folder_that_is_none(fork_tool, tmp_path):
    result = fork_tool('tools/analysis/gpu_check.py', '--parts', 'sound')
    assert result.returncode == 2 and "'sound'" in result.stderr
    (tmp_path / 'file').touch()
    assert_one_line(fork_tool('tools/analysis/gpu_check.py', '--out', tmp_path / 'file'), 'must be a folder')
    assert (REPO / TOOL).is_file()
