"""Machines that are namespaces of the kernel, and commands that run on them or beside them."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from tests.helpers import REPO

LIMIT = 240  # seconds that anything is waited for; importing alone takes up to a minute where the cores are busy
TICK = 0.1


def wait_until(is_true: Callable[[], object], what: str, limit: float = LIMIT) -> None:
    """Look until something is so.

    Args:
        is_true (callable): Whether it is so.
        what (str): What is waited for, said if it does not come.
        limit (float): Seconds.
    """
    deadline = time.monotonic() + limit
    while not is_true():
        assert time.monotonic() < deadline, f'waited {limit} s for {what}'
        time.sleep(TICK)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def environment(**env: str) -> dict[str, str]:
    """What a command of a user has in its environment: `python` is this interpreter, each process has one thread."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    return {**os.environ, 'PATH': path, 'PYTHONPATH': str(REPO), 'OMP_NUM_THREADS': '1', **env}


class Command:
    """A command that runs, with what it has printed.

    Args:
        command (list): Program and arguments.
        output (Path): File for stdout and stderr.
        is_wrapped (bool): The program starts another one, which is the command. Defaults to False.
        **env (str): Environment variables to set.
    """

    def __init__(self, command: list, output: Path, is_wrapped: bool = False, **env: str) -> None:
        self.output, self.is_wrapped = output, is_wrapped
        self.began = time.monotonic()
        with output.open('w') as file:
            self.process = subprocess.Popen(
                list(map(str, command)), cwd=output.parent, env=environment(**env), stdout=file, stderr=file
            )

    @property
    def text(self) -> str:
        """What it has printed."""
        return self.output.read_text()

    @property
    def lines(self) -> list[str]:
        """The lines by which a user learns how it ended: ours, and those of the engine."""
        return [line for line in self.text.splitlines() if re.match(r'error: |stopped |srun: |mpirun', line)]

    def wait_for(self, pattern: str) -> None:
        """Wait until it has printed something."""
        wait_until(lambda: re.search(pattern, self.text) or self.process.poll() is not None, repr(pattern))
        assert re.search(pattern, self.text), self.text

    def send(self, number: int) -> None:
        """Send it a signal."""
        process = psutil.Process(self.process.pid)
        (process.children()[0] if self.is_wrapped else process).send_signal(number)

    def end(self) -> int:
        """Wait for its end, and give its exit status."""
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(LIMIT)
        self.kill()
        raise AssertionError(f'it does not end: {self.text}')

    def kill(self) -> None:
        """End it and all that it has started."""
        if self.process.poll() is None:
            for process in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self.process.kill()
            self.process.wait()


class Machine:
    """Processes that see only each other, and none of which outlives it or the tests.

    Args:
        name (str, optional): Host name. With one it has a network of its own too; without, it shares this machine's.
    """

    def __init__(self, name: str | None = None) -> None:
        own = ['--net', '--uts'] if name else []
        # it ends with its first process, which ends with its stdin, which ends with the tests
        begin = f'{f"hostname {name} && ip link set lo up && " if name else ""}echo ready && exec cat'
        self._holder = subprocess.Popen(
            ['unshare', '--pid', '--mount', *own, '--fork', '--kill-child', '--mount-proc', 'sh', '-c', begin],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout and self._holder.stdout.readline() == b'ready\n'
        self.pid = psutil.Process(self._holder.pid).children()[0].pid
        self._enter = ['nsenter', '--target', str(self.pid), '--pid', '--mount', *own, '--']

    def start(self, command: list, output: Path, **env: str) -> Command:
        """Start a command on it."""
        return Command([*self._enter, *command], output, is_wrapped=True, **env)

    def run(self, *command: str) -> str:
        """Run a command on it, and give what it printed."""
        return subprocess.run([*self._enter, *command], check=True, capture_output=True, text=True).stdout

    def die(self) -> None:
        """Kill all of its processes at once."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._holder.kill()
        self._holder.wait()
        for pipe in (self._holder.stdin, self._holder.stdout):
            pipe.close()


class Network:
    """Machines in one network: the first has the address 10.77.0.1, the second 10.77.0.2.

    Args:
        folder (Path): For the table of their names.
    """

    def __init__(self, folder: Path) -> None:
        self.machines: dict[int, Machine] = {}
        self._hosts = folder / 'hosts'
        self._hosts.write_text('127.0.0.1 localhost\n10.77.0.1 node0\n10.77.0.2 node1\n')

    def add(self, number: int) -> Machine:
        """Start a machine, also one that was there before."""
        machine = Machine(f'node{number}')
        machine.run('mount', '--bind', str(self._hosts), '/etc/hosts')
        if number == 0:
            machine.run('ip', 'link', 'add', 'eth0', 'type', 'bridge')
        else:
            first = self.machines[0]
            if number in self.machines:  # its cable goes some time after it
                with suppress(subprocess.CalledProcessError):
                    first.run('ip', 'link', 'delete', 'port')
            cable = ['ip', 'link', 'add', 'eth0', 'netns', str(machine.pid), 'type', 'veth', 'peer', 'name', 'port']
            subprocess.run([*cable, 'netns', str(first.pid)], check=True)
            first.run('ip', 'link', 'set', 'port', 'master', 'eth0', 'up')
        machine.run('ip', 'address', 'add', f'10.77.0.{number + 1}/24', 'dev', 'eth0')
        machine.run('ip', 'link', 'set', 'eth0', 'up')
        self.machines[number] = machine
        return machine

    def remove(self) -> None:
        """End all machines."""
        for machine in self.machines.values():
            machine.die()
