"""Runs over data of which a part is broken."""

import shutil

import pytest

from tests.helpers import REPO, assert_one_line

CONFIG = REPO / 'configs/dualformer_micro_motion.py'


@pytest.fixture
def options(motion_root, data_options, tmp_path) -> list:
    """--cfg-options for a copy of the data whose first two training and validation clips are broken."""
    root = tmp_path / 'motion'
    shutil.copytree(motion_root, root)
    for split in ('train', 'val'):
        first, second, *_ = sorted(root.glob(f'videos_{split}/*.mp4'))
        first.write_bytes(first.read_bytes()[:500])
        second.unlink()
    return [option.replace(str(motion_root), str(root)) for option in data_options]


def test_training_and_testing_go_on_and_say_what_is_missing(run_tool, fork_tool, options, tmp_path):
    work_dir = tmp_path / 'work'
    workers = [f'{loader}.num_workers=2' for loader in ('train_dataloader', 'val_dataloader')]
    result = run_tool('tools/dist_train.sh', CONFIG, 2, '--work-dir', work_dir, '--cfg-options', *options, *workers)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert '2 of 8 videos could not be read and count as wrong' in output
    assert 'acc/unreadable: 2' in output
    assert '4 videos could not be read; ' in output
    lines = next(work_dir.glob('*/unreadable_videos.tsv')).read_text().splitlines()
    assert len(lines) == 4
    assert sum('videos_train' in line for line in lines) == 2

    result = fork_tool('tools/test.py', CONFIG, work_dir / 'epoch_1.pth', '--work-dir', tmp_path / 'test',
                       '--cfg-options', *options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'acc/unreadable: 2' in result.stdout + result.stderr
    ledger = next((tmp_path / 'test').glob('*/unreadable_videos.tsv')).read_text().splitlines()
    assert len(ledger) == 2 and all('videos_val' in line for line in ledger)


def test_a_data_set_that_is_mostly_broken_stops_the_run(fork_tool, options, tmp_path):
    for video in sorted((tmp_path / 'motion').glob('videos_train/*.mp4'))[:14]:
        video.write_text('no video')
    for workers in (0, 1):
        result = fork_tool('tools/train.py', CONFIG, '--work-dir', tmp_path / 'work', '--cfg-options', *options,
                           f'train_dataloader.num_workers={workers}')
        assert_one_line(result, 'videos cannot be read, more than max_unreadable=0.05', 'unreadable_videos.tsv')
