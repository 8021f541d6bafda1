"""Processes that start others: what comes to one reaches the other, and none is left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import psutil
from torch.distributed.elastic.multiprocessing.errors import get_error_handler

from mmdualformer import signals
from mmdualformer.errors import UserError, printable

PARENT = 'MMDUALFORMER_PARENT'  # environment: the process that this one must not outlive
TICK = 1.0  # seconds between two looks at it
FIRST = 20.0  # seconds in which the first of the processes may report a mistake for all


def end_with_launcher() -> None:
    """Have this process end when the one that launched it ends, however that ends; not where a user started it."""
    parent = int(os.environ.get(PARENT, 0))
    if not parent and {'TORCHELASTIC_RUN_ID', 'OMPI_COMM_WORLD_RANK'} & set(os.environ):  # launchers of others
        parent = os.getppid()
    if not parent:
        return
    if parent == os.getppid():
        signals.end_with_parent()
    threading.Thread(target=_watch, args=(parent,), name='launcher', daemon=True).start()


def _watch(parent: int) -> None:
    is_direct = parent == os.getppid()
    while os.getppid() == parent if is_direct else psutil.pid_exists(parent):
        time.sleep(TICK)
    os.kill(os.getpid(), signal.SIGKILL)


def cpu_environment() -> dict[str, str]:
    """Environment variables for a process that trains on a CPU, but for those that the user has set.

    Threads that wait for others do not spin, which makes a step several times slower where something else runs too, as
    the workers that read videos do. And memory that a step gives back is kept for the next.
    """
    settings = {
        'OMP_WAIT_POLICY': 'PASSIVE',
        'MALLOC_MMAP_THRESHOLD_': str(2**25),  # the most that glibc takes
        'MALLOC_TRIM_THRESHOLD_': str(2**33),
    }
    return {name: value for name, value in settings.items() if name not in os.environ}


def run(command: Sequence[str], **env: str) -> int:
    """Run a command to its end, and pass on to it the signals that come meanwhile.

    The command ends when this process does.

    Args:
        command (sequence): The program and its arguments.
        **env (str): Environment variables to set.

    Returns:
        int: Exit status, 128 and the number of the signal that killed it.
    """
    process: subprocess.Popen | None = None

    def forward(number: int, frame: object) -> None:
        signals.note(number)
        if process is not None:
            with suppress(ProcessLookupError):
                process.send_signal(number)

    heard = [stop for stop in signals.STOPS if signal.getsignal(stop) is not signal.SIG_IGN]
    before = {stop: signal.signal(stop, forward) for stop in heard}
    signals.defer()
    try:
        with signals.said_once():
            process = subprocess.Popen(command, env={**os.environ, **env, PARENT: str(os.getpid())})
            if signals.received():
                process.send_signal(signals.received())
            status = process.wait()
    finally:
        signals.defer(False)
        for stop, handler in before.items():
            signal.signal(stop, handler)
    return 128 - status if status < 0 else status


def report(message: str, is_for_all: bool = False) -> None:
    """Print what went wrong as one line on stderr, or, under torchrun, have the launcher print it, once for all.

    Slurm and MPI end the others when a process fails. So those leave the line to the first for a while, which makes the
    same mistake if it is the user's.

    Args:
        message (str): The line, without ``error:``.
        is_for_all (bool): No other process says it. Defaults to False.
    """
    message = printable(message)
    if os.environ.get('TORCHELASTIC_ERROR_FILE'):
        get_error_handler().record_exception(UserError(message))
    else:
        if is_other_task() and not is_for_all:
            signals.leave_sigterm()
            time.sleep(FIRST)
        print(f'error: {message}', file=sys.stderr, flush=True)


def is_other_task() -> bool:
    """Whether Slurm or MPI has started this process, and it is not the first of the run."""
    return os.environ.get('OMPI_COMM_WORLD_RANK', os.environ.get('SLURM_PROCID', '0')) != '0'


def is_first(launcher: str) -> bool:
    """Whether this is the first process of a run, before the processes know each other.

    Args:
        launcher (str): ``'pytorch'``, ``'slurm'`` or ``'mpi'``, or ``'none'`` for a single process.
    """
    rank = {'pytorch': 'RANK', 'slurm': 'SLURM_PROCID', 'mpi': 'OMPI_COMM_WORLD_RANK'}.get(launcher)
    return rank is None or os.environ.get(rank, '0') == '0'
