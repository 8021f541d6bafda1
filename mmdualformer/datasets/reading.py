"""What a process reads and since when, for who must know when it crashes or hangs in it."""

import ctypes
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_PATH = 4096  # bytes, on Linux


class Slot(ctypes.Structure):
    """What a process is reading, in memory that another process may share and so still has when it is dead."""

    _fields_ = [('since', ctypes.c_double), ('limit', ctypes.c_double), ('video', ctypes.c_char * LONGEST_PATH)]

    def fill(self, video: str, limit: float) -> None:
        """Say that a video is being read from now on, which may take ``limit`` seconds."""
        self.video, self.limit = os.fsencode(video)[:LONGEST_PATH], limit
        self.since = time.monotonic()  # last: it makes the others valid

    def clear(self) -> None:
        """Say that nothing is being read."""
        self.since = 0.0

    def read(self) -> str | None:
        """The video that is being read."""
        return os.fsdecode(self.video) if self.since else None

    def is_overdue(self) -> bool:
        """Whether it takes longer than its limit."""
        return self.since > 0 and time.monotonic() > self.since + self.limit


class Watch:
    """Looks at a slot again and again, and tells when to give up what is read.

    That is so when it is overdue, and still is after the time that it takes a decoder to notice that by itself. The
    time counts from the first look: until then all processes may have been suspended, as by Ctrl-Z or with a virtual
    machine.

    Args:
        slot (Slot): Of the process that reads.
    """

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self._since = self._seen = 0.0

    def is_over(self) -> bool:
        """Look, and tell whether it hangs."""
        if not self.slot.is_overdue():
            return False
        now = time.monotonic()
        if self._since != self.slot.since:  # another video, or the first look at this one
            self._since, self._seen = self.slot.since, now
        return now - self._seen >= max(1, self.slot.limit / 10)


_slot = Slot()
_watched = None  # the process whose slot is looked at: a fork has no threads


def share(slot: Slot) -> None:
    """Take a slot that another process looks at, which ends this one when it is overdue."""
    global _slot, _watched
    _slot, _watched = slot, os.getpid()


@contextmanager
def reading(video: str, limit: float) -> Iterator[None]:
    """Say what is being read while the body runs.

    When it takes much longer than ``limit`` seconds a decoder hangs in C code. That cannot be interrupted, so the
    process is ended: by the one that shares its slot, or else by a thread, with a line on stderr.
    """
    global _watched
    if _watched != os.getpid():
        threading.Thread(target=_watch, name='watchdog', daemon=True).start()
        _watched = os.getpid()
    _slot.fill(video, limit)
    try:
        yield
    finally:
        _slot.clear()


def _watch() -> None:
    watch = Watch(_slot)
    while True:
        time.sleep(1)
        if watch.is_over():
            print(
                f'error: video {_slot.read()!r} cannot be read: no answer within {_slot.limit:g} s; with '
                'num_workers > 0 a run goes on without it',
                file=sys.stderr,
                flush=True,
            )
            os._exit(1)
