"""A run that is killed at any moment, again and again, loses at most the step it was in."""

import os
import random
import signal
import time

import pytest

from mmdualformer.resuming import find_newest
from mmdualformer.weights import read_progress
from tests.engine.test_exact_resume import assert_same, options, write_config

KILLS = 100


@pytest.mark.slow
def test_any_moment(fork_tool, motion_root, tmp_path):
    """Checkpoints are written after each step, so many of the moments are within a write."""
    config = write_config(
        tmp_path, motion_root, 'dualformer_micro_motion.py', 'train_cfg = dict(max_epochs=40, val_interval=40)'
    )
    train = 'tools/train.py', config, '--seed', 5, '--work-dir'
    started = time.monotonic()
    assert fork_tool(*train, 'whole', *options(0)).returncode == 0
    longest = time.monotonic() - started

    moments = random.Random(0)
    kills = runs = steps = within_a_write = 0
    while kills < KILLS:
        work_dir = f'killed_{runs}'
        killer = os.fork()
        if killer == 0:  # kills what runs the tool, a child of the parent of this process
            time.sleep(moments.uniform(0.1, 0.7) * longest)
            children = open(f'/proc/{os.getppid()}/task/{os.getppid()}/children').read().split()
            for child in set(map(int, children)) - {os.getpid()}:
                os.kill(child, signal.SIGKILL)
            os._exit(0)
        moments.random()  # the child has drawn from a copy
        result = fork_tool(*train, work_dir, '--resume', *options(0))
        os.kill(killer, signal.SIGKILL)
        os.waitpid(killer, 0)
        within_a_write += any((tmp_path / work_dir).glob('*.part'))
        if result.returncode == 0:
            assert_same(tmp_path / work_dir / 'epoch_40.pth', tmp_path / 'whole/epoch_40.pth')
            runs, steps = runs + 1, 0
            continue
        assert result.returncode == -signal.SIGKILL, result.stderr
        kills += 1
        path = find_newest(str(tmp_path / work_dir))
        reached = read_progress(path)['iter'] if path else 0
        assert reached >= steps
        steps = reached
    print(f'{kills} kills, {within_a_write} of them within a write; {runs} runs ended, with the bits of one not killed')
