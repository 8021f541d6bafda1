"""Runs over data of which a part is broken."""

import os
import shutil
from pathlib import Path

import pytest

from tests.helpers import REPO, assert_one_line

CONFIG = REPO / 'configs/dualformer_micro_motion.py'
# A decoder that crashes or hangs in some files, and a hook that lists the samples of each step.
FAULTS = """
import ctypes, os, signal
from mmaction.registry import HOOKS, TRANSFORMS
from mmengine.hooks import Hook
from mmdualformer.datasets import VideoInit

@TRANSFORMS.register_module()
class FaultyInit(VideoInit):

    def transform(self, results):
        name = '/'.join(results['filename'].split('/')[-2:])
        if 'unreadable' not in results and name in os.environ['CRASHING'].split():
            ctypes.string_at(0)
        if 'unreadable' not in results and name in os.environ['HANGING'].split():
            signal.sigwait([signal.SIGUSR1])
        return super().transform(dict(results, video_id=name))

@HOOKS.register_module()
class ListSamples(Hook):

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        with open(f'{runner.work_dir}/samples_{runner.rank}.txt', 'a') as file:
            file.writelines(sample.video_id + '\\n' for sample in data_batch['data_samples'])
"""
FAULTY_CONFIG = f"""
_base_ = '{CONFIG}'
custom_imports = dict(imports=['faults'])
custom_hooks = [dict(type='UnreadableVideosHook'), dict(type='SelfContainedCheckpointHook'), dict(type='ListSamples')]
train_dataloader = dict(batch_size=2, dataset=dict(time_limit=4))
val_dataloader = dict(batch_size=2, dataset=dict(time_limit=4))
test_dataloader = val_dataloader
"""


@pytest.fixture
def faulty(data_options, tmp_path) -> list:
    """A config whose decoder has faults, and its --cfg-options."""
    (tmp_path / 'faults.py').write_text(FAULTS)
    (tmp_path / 'faulty.py').write_text(FAULTY_CONFIG)
    loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    return [
        tmp_path / 'faulty.py',
        '--cfg-options',
        *data_options,
        *(f'{loader}.dataset.pipeline.0.type=FaultyInit' for loader in loaders),
    ]


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

    result = fork_tool(
        'tools/test.py', CONFIG, work_dir / 'epoch_1.pth', '--work-dir', tmp_path / 'test', '--cfg-options', *options
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'acc/unreadable: 2' in result.stdout + result.stderr
    ledger = next((tmp_path / 'test').glob('*/unreadable_videos.tsv')).read_text().splitlines()
    assert len(ledger) == 2 and all('videos_val' in line for line in ledger)


def test_a_data_set_that_is_mostly_broken_stops_the_run(fork_tool, options, tmp_path):
    for video in sorted((tmp_path / 'motion').glob('videos_train/*.mp4'))[:14]:
        video.write_text('no video')
    for workers in (0, 1):
        result = fork_tool(
            'tools/train.py',
            CONFIG,
            '--work-dir',
            tmp_path / 'work',
            '--cfg-options',
            *options,
            f'train_dataloader.num_workers={workers}',
        )
        assert_one_line(result, 'videos cannot be read, more than max_unreadable=0.05', 'unreadable_videos.tsv')


def test_decoders_that_crash_or_hang_end_no_run(run_tool, faulty, motion_root, tmp_path):
    train = [str(path.relative_to(motion_root)) for path in sorted(motion_root.glob('videos_train/*.mp4'))]
    val = [str(path.relative_to(motion_root)) for path in sorted(motion_root.glob('videos_val/*.mp4'))]
    env = dict(
        CRASHING=f'{train[3]} {val[5]}',
        HANGING=f'{train[12]} {val[0]}',
        PYTHONPATH=os.pathsep.join([str(tmp_path), str(REPO)]),
    )
    config, *options = faulty
    options += [f'{loader}.num_workers=2' for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')]
    work_dir = tmp_path / 'work'
    result = run_tool('tools/dist_train.sh', config, 2, '--work-dir', work_dir, *options, **env)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert 'acc/unreadable: 2' in output and '4 videos could not be read; ' in output
    assert 'Traceback' not in output
    reasons = {
        f'{motion_root}/{video}': reason
        for video, reason in (
            (train[3], 'crashed: SIGSEGV'),
            (train[12], 'no answer within 4 s'),
            (val[5], 'crashed: SIGSEGV'),
            (val[0], 'no answer within 4 s'),
        )
    }
    assert read_ledger(work_dir) == reasons
    samples = [Path(work_dir, f'samples_{rank}.txt').read_text().split() for rank in range(2)]
    assert [len(share) for share in samples] == [8, 8]
    # each once, and others in the place of the two
    assert {*samples[0], *samples[1]} == set(train) - {train[3], train[12]}

    result = run_tool(
        'tools/test.py', config, work_dir / 'epoch_1.pth', '--work-dir', tmp_path / 'test', *options, **env
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert 'acc/unreadable: 2' in output and 'Traceback' not in output
    assert read_ledger(tmp_path / 'test') == {video: reasons[video] for video in reasons if 'videos_val' in video}


def test_without_data_workers_a_hang_ends_a_run_with_one_line(run_tool, faulty, motion_root, tmp_path):
    hanging = sorted(motion_root.glob('videos_train/*.mp4'))[3].relative_to(motion_root)
    result = run_tool(
        'tools/train.py',
        *faulty,
        '--work-dir',
        tmp_path / 'work',
        CRASHING='',
        HANGING=str(hanging),
        PYTHONPATH=os.pathsep.join([str(tmp_path), str(REPO)]),
    )
    assert_one_line(result, f"video '{motion_root / hanging}' cannot be read: no answer within 4 s")


def read_ledger(work_dir) -> dict:
    lines = next(work_dir.glob('*/unreadable_videos.tsv')).read_text().splitlines()
    ledger = dict(line.split('\t') for line in lines)
    assert len(ledger) == len(lines)
    return ledger
