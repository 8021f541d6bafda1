"""Calls in child processes, for code that may crash or never return: it ends the child, and its caller goes on.

Of the process pools that there are, concurrent.futures' breaks as a whole when a child crashes. Pebble's survives, but
cannot start in a daemonic process, as data workers are, and leaves a child that hangs behind when it is killed itself.
"""

import ctypes
import gc
import mmap
import multiprocessing
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import accumulate, islice
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')

START_LIMIT = 60.0  # seconds until a child has started, which count for no call
END_LIMIT = 5.0  # seconds; a child that waits for a file system that does not answer cannot be killed, and stays behind
TICK = 1.0  # seconds between two looks at children that say nothing
SHARED_SIZE = 128 << 20  # bytes for arrays, of which only those that are used are taken from the system
PR_SET_PDEATHSIG = 1  # of Linux' prctl

_progress: ctypes.c_double | None = None  # in a child: when it last made progress


def map_isolated(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, time_limit: float
) -> Generator[tuple[Item, Result | None, Exception | None], None, None]:
    """Call a function for each item, in child processes of which one that crashes or hangs is replaced.

    Args:
        function (Callable): What is called with an item. What it returns can be pickled.
        items (iterable): Its arguments, which can be pickled.
        workers (int): Child processes.
        time_limit (float): Seconds that a call may take, or that may pass between two of its calls of
            :func:`report_progress`.

    Yields:
        tuple: An item, what the function returned, and None; or an item, None, and the error: what the function
        raised, a ChildProcessError if it ended the child, or a TimeoutError. Those that are done first come first.
    """
    items = iter(items)
    idle: list[_Child] = []
    busy: dict[_Child, Item] = {}

    def begin() -> None:
        for item in islice(items, workers - len(busy)):
            child = idle.pop() if idle else _Child(function)
            busy[child] = item
            child.begin(item)

    try:
        begin()
        while busy:
            wait([child.connection for child in busy], min(TICK, time_limit))
            for child in list(busy):
                outcome = child.outcome(time_limit)
                if outcome is not None:
                    item = busy.pop(child)
                    if not child.connection.closed:
                        idle.append(child)
                    begin()  # before what is done with this outcome, which may take a while
                    yield item, *outcome
    finally:
        for child in (*idle, *busy):
            child.end()


