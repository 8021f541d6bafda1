"""A data loader that goes on when a video crashes a worker, or has it hang."""

import copy
import logging
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence, Sized
from contextlib import suppress
from functools import partial
from multiprocessing import resource_sharer
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import TracebackType

import torch
from mmengine.logging import print_log
from torch._C import _remove_worker_pids, _set_worker_pids
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from mmdualformer.errors import UserError
from mmdualformer.video.isolation import describe_exit, frozen_garbage

from .placed_loader import PlacedDataLoader
from .reading import Slot, Watch, share
from .robust_video_dataset import RobustVideoDataset
from .wrappers import iterate_datasets

TICK = 0.5  # seconds between two looks at workers that say nothing
END_LIMIT = 1.0  # seconds
WHAT_DEATH_CAUSES = (RuntimeError, OSError, EOFError)  # where the data of a worker is waited for
MOST_DEATHS = 10  # without a batch between them
MOST_UNEXPLAINED_DEATHS = 3  # that no video is to blame for, without a batch between them
# Exit codes that no decoder causes; torch makes 0 of its own SIGTERM.
FROM_OUTSIDE = (0, -signal.SIGHUP, -signal.SIGINT, -signal.SIGTERM)
BUS_ERROR = '; shared memory, /dev/shm, may be full: give it more, or take fewer workers'


class SurvivingDataLoader(PlacedDataLoader):
    """A ``DataLoader`` that starts new workers when one dies, where a ``RobustVideoDataset`` has the data.

    The video that a dead worker was reading is unreadable from then on, as one that no decoder opens: the ledger says
    how it ended, and the data set replaces it or has it count as wrong. All batches come, each once and in order. A
    worker that reads longer than the data set's time limit is killed. Without workers, or for other data, this is a
    plain ``PlacedDataLoader``.
    """

    def _iterate(self, loader: DataLoader):
        datasets = [dataset for dataset in iterate_datasets(self.dataset) if isinstance(dataset, RobustVideoDataset)]
        if datasets and self.num_workers > 0 and self.in_order:
            return _SurvivingIterator(loader, datasets)
        return super()._iterate(loader)


class _SurvivingIterator:
    """Iterates over a loader with one set of workers after another.

    Raises:
        UserError: Workers die again and again, or of too many videos.
    """

    def __init__(self, loader: DataLoader, datasets: Sequence[RobustVideoDataset]) -> None:
        self._loader = copy.copy(loader)  # which has no iterator: a cycle would keep workers alive
        self._datasets = datasets
        self._batches = _Batches(loader._index_sampler)
        self._deaths = self._unexplained = 0
        self._start_workers()

    def _start_workers(self) -> None:
        with frozen_garbage():
            self._workers = _Workers(self._loader, self._batches)

    def _reset(self, loader: DataLoader) -> None:
        """Begin an epoch with the workers of the last one."""
        self._batches = self._workers.batches = _Batches(loader._index_sampler)
        try:
            self._workers._reset(self._loader)
        except WHAT_DEATH_CAUSES:
            if not self._replace_dead_workers():
                raise

    def __iter__(self) -> '_SurvivingIterator':
        return self

    def __len__(self) -> int:
        return len(self._loader)

    def __next__(self):
        while True:
            try:
                batch = next(self._workers)
            except WHAT_DEATH_CAUSES:
                if not self._replace_dead_workers():
                    raise  # it is an error of the data set
            else:
                self._deaths = self._unexplained = 0
                return batch

    def _replace_dead_workers(self) -> bool:
        """Start new workers if some have died, and tell whether."""
        deaths = self._workers.find_deaths(END_LIMIT)
        if not deaths:
            return False
        self._workers.kill()
        reads = self._batches.samples
        for video, reason in deaths:
            if video is not None:
                print_log(f'a data worker died of {video}: {reason}', 'current', logging.WARNING)
                for dataset in self._datasets:
                    dataset.reads = max(dataset.reads, reads)
                    dataset.leave_out(video, reason)
        self._deaths += 1
        self._unexplained += all(video is None for video, _ in deaths)
        if self._deaths > MOST_DEATHS or self._unexplained > MOST_UNEXPLAINED_DEATHS:
            _, reason = deaths[-1]
            raise UserError(f'data workers died {self._deaths} times in a row; the last one: {reason}')
        self._batches.issue_again()
        self._start_workers()
        return True


class _Batches:
    """The batches of indices that a sampler draws, which are kept until they have been delivered.

    Attributes:
        samples (int): How many were drawn.
    """

    def __init__(self, sampler: Iterable) -> None:
        self.samples = 0
        self._drawn = iter(sampler)
        self._issued: deque[Sequence[int] | int] = deque()
        self._again: deque[Sequence[int] | int] = deque()

    def issue(self) -> Sequence[int] | int:
        """The next batch; StopIteration if there is none."""
        if self._again:
            batch = self._again.popleft()
        else:
            batch = next(self._drawn)
            self.samples += len(batch) if isinstance(batch, Sized) else 1
        self._issued.append(batch)
        return batch

    def deliver(self) -> None:
        """Forget the first of those that are issued."""
        self._issued.popleft()

    def issue_again(self) -> None:
        """Issue again what was issued and not delivered."""
        self._again.extendleft(reversed(self._issued))
        self._issued.clear()


