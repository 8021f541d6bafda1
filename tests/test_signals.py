"""Signals to a small process, a fork of this one."""

import os
import signal
import threading
import time

import pytest
import torch

from mmdualformer import cli, processes, signals
from mmdualformer.errors import UserError
from tests import helpers


@pytest.fixture
def fork(monkeypatch, capfd):
    """Run a function in a fork; gives its exit status and what it said."""
    monkeypatch.setattr(signals, 'REPEAT', 0.2)
    monkeypatch.setattr(signals, 'TICK', 0.02)
    monkeypatch.setattr(signals, 'PATIENCE', 0.1)
    monkeypatch.delenv(signals.SAID, raising=False)

    def run(function) -> tuple[int, str]:
        pid = helpers.fork()
        if pid == 0:
            code = 99
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                signals.defer(False)
                signals.explain('')  # other tests may have run a tool in this process
                function()
            except signals.Stopped as stop:
                code = stop.code
            finally:
                os._exit(code)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return status, capfd.readouterr().err

    return run


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def test_without_work_to_do_it_ends(fork):
    def main() -> None:
        signals.listen()
        signals.explain('; nothing is lost')
        send(signal.SIGTERM)
        time.sleep(5)

    assert fork(main) == (143, 'stopped by SIGTERM; nothing is lost\n')


def test_it_waits_for_who_asks(fork):
    def main() -> None:
        signals.listen()
        signals.defer()
        send(signal.SIGUSR1)
        time.sleep(0.5)
        signals.end(128 + signals.received())

    assert fork(main) == (138, '')


def test_a_second_one_ends_at_once_and_a_repeated_one_does_not(fork):
    def main() -> None:
        signals.listen()
        signals.defer()
        send(signal.SIGINT)
        send(signal.SIGINT)  # a terminal and a launcher both deliver it
        time.sleep(0.3)
        print('still here', file=os.fdopen(2, 'w', closefd=False), flush=True)
        send(signal.SIGTERM)
        time.sleep(5)

    assert fork(main) == (143, 'still here\nstopped at once by a second signal, SIGTERM\n')


def test_where_python_waits_in_c(fork):
    """Its own handlers would wait too."""

    def main() -> None:
        signals.listen()
        reader, _ = os.pipe()
        libc = __import__('ctypes').CDLL(None)
        pid = os.getpid()
        os.posix_spawn('/bin/sh', ['sh', '-c', f'sleep 0.2; kill -TERM {pid}'], os.environ)
        buffer = __import__('ctypes').create_string_buffer(1)
        while True:  # what comes interrupts the read, as libraries it start again
            libc.read(reader, buffer, 1)

    status, said = fork(main)
    assert (status, said) == (143, 'stopped by SIGTERM\n')


def test_a_task_waits_for_the_first(fork, monkeypatch):
    """Slurm and MPI end the others when the first has saved; their SIGTERM then does not stop one that saves."""
    monkeypatch.setenv('SLURM_PROCID', '1')

    def main() -> None:
        signals.listen()
        signals.explain(None)
        signals.defer()
        send(signal.SIGUSR1)
        time.sleep(2 * (signals.PATIENCE + signals.REPEAT))
        send(signal.SIGTERM)
        time.sleep(4 * signals.TICK)
        signals.end(7)

    assert fork(main) == (7, '')


def test_what_it_was_started_to_ignore_stays_ignored(fork):
    def main() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signals.listen()
        send(signal.SIGHUP)
        raise signals.Stopped(7)

    assert fork(main) == (7, '')


def test_one_of_several_processes_says_so(fork):
    def main() -> None:
        with signals.said_once():
            if os.fork() == 0:
                signals.say('one')
                os._exit(0)
            os.wait()
            signals.say('two')
        signals.say('three')

    assert fork(main) == (99, 'one\n')


def test_a_fork_leaves_signals_to_its_parent(fork):
    def main() -> None:
        signals.listen()
        signals.defer()
        pid = os.fork()
        if pid == 0:
            time.sleep(30)
            os._exit(5)
        time.sleep(0.1)
        outsider = os.posix_spawn('/bin/sh', ['sh', '-c', f'kill -INT {pid}; kill -USR1 {pid}; kill {pid}'], os.environ)
        os.waitpid(outsider, 0)
        time.sleep(0.2)
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        os.kill(pid, signal.SIGTERM)
        assert os.waitpid(pid, 0)[1] == 0
        os._exit(0)

    assert fork(main) == (0, '')


def test_another_task_dies_without_a_word_until_it_trains(fork, monkeypatch):
    monkeypatch.setenv('SLURM_PROCID', '1')
    assert fork(lambda: cli.run(lambda: send(signal.SIGTERM))) == (-signal.SIGTERM, '')

    def train() -> None:
        signals.defer()
        send(signal.SIGTERM)
        time.sleep(0.1)
        signals.end(128 + signals.received())

    assert fork(lambda: cli.run(train)) == (143, '')


def test_another_task_leaves_a_mistake_to_the_first(fork, monkeypatch):
    def fail() -> None:
        raise UserError('no')

    def main() -> None:
        threading.Timer(0.3, send, (signal.SIGTERM,)).start()  # as the launcher does for the first
        cli.run(fail)

    monkeypatch.setenv('SLURM_PROCID', '1')
    assert fork(main) == (-signal.SIGTERM, '')
    monkeypatch.setattr(processes, 'FIRST', 0)  # which does not make it
    assert fork(main)[1] == 'error: no\n'
    monkeypatch.setenv('SLURM_PROCID', '0')
    assert fork(main)[1] == 'error: no\n'


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (
            RuntimeError('[/a/gloo/transport/tcp/pair.cc:553] Connection closed by peer [10.0.0.2]:5. This is typical'),
            'another process of this run has ended: Connection closed by peer [10.0.0.2]:5',
        ),
        (
            torch.distributed.DistNetworkError('failed to listen on 10.0.0.1:5: errno: EADDRINUSE (address in use)'),
            'MASTER_PORT=5 is taken on MASTER_ADDR=10.0.0.1; set another for each run',
        ),
    ],
)
def test_what_other_processes_do_is_one_line(error, line, fork, monkeypatch):
    def fail() -> None:
        raise error

    monkeypatch.setenv('MASTER_ADDR', '10.0.0.1')
    monkeypatch.setenv('MASTER_PORT', '5')
    assert fork(lambda: cli.run(fail))[1] == f'error: {line}\n'
