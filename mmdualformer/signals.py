"""Signals that stop a process: one is heard to the end, a second one ends the process at once."""

import ctypes
import functools
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

# Of a batch system or a service manager, of Ctrl-C, Slurm's notice that the time is nearly over, of a closed terminal.
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
# Exit statuses of processes that were stopped, as a shell gives them.
STATUSES = tuple(128 + stop for stop in STOPS)

TICK = 0.5  # seconds between two looks
REPEAT = 1.0  # seconds; a terminal and a launcher may deliver the same Ctrl-C
PATIENCE = 5.0  # seconds until a process ends that waits in C code, where nothing is to be saved
PR_SET_PDEATHSIG = 1  # of Linux' prctl
TASKS = {'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'}  # environment: of processes that Slurm and MPI start
SAID = 'MMDUALFORMER_SAID'  # environment: a folder where the processes of one launcher note what was said


class Stopped(SystemExit):
    """A signal has come, and what there was to do is done. Its code is the exit status."""


class _Listener:
    """What has come to this process.

    Attributes:
        first (int): The signal that came first, or 0.
        is_deferred (bool): Somebody asks for it and does what is to be done; otherwise it is raised as ``Stopped``.
        is_done (bool): All was done: signals change nothing any more.
        was_said (bool): A line about it was printed.
        words (str, optional): What that line says after the name of the signal; None if this process says nothing.
    """

    def __init__(self) -> None:
        self.first = self.status = 0
        self.came = 0.0
        self.is_deferred = self.is_done = self.was_said = self.is_listening = False
        self.words: str | None = ''

    def listen(self) -> None:
        """Begin; signals that this process was started to ignore, as by nohup, stay ignored."""
        heard = [stop for stop in STOPS if signal.getsignal(stop) is not signal.SIG_IGN]
        if not self.is_listening:
            self.is_listening = True
            _care_for_forks()
            # Python's own handlers wait for the main thread to come back from C code; this does not
            sender, receiver = socket.socketpair()
            sender.setblocking(False)
            signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
            threading.Thread(target=self._watch, args=(sender, receiver), name='signals', daemon=True).start()
        for stop in heard:
            signal.signal(stop, self.handle)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, heard)  # a launcher blocks them until now

    def note(self, number: int) -> bool:
        """Remember a signal, and tell whether it is the first."""
        if self.first:
            return False
        self.first, self.status, self.came = number, 128 + number, time.monotonic()
        return True

    def end(self, status: int) -> NoReturn:
        """End the process, soon also where what it waits for does not end."""
        self.status, self.is_done, self.came = status, True, time.monotonic()
        raise Stopped(status)

    def say_first(self, number: int = 0) -> None:
        """Say which signal has come, here or, with its ``number``, to another process, and what follows from it."""
        if self.words is not None:
            say(f'stopped by {name(number or self.first)}{self.words}')

    def handle(self, number: int, frame: object) -> None:
        """Python's handler of the signals."""
        # the thread may have noted it before
        self.note(number)
        if not self.is_deferred and not self.is_done:
            self.say_first()
            self.end(self.status)

    def may_end(self) -> bool:
        """Whether a signal has come, and nobody here has work to do for it."""
        leaves_it = self.words is None and _is_said()
        return bool(self.first) and (self.is_done or not self.is_deferred or leaves_it)

    def _watch(self, sender: socket.socket, receiver: socket.socket) -> None:
        waited = 0.0
        while True:
            receiver.settimeout(TICK if self.first else None)
            try:
                (number,) = receiver.recv(1)
            except TimeoutError:
                waited = waited + TICK if self.may_end() else 0.0
                if waited >= PATIENCE:
                    self.say_first()
                    os._exit(self.status)
                continue
            if number not in STOPS:  # another signal that Python handles
                continue
            if self.note(number) or self.is_done or time.monotonic() - self.came <= REPEAT:
                continue
            # Slurm and MPI also send it when another process has ended, on the first signal
            if number != signal.SIGTERM or not self.is_deferred or not TASKS & set(os.environ):
                say(f'stopped at once by a second signal, {name(number)}')
                os._exit(128 + number)


_listener = _Listener()
listen = _listener.listen
note = _listener.note
end = _listener.end
may_end = _listener.may_end
say_first = _listener.say_first


@functools.cache
def _care_for_forks() -> None:
    os.register_at_fork(after_in_child=_leave_signals_to_parent)


def _leave_signals_to_parent() -> None:
    """In a fork, such as a data worker: what comes to all processes at once is for the parent, which ends its forks.

    It ends with the parent, however that ends. Of the parent, SIGTERM ends it too.
    """
    signal.set_wakeup_fd(-1)
    _listener.is_listening = False  # a fork has no threads
    for stop in STOPS:
        signal.signal(stop, signal.SIG_DFL if stop == signal.SIGTERM else signal.SIG_IGN)
    end_with_parent()
    if hasattr(signal, 'sigwaitinfo'):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        threading.Thread(target=_end_for_parent, name='signals', daemon=True).start()


def _end_for_parent() -> None:
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != os.getppid():
        pass
    os._exit(0)


def end_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends; only Linux does."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def received() -> int:
    """The signal that came first, or 0."""
    return _listener.first


def defer(is_deferred: bool = True) -> None:
    """Have signals wait for who asks for them with :func:`received`, instead of ending the process."""
    _listener.is_deferred = is_deferred
    if is_deferred and _listener.is_listening and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _listener.handle)


def leave_sigterm() -> None:
    """Let SIGTERM kill the process without a word, until :func:`defer`: there is nothing to save, and others tell."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def explain(words: str | None) -> None:
    """Set what is said after ``stopped by SIGTERM`` when a signal ends the process; None leaves it to another process.

    That one is also waited for.
    """
    _listener.words = words


def name(number: int) -> str:
    """What a user calls a signal."""
    return f'{signal.Signals(number).name}{" (Ctrl-C)" if number == signal.SIGINT else ""}'


@contextmanager
def said_once() -> Iterator[None]:
    """Around processes that this one starts, which may all be stopped: one of them says so, or this one does."""
    if SAID in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix='mmdualformer-') as folder:
        os.environ[SAID] = folder
        try:
            yield
        finally:
            was_said = any(Path(folder).iterdir())
            del os.environ[SAID]
            _listener.was_said |= was_said


def _is_said() -> bool:
    """Whether one of the processes of :func:`said_once` has said its line, as far as this one can know."""
    folder = os.environ.get(SAID)
    return folder is not None and _note(folder).exists()


def _note(folder: str) -> Path:
    return Path(folder, os.environ.get('TORCHELASTIC_RESTART_COUNT', '0'))


def say(line: str) -> None:
    """Print a line on stderr, unless one was printed; of the processes of :func:`said_once`, one prints it."""
    folder = os.environ.get(SAID)
    if folder:
        try:
            _note(folder).touch(exist_ok=False)
        except OSError:  # it is there, or the launcher is gone
            return
    elif _listener.was_said:
        return
    _listener.was_said = True
    with suppress(OSError):  # nobody reads it, as after Ctrl-C in a pipe
        print(line, file=sys.stderr, flush=True)
