"""Tools that run while a test goes on."""

import os
import runpy
import signal
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import psutil

from tests.helpers import REPO, fork

LIMIT = 120  # seconds, of a machine that does much else


class Running:
    """A process in a session of its own, whose output goes into a folder.

    Args:
        folder (Path): Where it runs.
        *command: A tool and its arguments.
        program (str, optional): Such as ``'bash'``; without it the tool runs in a fork of this process, which has
            imported everything already.
        **env (str): Environment variables.
    """

    def __init__(self, folder: Path, *command, program: str | None = None, **env: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.outputs = [folder / 'stdout.txt', folder / 'stderr.txt']
        words = [str(REPO / command[0]), *map(str, command[1:])]
        files = [os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for path in self.outputs]
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in the background
        try:
            if program:
                path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
                environ = {**os.environ, 'PATH': path, 'OMP_NUM_THREADS': '1', **env}
                self.pid = subprocess.Popen(
                    [program, *words], cwd=folder, env=environ, stdout=files[0], stderr=files[1], start_new_session=True
                ).pid
            else:
                self.pid = fork()
                if self.pid == 0:
                    os.setsid()
                    os.environ.update(env)
                    be_tool(folder, words, files)
        finally:
            signal.signal(signal.SIGINT, before)
            for file in files:
                os.close(file)
        self.process = psutil.Process(self.pid)
        self.started: list[psutil.Process] = []

    @property
    def stderr(self) -> str:
        """What it has printed there, without the log of a run."""
        lines = self.outputs[1].read_text().splitlines()
        return '\n'.join(line for line in lines if ' - mmengine - ' not in line)

    def wait_for(self, text: str, count: int = 1) -> None:
        """Wait until it has printed a text."""
        deadline = time.monotonic() + LIMIT
        while sum(path.read_text().count(text) for path in self.outputs) < count:
            assert self.process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline, self.output
            time.sleep(0.02)
        self.started = self.process.children(recursive=True)

    @property
    def output(self) -> str:
        """All that it has printed."""
        return ''.join(path.read_text() for path in self.outputs)

    def send(self, number: int, to_group: bool = False) -> None:
        """Send a signal to it, or to all processes of its terminal."""
        (os.killpg if to_group else os.kill)(self.pid, number)

    def end(self) -> int:
        """Wait for its end and that of all processes that it had started; its exit status, negative for a signal."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        _, alive = psutil.wait_procs(self.started, timeout=10)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        assert not alive, alive
        return status

    def kill(self) -> None:
        """End what is left of it."""
        with suppress(psutil.NoSuchProcess):
            for process in (self.process, *self.process.children(recursive=True)):
                process.kill()
            os.waitpid(self.pid, 0)


def be_tool(folder: Path, words: list[str], files: list[int]) -> NoReturn:
    """In a fork: run a tool of the repository in a folder, with its output in two open files, and end."""
    code: object = 1
    try:
        for number, file in enumerate(files, 1):
            os.dup2(file, number)
        sys.stdout, sys.stderr = open(1, 'w', closefd=False), open(2, 'w', closefd=False)
        os.chdir(folder)
        sys.argv = words
        runpy.run_path(str(REPO / words[0]), run_name='__main__')
        code = 0
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)
