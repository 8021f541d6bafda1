import ctypes
import faulthandler
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress

import numpy as np
import psutil
import pytest

from mmdualformer.video import isolation
from mmdualformer.video.isolation import Isolated, frozen_garbage, map_isolated, report_progress
from tests.helpers import REPO, garbage_that_hangs_in_a_fork

HANGING = """
import importlib.util, os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal
spec = importlib.util.spec_from_file_location('isolation', sys.argv[1])
isolation = importlib.util.module_from_spec(spec)
spec.loader.exec_module(isolation)

def hang(item):
    os.write(1, f'{os.getpid()}\\n'.encode())
    time.sleep(1000)

for _ in isolation.map_isolated(hang, range(2), 2, 1000):
    pass
"""


def misbehave(item):
    """What decoders do."""
    faulthandler.disable()  # pytest's report
    if item == 'crash':
        ctypes.string_at(0)
    elif item == 'abort':
        os.abort()
    elif item == 'exit':
        os._exit(3)
    elif item == 'sleep':
        time.sleep(1000)
    elif item == 'raise':
        raise KeyError(item)
    elif item == 'raise what cannot be pickled':
        raise UnicodeDecodeErrorWithoutArguments()
    return item, os.getpid()


class UnicodeDecodeErrorWithoutArguments(UnicodeDecodeError):
    def __init__(self):
        super().__init__('utf-8', b'', 0, 1, 'odd')


def frames(count, side):
    return [np.full((side, side, 3), i, np.uint8) for i in range(count)]


def slow(item):
    for _ in range(4):
        time.sleep(0.3)
        report_progress()
    return item


def open_files() -> list:
    return sorted(os.listdir('/proc/self/fd'))


def pids(folder) -> tuple:
    """The pid of this process as others see it, and those of the processes that two calls ran in."""
    outcomes = [error or result[1] for _, result, error in map_isolated(misbehave, ['a', 'crash', 'b'], 1, 60)]
    (folder / 'pids').write_text(f'{os.getpid()} {outcomes[0]} {outcomes[2]} {outcomes[1]}')


@pytest.fixture
def hanging(tmp_path):
    """A process with two children that hang, and these."""
    (tmp_path / 'hanging.py').write_text(HANGING)
    process = subprocess.Popen(
        [sys.executable, tmp_path / 'hanging.py', isolation.__file__],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPO,
    )
    children = [psutil.Process(int(process.stdout.readline())) for _ in range(2)]
    yield process, children
    process.kill()
    process.communicate()


def test_what_crashes_or_hangs_is_named_and_the_rest_is_done():
    multiprocessing.RawValue('d')  # opens what the process keeps open
    before = open_files()
    items = [*range(5), 'crash', *range(5, 10), 'abort', 'sleep', 'exit', 'raise', 'raise what cannot be pickled', 10]
    outcomes = {item: (result, error) for item, result, error in map_isolated(misbehave, items, 2, 2.0)}
    assert set(outcomes) == set(items)
    assert all(outcomes[i][0][0] == i and outcomes[i][1] is None for i in range(11))
    errors = {item: error for item, (result, error) in outcomes.items() if result is None}
    assert {item: (type(error), str(error)) for item, error in errors.items()} == {
        'crash': (ChildProcessError, 'crashed: SIGSEGV'),
        'abort': (ChildProcessError, 'crashed: SIGABRT'),
        'sleep': (TimeoutError, 'no answer within 2 s'),
        'exit': (ChildProcessError, 'ended its process with status 3'),
        'raise': (KeyError, "'raise'"),
        'raise what cannot be pickled': (
            RuntimeError,
            f"{UnicodeDecodeErrorWithoutArguments.__name__}: 'utf-8' codec can't decode bytes in position 0-0: odd",
        ),
    }
    assert not multiprocessing.active_children()
    assert open_files() == before


def test_arrays_come_without_shared_memory_too(monkeypatch):
    monkeypatch.setattr(multiprocessing, 'get_start_method', lambda: 'spawn')
    with Isolated(frames, time_limit=60) as isolated:
        images = isolated.call(3, 2)
        assert [image[0, 0, 0] for image in images] == [0, 1, 2] and images[0].shape == (2, 2, 3)
        assert isolated.call(1, 0)[0].shape == (0, 0, 3)


