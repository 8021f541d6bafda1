"""Work dirs, which one run at a time writes into."""

import atexit
import errno
import fcntl
import json
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import psutil

from mmdualformer.errors import UserError

LOCK = 'run.lock'
BEAT = 5.0  # seconds between two signs of life
PATIENCE = 2.5 * BEAT  # until a run of another machine is taken for dead
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)  # of a file system


class WorkDirLock:
    """Keeps other runs out of a work dir while this process lives.

    The system's lock on the file ends with the process, however that ends. Where a file system's locks do not reach
    other machines, or it has none, the file says who runs, and its time changes while that one does.

    Args:
        work_dir (str): The folder, which is made.

    Raises:
        UserError: Another run has it.
    """

    def __init__(self, work_dir: str) -> None:
        self.path = Path(work_dir, LOCK)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # not inherited by the programs that this process starts; a fork does not share a lock of this kind
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        self._released = threading.Event()
        try:
            self._take()
        except BaseException:
            os.close(self._file)
            raise
        atexit.register(self.release)

    def release(self) -> None:
        """Let other runs in, also those of other machines at once."""
        if not self._released.is_set():
            self._released.set()
            os.ftruncate(self._file, 0)
            os.close(self._file)

    def _take(self) -> None:
        has_locks = True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                self._refuse()
            if error.errno not in NO_LOCKS:
                raise
            has_locks = False
        holder = self._read()
        if holder and holder.get('host') == socket.gethostname():
            if not has_locks and holder['pid'] != os.getpid() and psutil.pid_exists(holder['pid']):
                self._refuse()
        elif holder and self._beats():
            self._refuse()
        own = dict(pid=os.getpid(), host=socket.gethostname(), since=time.strftime('%Y-%m-%d %H:%M:%S'))
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(own).encode(), 0)
        threading.Thread(target=self._beat, name='work dir', daemon=True).start()

    def _read(self) -> dict:
        """Who has, or had, the work dir; nothing where a run has ended in order."""
        with suppress(ValueError):
            holder = json.loads(os.pread(self._file, 4096, 0) or b'{}')
            if isinstance(holder, dict) and isinstance(holder.get('pid'), int):
                return holder
        return {}

    def _beats(self) -> bool:
        """Whether the file's time changes. The clocks of two machines may differ, so it is not read."""
        first = self._changed()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            time.sleep(BEAT / 10)
            if self._changed() != first:
                return True
        return False

    def _changed(self) -> int:
        # opening it has a network file system ask its server
        descriptor = os.open(self.path.parent, os.O_RDONLY)
        try:
            return os.stat(LOCK, dir_fd=descriptor).st_mtime_ns
        finally:
            os.close(descriptor)

    def _beat(self) -> None:
        while not self._released.wait(BEAT):
            with suppress(OSError):
                os.utime(self._file)

    def _refuse(self) -> NoReturn:
        holder = self._read()
        who = 'another run'
        if holder:
            who = f'process {holder["pid"]} on {holder.get("host")}, which began {holder.get("since")}'
        raise UserError(
            f'work dir {str(self.path.parent)!r} is in use by {who}; wait for it, stop it, or choose another --work-dir'
        )