class Isolated:
    """A function in a child process, which is kept for the next call, and replaced when it has crashed or hung.

    Args:
        function (Callable): What is called. Its arguments and what it returns can be pickled.
        time_limit (float): Seconds that a call may take.
        start_method (str, optional): How the process is started, as multiprocessing names it. Defaults to None, as is
            usual on the system. ``'forkserver'`` is for callers with threads, whose locks a fork would copy; the
            function must be one that can be pickled.

    Examples:
        >>> with Isolated(divmod, time_limit=60) as isolated:
        ...     isolated.call(7, 2)
        (3, 1)
    """

    def __init__(self, function: Callable, time_limit: float, start_method: str | None = None) -> None:
        self.function = function
        self.time_limit = time_limit
        self.start_method = start_method
        self._child: _Child | None = None

    def call(self, *args) -> Any:
        """Call the function in the child process.

        Raises:
            ChildProcessError: It ended the process.
            TimeoutError: It took too long.
            Exception: What it raised.
        """
        child = self._child
        if child is None or not child.is_usable():
            child = self._child = _Child(self.function, self.start_method)
        child.begin(*args)
        while (outcome := child.outcome(self.time_limit)) is None:
            wait([child.connection], min(TICK, self.time_limit))
        result, error = outcome
        if error is not None:
            raise error
        return result

    def kill(self) -> None:
        """End the child process from another thread than that of a call, which then raises ChildProcessError."""
        if self._child is not None:
            self._child.process.kill()

    def close(self) -> None:
        """End the child process; the next call starts another."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def __enter__(self) -> 'Isolated':
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __reduce__(self) -> tuple:  # a copy has a child of its own
        return Isolated, (self.function, self.time_limit, self.start_method)


def report_progress() -> None:
    """Say, in a function that a child process runs, that it is not hanging; elsewhere do nothing."""
    if _progress is not None:
        _progress.value = time.monotonic()


def describe_exit(exitcode: int | None) -> str:
    """How a process ended, such as ``'crashed: SIGSEGV'``.

    Args:
        exitcode (int, optional): That of ``multiprocessing.Process``: negative for a signal.
    """
    if exitcode is None or exitcode >= 0:
        return f'ended its process with status {exitcode}'
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = f'signal {-exitcode}'
    return f'killed: {name}, mostly for want of memory' if name == 'SIGKILL' else f'crashed: {name}'


@contextmanager
def frozen_garbage() -> Iterator[None]:
    """Keep what is garbage now from being collected in processes that the body forks.

    Objects of OpenVINO, for one, wait at their end for threads of theirs, which a fork does not have: it would hang.
    """
    process, was_frozen = os.getpid(), gc.get_freeze_count() > 0
    gc.freeze()
    try:
        yield
    finally:
        # a fork that leaves the body keeps it frozen, and so does one that forks in its turn
        if os.getpid() == process and not was_frozen:
            gc.unfreeze()


class _Child:
    """A process that makes one call after another, and the caller's end of the pipe to it.

    Arrays of a result come through shared memory where the two have some: 8 MB in 3 ms, where the pipe takes 30.
    """

    def __init__(self, function: Callable, start_method: str | None = None) -> None:
        context = multiprocessing.get_context(start_method)
        self.connection, other_end = context.Pipe()
        self.progress = context.RawValue('d')
        self.shared = mmap.mmap(-1, SHARED_SIZE) if context.get_start_method() == 'fork' else bytearray()
        self.process = context.Process(  # type: ignore[attr-defined]
            target=_serve, args=(function, other_end, self.progress, self.shared), daemon=True
        )
        self.caller = os.getpid()
        caller = multiprocessing.current_process()
        daemon = caller.daemon
        caller.daemon = False  # or multiprocessing would not let data workers have children; these end with them
        try:
            with frozen_garbage():
                self.process.start()
        finally:
            caller.daemon = daemon
            other_end.close()

    def is_usable(self) -> bool:
        """Whether it waits for a call of this process; after a fork it belongs to the other one."""
        return self.caller == os.getpid() and not self.connection.closed and self.process.is_alive()

    def begin(self, *args) -> None:
        """Have it call the function."""
        self.begun = time.monotonic()
        with suppress(OSError):  # it has died, as its outcome will be
            self.connection.send(args)

    def outcome(self, time_limit: float) -> tuple[Any, Exception | None] | None:
        """What the call returned, and the error or None; None while it is still being made."""
        if self.connection.poll():
            try:
                pickled, sizes = self.connection.recv()
                return _unpack(pickled, sizes, self.shared)
            except (EOFError, OSError):
                self.process.join(END_LIMIT)
                reason = describe_exit(self.process.exitcode)
                self.end()
                return None, ChildProcessError(reason)
        since = self.progress.value
        if since < self.begun:
            since = self.begun + START_LIMIT
        if time.monotonic() > since + time_limit:
            self.end()
            return None, TimeoutError(f'no answer within {time_limit:g} s')
        return None

    def end(self) -> None:
        """Kill it, and leave nothing of it behind."""
        self.connection.close()
        if self.caller == os.getpid():
            self.process.kill()
            self.process.join(END_LIMIT)


def _serve(
    function: Callable, connection: Connection, progress: ctypes.c_double, shared: mmap.mmap | bytearray
) -> None:
    global _progress
    _progress = progress
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches its parent too, which kills it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _die_with_parent()
    while True:
        try:
            args = connection.recv()
        except EOFError:
            return
        report_progress()
        try:
            answer = _pack((function(*args), None), shared)
        except Exception as error:
            answer = _pack((None, _picklable(error)), shared)
        connection.send(answer)
        del args, answer


def _die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it ends, however that ends."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            os._exit(1)


def _picklable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # what the constructor of an error asks for differs
        return RuntimeError(f'{type(error).__name__}: {error}')
    return error


def _pack(answer: object, shared: mmap.mmap | bytearray) -> tuple[bytes, list[int]]:
    """Pickle an answer; its arrays go to the shared memory, one after another, as long as there is room."""
    sizes: list[int] = []

    def share(buffer: pickle.PickleBuffer) -> bool:
        with buffer.raw() as content:
            start = sum(sizes)
            if start + content.nbytes > len(shared):
                return True  # into the pickle
            shared[start : start + content.nbytes] = content
            sizes.append(content.nbytes)
            return False

    return pickle.dumps(answer, 5, buffer_callback=share), sizes


def _unpack(pickled: bytes, sizes: list[int], shared: mmap.mmap | bytearray) -> Any:
    with memoryview(shared) as content:
        buffers = [bytearray(content[end - size : end]) for end, size in zip(accumulate(sizes), sizes)]
    return pickle.loads(pickled, buffers=buffers)
