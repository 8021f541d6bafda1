"""Processes one after the other, each with a limit of its own."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mmdualformer import processes
from mmdualformer.errors import printable

GRACE = 3.0  # seconds from SIGTERM to SIGKILL


@dataclass(frozen=True)
class Job:
    """A process to run.

    Attributes:
        name (str): Its log is ``<name>.log``.
        command (callable): Gives the command, told the seconds that it may take.
        seconds (float): Its share of the time.
    """

    name: str
    command: Callable[[float], Sequence[str]]
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What became of a process.

    Attributes:
        name (str): That of its job.
        status (str): ``'done'``, ``'failed'`` or ``'out of time'``.
        reason (str): Why it is not done, in one line.
        seconds (float): How long it took.
    """

    name: str
    status: str
    reason: str
    seconds: float


def run_jobs(jobs: Sequence[Job], folder: Path, say: Callable[[Outcome], None]) -> list[Outcome]:
    """Run processes in turn; one that fails or is out of time does not keep the next from running.

    A job may take its own seconds and those that the ones before it have left, so that all together take no more than
    the sum. At its limit it is ended, with all processes that it has started.

    Args:
        jobs (sequence): What to run.
        folder (Path): Where the logs are written.
        say (callable): Gets each outcome when it is there.

    Returns:
        list[Outcome]: One for each job.
    """
    outcomes = []
    deadline = time.monotonic()
    for job in jobs:
        deadline += job.seconds
        outcome = _run(job, deadline, folder / f'{job.name}.log')
        say(outcome)
        outcomes.append(outcome)
    return outcomes


def _run(job: Job, deadline: float, log: Path) -> Outcome:
    start = time.monotonic()
    limit = max(deadline - start, 0.0)
    with open(log, 'wb') as file:
        process = subprocess.Popen(
            job.command(limit),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, processes.PARENT: str(os.getpid())},
            start_new_session=True,
        )
        try:
            status: int | None = process.wait(max(limit - GRACE, 0.1))
        except subprocess.TimeoutExpired:
            status = None
        finally:
            _end(process)
    seconds = time.monotonic() - start
    if status is None:
        return Outcome(job.name, 'out of time', f'it was ended after {seconds:.0f} s; it keeps what it has', seconds)
    if status:
        return Outcome(job.name, 'failed', _last_line(log) or f'exit status {status}', seconds)
    return Outcome(job.name, 'done', '', seconds)


def _end(process: subprocess.Popen) -> None:
    """End a process and all of its session, which those that it has left behind are in."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding='utf-8', errors='replace').splitlines()]
    return printable(next((line for line in reversed(lines) if line), ''))
