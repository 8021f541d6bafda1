import os
import sys
import threading
import time
import traceback
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.distributed import PrefixStore, Store, distributed_c10d  # type: ignore[attr-defined]

from mmdualformer.processes import report

MOST_TICK = 5.0  # seconds between two looks
ANSWER_LIMIT = 10.0  # seconds that the other processes have to print their stacks


@HOOKS.register_module()
class StallHook(Hook):
    """Ends a run that does nothing any more: each process prints where it is, and the exit status is 1.

    That is so when no step of training or validation has ended for some time, in one process: a file system or another
    process does not answer. The time that a process is suspended for does not count.

    Args:
        limit_minutes (float): Minutes that a step, and what comes between two steps, may take. Fewer than the
            ``timeout`` of ``env_cfg.dist_cfg``, at which PyTorch ends the run without a word on where. Defaults to 20.
    """

    priority = 'VERY_HIGH'

    def __init__(self, limit_minutes: float = 20) -> None:
        self.limit = 60 * limit_minutes
        self._is_over = threading.Event()

    def before_train(self, runner: Runner) -> None:
        """Begin to watch."""
        self._waited = 0.0
        self._steps = runner.iter
        self._what = 'training began'
        self._is_over = threading.Event()
        self._is_called = threading.Event()  # by another process, which has waited for long enough
        threading.Thread(target=self._watch, args=(self._is_over,), name='stall', daemon=True).start()
        if get_world_size() > 1:
            threading.Thread(
                target=self._listen, args=(self._is_over, _connect()), name='stall call', daemon=True
            ).start()

    def after_train(self, runner: Runner) -> None:
        """Nothing is waited for any more."""
        self._is_over.set()

    def after_failed_train(self, runner: Runner) -> None:
        """The process may go on without this run, as a notebook does."""
        self._is_over.set()

    def before_train_epoch(self, runner: Runner) -> None:
        """A new epoch begins."""
        self._note('an epoch began')

    def after_train_iter(self, runner: Runner, batch_idx: int, *args, **kwargs) -> None:
        """A step has ended."""
        self._steps = runner.iter + 1
        self._note(f'step {self._steps} of training ended')

    def before_val_epoch(self, runner: Runner) -> None:
        """Validation begins."""
        self._note('validation began')

    def after_val_iter(self, runner: Runner, batch_idx: int, *args, **kwargs) -> None:
        """A step of validation has ended."""
        self._note(f'step {batch_idx + 1} of validation ended')

    def after_val_epoch(self, runner: Runner, *args, **kwargs) -> None:
        """Validation has ended."""
        self._note('validation ended')

    def _note(self, what: str) -> None:
        self._waited, self._what = 0.0, what

    @property
    def _tick(self) -> float:
        return min(self.limit / 10, MOST_TICK)

    def _watch(self, is_over: threading.Event) -> None:
        looked = time.monotonic()
        while not is_over.wait(self._tick):
            now = time.monotonic()
            self._waited += min(now - looked, 2 * self._tick)  # more has passed where the process was suspended
            looked = now
            if self._waited > self.limit or self._is_called.is_set():
                self._end()

    def _listen(self, is_over: threading.Event, store: Store) -> None:
        while not is_over.wait(self._tick):
            if store.check(['stalled']):
                self._is_called.set()
                return

    def _end(self) -> None:
        """Print where this process is, hear of the others, and end."""
        # in one piece, as all processes print at once
        print(f'rank {get_rank()} waits since {self._what}:\n{_stacks()}', file=sys.stderr, flush=True)
        last = threading.Timer(2 * ANSWER_LIMIT, os._exit, (1,))  # where the store does not answer
        last.daemon = True
        last.start()
        words = self._ask_others() if get_world_size() > 1 else ''
        if words is not None:
            line = f'no step has ended for {self.limit:.0f} s{words}; above is where each process waits'
            report(line, is_for_all=True)
        os._exit(1)

    def _ask_others(self) -> str | None:
        """Wait until all have printed where they are, and tell who keeps them; None where another rank tells."""
        store = _connect()
        store.set(f'stalled/{get_rank()}', self._what)
        store.set('stalled', '1')
        ranks = range(get_world_size())
        deadline = time.monotonic() + ANSWER_LIMIT
        while time.monotonic() < deadline and not store.check([f'stalled/{rank}' for rank in ranks]):
            time.sleep(0.1)
        here = [rank for rank in ranks if store.check([f'stalled/{rank}'])]
        if get_rank() != here[0]:
            time.sleep(ANSWER_LIMIT)  # the first one ends all
            return None
        missing = [str(rank) for rank in ranks if rank not in here]
        if missing:
            return f', and rank {", ".join(missing)} does not answer'
        at: dict[str, list[str]] = {}
        for rank in here:
            at.setdefault(store.get(f'stalled/{rank}').decode(), []).append(str(rank))
        return '; ' + ', '.join(f'rank {", ".join(who)} waits since {what}' for what, who in at.items())


def _stacks() -> str:
    """Where the threads of this process are, without those that only watch."""
    frames = sys._current_frames()
    watching = ('signals', 'launcher', 'work dir', 'stall', 'stall call')
    return '\n'.join(
        f'{thread.name}:\n{"".join(traceback.format_stack(frames[thread.ident]))}'
        for thread in threading.enumerate()
        if thread.name not in watching and thread.ident in frames
    )


def _connect() -> Store:
    """A connection of its own to what the processes share: theirs may be busy waiting."""
    store: Any = distributed_c10d._get_default_store()
    return PrefixStore('mmdualformer', store.clone())
