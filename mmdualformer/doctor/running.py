"""Checks, run in processes of their own: one that crashes or hangs is a fault, and the others go on."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, NamedTuple

from mmdualformer.commands import IN_CHECKOUT, ROOT

OK, WARNING, FAULT = 'ok', 'warning', 'fault'
MMCV = 'mmcv-lite>=2.1.0,<2.2'
PACKAGE_OF = {'cv2': 'opencv-python', 'PIL': 'pillow', 'yaml': 'pyyaml', 'mmaction': 'mmaction2', 'mmcv': f"'{MMCV}'"}

_nested = False  # whether this process runs a check


class Result(NamedTuple):
    """What a check found.

    Attributes:
        name (str): What was looked at.
        status (str): ``'ok'``, ``'warning'`` or ``'fault'``.
        text (str): What was found, in one line.
        mend (str): The command that mends it; empty where all is well.
    """

    name: str
    status: str
    text: str
    mend: str = ''


class Check(NamedTuple):
    """A function to run in a process of its own.

    Attributes:
        name (str): What it looks at.
        function (Callable): Yields a Result for each thing that it looked at.
        mend (str): The command for where the function crashes, hangs or raises.
        seconds (float): What it may take. Defaults to 10.
    """

    name: str
    function: Callable[[], Iterable[Result]]
    mend: str
    seconds: float = 10


def pip(arguments: str) -> str:
    """The command that runs pip for this Python, with the pinned versions where there is a checkout."""
    found = shutil.which('python')
    python = 'python' if found and Path(found).parent == Path(sys.executable).parent else shlex.quote(sys.executable)
    if IN_CHECKOUT and arguments.startswith('install '):
        arguments = f'install -c {shlex.quote(shown(ROOT / "constraints.txt"))} {arguments.removeprefix("install ")}'
    return f'{python} -m pip {arguments}'


def shown(path: Path) -> str:
    """A path as seen from the current folder."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def first_line(error: object) -> str:
    """The first line of what an error says."""
    return next(iter(str(error).strip().splitlines()), '')


def import_or_fault(module: str) -> tuple[Any, list[Result]]:
    """Import a module: the module and no result, or None and the fault."""
    try:
        return importlib.import_module(module), []
    except Exception as error:
        return None, [_describe(error, module, pip(f'install --force-reinstall {PACKAGE_OF.get(module, module)}'))]


def run(checks: Sequence[Check], slots: int) -> Iterator[Result]:
    """Run checks, ``slots`` at a time, and give their results in the order of the checks, as they become known."""
    waiting = sorted(checks, key=lambda check: check.seconds)  # from its end: the longest first
    running: list[_Process] = []
    done: dict[Check, list[Result]] = {}
    order = iter(checks)
    check = next(order, None)
    try:
        while check is not None:
            while waiting and len(running) < slots:
                running.append(_Process(waiting.pop()))
            wait([end for process in running for end in process.ends()], 0.5)
            for process in [process for process in running if process.is_done()]:
                running.remove(process)
                done[process.check] = process.results
            while check is not None and check in done:
                yield from done[check]
                check = next(order, None)
    finally:
        for process in running:
            process.kill()


class _Process:
    """A process that runs a check and sends its results, and None at the end."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self.results: list[Result] = []
        self.output = tempfile.TemporaryFile('w+', errors='replace')
        self.connection, other_end = context().Pipe(duplex=False)
        self.process = context().Process(target=_serve, args=(check, other_end, self.output.fileno()))
        self.process.start()
        self.deadline = time.monotonic() + check.seconds
        other_end.close()

    def ends(self) -> list:
        return [self.connection, self.process.sentinel]

    def is_done(self) -> bool:
        """Receive what there is; and where the process has ended, or must be, add how as a fault."""
        ended = not self.process.is_alive()
        with suppress(EOFError):
            while self.connection.poll():
                result = self.connection.recv()
                if result is None:
                    self.kill()
                    return True
                self.results.append(Result(*result))
        if not ended and time.monotonic() < self.deadline:
            return False
        if ended:
            code = self.process.exitcode or 0
            how = f'crashed: {signal.Signals(-code).name}' if code < 0 else f'ended with status {code}'
        else:
            how = f'no answer within {self.check.seconds:g} s'
        self.kill()
        self.output.seek(0)
        words = self.output.read().split('\n')
        last = next((f'; it said: {line.strip()[:200]}' for line in reversed(words) if line.strip()), '')
        self.results.append(Result(self.check.name, FAULT, how + last, self.check.mend))
        return True

    def kill(self) -> None:
        """End the process and those that it started."""
        if not _nested:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid or 0, signal.SIGKILL)
        self.process.kill()
        self.process.join(5)


def context() -> Any:
    """Forks: a child begins at once, and runs what its parent gives it."""
    return multiprocessing.get_context('fork')


def _serve(check: Check, connection: Any, output: int) -> None:
    global _nested
    if not _nested:
        os.setsid()  # so that its own children end with it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    _nested = True
    os.dup2(output, 1)  # libraries print, and JSON must stay JSON
    os.dup2(output, 2)
    try:
        for result in check.function():
            connection.send(tuple(result))  # a class would be looked up in the package, which may be gone by now
    except Exception as error:
        connection.send(tuple(_describe(error, check.name, check.mend)))
    connection.send(None)


def _describe(error: Exception, name: str, mend: str) -> Result:
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = PACKAGE_OF.get(error.name, error.name.partition('.')[0])
        if '.' not in error.name:
            return Result(name, FAULT, f'{error.name} is missing', pip(f'install {package}'))
    return Result(name, FAULT, f'{type(error).__name__}: {first_line(error)}', mend)