def test_a_child_leaves_what_was_garbage_alone():
    with garbage_that_hangs_in_a_fork(), Isolated(gc.collect, 1.0) as isolated:
        assert isolated.call() >= 0
    assert gc.get_freeze_count() == 0


def test_a_fork_that_leaves_the_body_does_so_too():
    with garbage_that_hangs_in_a_fork():
        with frozen_garbage():
            pid = os.fork()
        if pid == 0:
            with frozen_garbage():
                pass  # as where it starts workers of its own
            gc.collect()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    assert gc.get_freeze_count() == 0


def test_one_that_reports_progress_is_not_hanging():
    assert list(map_isolated(slow, [1], 1, 0.9)) == [(1, 1, None)]


def test_items_are_taken_one_by_one_and_leaving_early_ends_the_children():
    taken = []
    outcomes = map_isolated(misbehave, (taken.append(i) or i for i in range(100)), 2, 60.0)
    next(outcomes)
    assert len(taken) <= 4 and len(multiprocessing.active_children()) == 2
    outcomes.close()
    assert not multiprocessing.active_children()


def test_a_child_has_its_next_item_while_the_outcome_of_the_last_is_used():
    taken = []
    with closing(map_isolated(misbehave, (taken.append(i) or i for i in range(100)), 1, 60.0)) as outcomes:
        next(outcomes)
        assert taken == [0, 1]


def test_a_child_is_kept_until_it_crashes():
    with Isolated(misbehave, 2.0) as isolated:
        (_, first), (_, second) = isolated.call('a'), isolated.call('b')
        assert first == second != os.getpid()
        with pytest.raises(ChildProcessError, match='crashed: SIGSEGV'):
            isolated.call('crash')
        _, third = isolated.call('c')
        assert third != first
        with pytest.raises(TimeoutError, match='no answer within 2 s'):
            isolated.call('sleep')
        with pytest.raises(KeyError, match='raise'):
            isolated.call('raise')
        _, fourth = isolated.call('d')
        os.kill(fourth, signal.SIGKILL)  # while it has nothing to do: no call is to blame
        os.waitid(os.P_PID, fourth, os.WEXITED | os.WNOWAIT)
        assert isolated.call('e')[0] == 'e'
    assert not multiprocessing.active_children()


@pytest.mark.parametrize('shared_size', [128 << 20, 100_000, 0])
def test_arrays_come_back_whole_writable_and_apart_from_the_next_ones(monkeypatch, shared_size):
    monkeypatch.setattr(isolation, 'SHARED_SIZE', max(shared_size, 1))
    with Isolated(frames, 60.0) as isolated:
        first = isolated.call(8, 100)
        isolated.call(8, 50)
    assert [image.shape for image in first] == [(100, 100, 3)] * 8
    assert all((image == i).all() for i, image in enumerate(first))
    first[0][:] = 7
    assert (first[1] == 1).all()


def test_a_daemonic_process_may_have_children_that_are_not_its_parents(tmp_path):
    """As the workers of data loaders are; after a fork, each process has a child of its own."""
    process = multiprocessing.get_context('fork').Process(target=pids, args=(tmp_path,), daemon=True)
    with frozen_garbage():
        process.start()
    process.join()
    worker, first, second, error = (tmp_path / 'pids').read_text().split(' ', 3)
    assert len({str(os.getpid()), worker, first, second}) == 4 and error == 'crashed: SIGSEGV'
    with Isolated(misbehave, 60.0) as isolated:
        _, ours = isolated.call('a')
        with Isolated(isolated.call, 60.0) as other:
            assert other.call('b')[1] != ours
        assert isolated.call('c')[1] == ours


def test_no_child_outlives_its_parent(hanging):
    process, children = hanging
    process.kill()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


def test_ctrl_c_ends_all(hanging):
    process, children = hanging
    for one in (process, *children):  # as the terminal does
        with suppress(psutil.NoSuchProcess):  # the first has ended it already
            one.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert errors.count('Traceback') == 1 and errors.endswith('KeyboardInterrupt\n')
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