class _Workers(_MultiProcessingDataLoaderIter):
    """Torch's worker processes, each with a slot for the video that it is reading."""

    def __init__(self, loader: DataLoader, batches: _Batches) -> None:
        context = loader.multiprocessing_context or torch.multiprocessing
        self.batches = batches
        self._slots = [context.RawValue(Slot) for _ in range(loader.num_workers)]
        self._watches = [Watch(slot) for slot in self._slots]
        # worker -> what it was reading, and why it was killed
        self._killed: dict[BaseProcess, tuple[str | None, str]] = {}
        loader = copy.copy(loader)
        loader.worker_init_fn = partial(_begin_worker, self._slots, loader.worker_init_fn)
        super().__init__(loader)
        if self._pin_memory:  # the thread ends where a dead worker's data should come; the main thread notices
            # an attribute of CPython's that typeshed leaves out
            self._pin_memory_thread._invoke_excepthook = lambda thread: None  # type: ignore[attr-defined]

    def _reset(self, loader: DataLoader, first_iter: bool = False) -> None:
        if first_iter:
            self._unwatch()  # before a worker has anything to die of
        super()._reset(loader, first_iter)

    def _next_index(self) -> Sequence[int] | int:
        return self.batches.issue()

    def _process_data(self, *args):
        self.batches.deliver()
        return super()._process_data(*args)

    def _try_get_data(self, timeout: float = TICK) -> tuple:
        """Wait for data; raise a RuntimeError when a worker is dead, or overdue and so killed.

        While a worker is watched, torch's signal handler raises that in the main thread wherever it is. That is wanted
        here, also in the middle of a message that the dead worker will never end, and nowhere else.
        """
        end = time.monotonic() + timeout
        if threading.current_thread() is threading.main_thread():
            self._watch()
        try:
            while True:
                self._kill_overdue()
                if self.find_deaths():
                    raise RuntimeError('a data worker died')
                success, data = super()._try_get_data(max(min(TICK, end - time.monotonic()), 0))
                if success or time.monotonic() >= end:
                    return success, data
        finally:
            self._unwatch()

    def find_deaths(self, patience: float = 0) -> list[tuple[str | None, str]]:
        """Find the dead workers.

        Args:
            patience (float): Seconds to wait for one to be dead that is dying. Defaults to 0.

        Returns:
            list: What each was reading, None if no video is to blame, and how it ended.
        """
        if patience:
            dying = wait([worker.sentinel for worker in self._workers], patience)
            for worker in self._workers:
                if worker.sentinel in dying:
                    worker.join(END_LIMIT)
        deaths = []
        for worker, slot in zip(self._workers, self._slots):
            if worker in self._killed:
                deaths.append(self._killed[worker])
            elif worker.exitcode is not None:
                video, reason = slot.read(), describe_exit(worker.exitcode)
                if worker.exitcode in FROM_OUTSIDE:
                    video = None
                elif worker.exitcode == -signal.SIGBUS:
                    video, reason = None, reason + BUS_ERROR
                deaths.append((video, reason))
        return deaths

    def kill(self) -> None:
        """End all workers. Torch's own way would wait for locks that a dead one may hold."""
        self._shutdown = True
        with suppress(ValueError):  # a death on the way out of _try_get_data keeps it from this
            _remove_worker_pids(id(self))
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.join(END_LIMIT)
        for queue in self._index_queues:
            queue.cancel_join_thread()
            queue.close()
        self._worker_result_queue.cancel_join_thread()
        if self._pin_memory:  # a thread reads the queue
            self._pin_memory_thread_done_event.set()
            self._worker_result_queue.put((None, None))
        else:
            self._worker_result_queue.close()

    def _kill_overdue(self) -> None:
        for worker, watch in zip(self._workers, self._watches):
            if watch.is_over() and worker.exitcode is None:  # a dead one was reading to its end
                self._killed[worker] = watch.slot.read(), f'no answer within {watch.slot.limit:g} s'
                worker.kill()

    def _watch(self) -> None:
        self._worker_pids_set = True
        _set_worker_pids(id(self), tuple(worker.pid for worker in self._workers if worker.pid is not None))

    def _unwatch(self) -> None:
        if self._worker_pids_set:
            _remove_worker_pids(id(self))
            self._worker_pids_set = False


def _begin_worker(slots: Sequence[Slot], init_fn, worker_id: int) -> None:
    share(slots[worker_id])
    sys.excepthook = partial(_report, sys.excepthook)
    if init_fn is not None:
        init_fn(worker_id)


def _report(hook: Callable, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Report an error, but where who asked for a batch is gone before it has it, and says itself why it ended."""
    is_sharing = trace is not None and trace.tb_frame.f_code.co_filename == resource_sharer.__file__
    if not (is_sharing and issubclass(kind, WHAT_DEATH_CAUSES)):
        hook(kind, error, trace)
