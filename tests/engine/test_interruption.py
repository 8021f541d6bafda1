"""Runs that are stopped, with real signals to real processes."""

import os
import signal
import stat
from pathlib import Path

import psutil
import pytest

from mmdualformer.weights import load_safely
from tests.helpers import REPO, free_port
from tests.running import Running

CONFIG = REPO / 'configs/dualformer_micro_motion.py'


@pytest.fixture
def train(data_options, tmp_path):
    """Start a long training; gives the running process when it has trained a step."""

    runs: list[Running] = []

    def start(*options, processes=1, text='Epoch(train)', folder='run', **env):
        settings = [*data_options, 'default_hooks.logger.interval=1', 'train_cfg.max_epochs=10000', *options]
        arguments = ('--work-dir', tmp_path / 'work', '--cfg-options', *settings)
        if processes == 1:
            run = Running(tmp_path / folder, 'tools/train.py', CONFIG, *arguments, **env)
        else:
            run = Running(
                tmp_path / folder,
                'tools/dist_train.sh',
                CONFIG,
                processes,
                *arguments,
                program='bash',
                PORT=free_port(),
                **env,
            )
        runs.append(run)
        if text:
            run.wait_for(text)
        return run

    yield start
    for run in runs:
        run.kill()


def assert_stopped(run: Running, name: str, words: str = '', file: str = 'mid_epoch.pth') -> None:
    """One line says what came and what holds the weights, and that is so."""
    (line,) = [line for line in run.stderr.splitlines() if 'stopped' in line]
    path = run.folder.parent / 'work' / file
    assert line == f'stopped by {name}; {path} holds all that was trained, and --resume goes on from it{words}'
    assert 'Traceback' not in run.output and 'error' not in run.stderr
    assert (path.parent / 'last_checkpoint').read_text() == str(path)
    assert load_safely(str(path))['meta']['iter'] > 0


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_all_processes_of_a_terminal(number, train):
    """Data workers get it too: they neither die before the step is over nor say anything."""
    run = train('train_dataloader.num_workers=2')
    assert len(run.started) == 2
    run.send(number, to_group=True)
    assert run.end() == 128 + number
    assert_stopped(run, {signal.SIGINT: 'SIGINT (Ctrl-C)'}.get(number, signal.Signals(number).name))


@pytest.mark.parametrize('refuses', [False, True])
def test_a_notice_of_slurm_queues_the_job_again(refuses, train, tmp_path):
    scontrol = tmp_path / 'bin' / 'scontrol'
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n' + 'echo not allowed >&2; exit 1\n' * refuses)
    scontrol.chmod(scontrol.stat().st_mode | stat.S_IEXEC)
    run = train(SLURM_JOB_ID='77', PATH=f'{scontrol.parent}:{os.environ["PATH"]}')
    run.send(signal.SIGUSR1)
    assert run.end() == (138 if refuses else 0)
    assert (tmp_path / 'asked').read_text() == 'requeue 77\n'
    assert_stopped(run, 'SIGUSR1', f'; job 77 is {"not queued again: not allowed" if refuses else "queued again"}')


@pytest.mark.parametrize('state', ['RUNNING', 'COMPLETING'])
def test_a_job_in_whose_place_another_comes_is_queued_again(state, train, tmp_path):
    """Slurm asks for its end, and takes it for failed if it ends; a cancelled job is asked in the same way."""
    scontrol = tmp_path / 'bin' / 'scontrol'
    scontrol.parent.mkdir()
    shown = f'JobState={state} PreemptEligibleTime=2026-11-27T15:57:00 PreemptTime=2026-11-27T15:59:39'
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\necho "{shown}"\n')
    scontrol.chmod(scontrol.stat().st_mode | stat.S_IEXEC)
    run = train(SLURM_JOB_ID='77', PATH=f'{scontrol.parent}:{os.environ["PATH"]}')
    run.send(signal.SIGTERM)
    is_preempted = state == 'RUNNING'
    assert run.end() == (0 if is_preempted else 143)
    assert (tmp_path / 'asked').read_text().splitlines() == ['show job 77', 'requeue 77'][: 1 + is_preempted]
    assert_stopped(run, 'SIGTERM', '; job 77 is queued again' if is_preempted else '')


@pytest.mark.parametrize('interval', [1, 5])
def test_validation_ends_and_what_is_not_saved_is_saved(interval, train):
    options = ('val_dataloader.batch_size=1', f'default_hooks.checkpoint.interval={interval}')
    run = train(*options, 'default_hooks.stall.limit_minutes=5', text='Epoch(val)')
    run.send(signal.SIGSTOP)  # somewhere in or after a validation; epochs are as short
    run.send(signal.SIGTERM)
    run.send(signal.SIGCONT)
    assert run.end() == 143
    path = (run.folder.parent / 'work/last_checkpoint').read_text()
    assert_stopped(run, 'SIGTERM', file=Path(path).name)


def test_a_signal_before_training(train):
    """While the model is built, which is when the run's config is printed."""
    run = train(text='work_dir = ')
    run.send(signal.SIGTERM)
    assert run.end() == 143
    assert 'Traceback' not in run.output and 'stopped by SIGTERM' in run.stderr


def test_two_processes(train, tmp_path):
    """They listen on this machine only, keep others out of the work dir, and stop when one of them is told to."""
    run = train(processes=2)
    listening = {
        socket.laddr.ip
        for process in (run.process, *run.started)
        for socket in process.net_connections('inet')
        if socket.status == psutil.CONN_LISTEN
    }
    assert listening == {'127.0.0.1'}

    other = train(text=None, folder='other')
    assert other.end() == 1
    holder = next(process for process in run.process.children() if process.environ()['RANK'] == '0')
    assert f"work dir '{tmp_path}/work' is in use by process {holder.pid} on {os.uname().nodename}" in other.stderr

    ranks = run.process.children()
    next(process for process in ranks if process.environ()['RANK'] == '1').send_signal(signal.SIGUSR1)
    assert run.end() == 138
    assert_stopped(run, 'SIGUSR1')


def test_a_process_that_hangs(train):
    """The others print where they wait, say which one it is, and the run fails."""
    run = train('default_hooks.stall.limit_minutes=0.05', processes=2)
    next(process for process in run.process.children() if process.environ()['RANK'] == '1').suspend()
    assert run.end() == 1
    assert 'rank 0 waits since ' in run.stderr and 'MainThread:' in run.stderr and 'tools/train.py' in run.stderr
    (line,) = [line for line in run.stderr.splitlines() if 'error' in line]
    assert line.startswith('error: no step has ended for 3 s, and rank 1 does not answer')


def test_a_killed_launcher_leaves_nothing_behind(train):
    run = train('train_dataloader.num_workers=1', processes=2)
    run.started = run.process.children(recursive=True)  # the data workers, which its output did not wait for, too
    run.send(signal.SIGKILL)
    assert run.end() == -signal.SIGKILL
    run = train(folder='again')  # in the same work dir, at once
    run.send(signal.SIGTERM)
    assert run.end() == 143
