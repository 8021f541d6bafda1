import re

from tests.helpers import REPO, assert_one_line


def test_files_before_and_after_resizing_and_a_model(fork_tool, motion_root):
    videos = sorted(motion_root.glob('videos_train/*.mp4'))[:2]
    result = fork_tool(
        'tools/analysis/benchmark_data.py',
        '--videos',
        *videos,
        '--rounds',
        1,
        '--clips',
        4,
        '--model',
        REPO / 'configs/dualformer_micro_motion.py',
        '--workers',
        1,
        '--sampling',
        '8x8',
        '10 x 32x2',
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for kind in ('as given', 'resized'):
        assert re.search(rf'{kind}: \d\.\d+ MB \(x\d\.\d+\)\n', result.stdout)
        assert re.search(rf'{kind}: \d+\.\d clips/s; (does not wait|waits) for data', result.stdout)
    row = r'MMAction2 [\d.]+ ms, [\d.]+ clips/s  mmdualformer [\d.]+ ms, [\d.]+ clips/s  x[\d.]+, x[\d.]+'
    assert len(re.findall(row, result.stdout)) == 4
    assert re.search(r'trains \d+\.\d+ clips/s on (cpu|cuda), 4 a batch', result.stdout)


def test_files_that_are_not_there_or_broken_are_named(fork_tool, tmp_path):
    tool = 'tools/analysis/benchmark_data.py'
    assert_one_line(fork_tool(tool, '--videos', 'a.mp4'), "--videos 'a.mp4' does not exist")
    (tmp_path / 'b.mp4').touch()
    assert_one_line(fork_tool(tool, '--videos', tmp_path / 'b.mp4'), 'b.mp4 is broken: ')
