import json
import os
import threading
import time

import pytest

from mmdualformer import work_dirs
from mmdualformer.errors import UserError
from mmdualformer.work_dirs import LOCK, WorkDirLock
from tests.helpers import fork


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(work_dirs, 'BEAT', 0.05)
    monkeypatch.setattr(work_dirs, 'PATIENCE', 0.3)


def try_in_a_fork(folder) -> str:
    """What another process is told."""
    reader, writer = os.pipe()
    if fork() == 0:
        try:
            WorkDirLock(str(folder))
            os.write(writer, b'taken')
        except UserError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.wait()
    os.close(writer)
    return os.fdopen(reader).read()


def test_one_at_a_time(tmp_path):
    lock = WorkDirLock(str(tmp_path / 'work'))
    refusal = try_in_a_fork(tmp_path / 'work')
    assert f'in use by process {os.getpid()} on {os.uname().nodename}, which began 20' in refusal
    lock.release()
    assert try_in_a_fork(tmp_path / 'work') == 'taken'
    assert try_in_a_fork(tmp_path / 'work') == 'taken'  # the one before has ended without a word


def test_a_fork_does_not_keep_it(tmp_path):
    """As a data worker, which may outlive a killed process for a moment."""
    WorkDirLock(str(tmp_path))
    assert try_in_a_fork(tmp_path) != 'taken'


@pytest.mark.parametrize('content', ['', '{', '[]', '{"pid": "x"}', 'null'])
def test_files_that_say_nothing(content, tmp_path):
    (tmp_path / LOCK).write_text(content)
    WorkDirLock(str(tmp_path)).release()


class TestAnotherMachine:
    """Whose processes cannot be looked at, and whose locks may not reach here."""

    @pytest.fixture
    def held(self, tmp_path):
        (tmp_path / LOCK).write_text(json.dumps(dict(pid=7, host='elsewhere', since='yesterday')))
        return tmp_path

    def test_one_that_is_dead(self, held):
        WorkDirLock(str(held)).release()

    def test_one_that_lives(self, held):
        ends = threading.Event()

        def beat() -> None:
            while not ends.wait(0.02):
                os.utime(held / LOCK)

        thread = threading.Thread(target=beat)
        thread.start()
        try:
            with pytest.raises(UserError, match='process 7 on elsewhere, which began yesterday'):
                WorkDirLock(str(held))
        finally:
            ends.set()
            thread.join()

    def test_ours_beats_for_others(self, tmp_path):
        lock = WorkDirLock(str(tmp_path))
        first = (tmp_path / LOCK).stat().st_mtime_ns
        deadline = time.monotonic() + 10
        while (tmp_path / LOCK).stat().st_mtime_ns == first:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        lock.release()


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*args) -> None:
        raise OSError(work_dirs.errno.ENOLCK, 'no locks')

    monkeypatch.setattr(work_dirs.fcntl, 'lockf', refuse)
    lock = WorkDirLock(str(tmp_path))
    assert 'in use by process' in try_in_a_fork(tmp_path)
    lock.release()
    assert try_in_a_fork(tmp_path) == 'taken'
