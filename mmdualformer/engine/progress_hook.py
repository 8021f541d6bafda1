"""What one sees of a run while it goes on."""

import statistics
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from rich.console import Console

from .diagnosis import iterate_samples
from .progress_line import Progress, ProgressLine
from .time_left import TimeLeft, duration

BEST = 'progress_best'  # in the message hub, and so in checkpoints
RECENT_STEPS = 20  # whose mean loss is shown
RECENT_CLIPS = 200  # whose accuracy is shown
SHARES = ('top1', 'top5', 'mean1', 'mean_average_precision')  # metrics of 0 to 1


@HOOKS.register_module()
class ProgressHook(Hook):
    """Shows how far a run is: a line that changes on a terminal, and elsewhere one now and then.

    From the first step on it has the epoch and the step, the mean loss of the last 20 steps, the accuracy of the last
    200 training clips, that of the last validation, clips a second, and the time that the whole training still takes
    with its validations. Each validation leaves one line that stays, and so does a test. Loss and training accuracy
    there are means over the epoch. They are of the first process, as in the log, and of clips that are augmented;
    where labels are mixed there is no training accuracy.

    With ``runner_type='QuietRunner'`` nothing else is on the console but warnings and errors.

    Args:
        interval (float): Seconds between two lines where there is no terminal. Defaults to 30.
        clock (callable): Gives seconds. Defaults to ``time.monotonic``.
        console (Console, optional): Of rich. Defaults to None, which is stdout.
    """

    priority = 'LOWEST'  # what the others do in a step or a validation takes its time too

    def __init__(
        self, interval: float = 30.0, clock: Callable[[], float] = time.monotonic, console: Console | None = None
    ) -> None:
        self.interval = interval
        self.clock = clock
        self.console = console
        self._line: ProgressLine | None = None  # of the first process

    def before_run(self, runner: Runner) -> None:
        """Begin to show the run."""
        if is_main_process():
            self._line = ProgressLine(self.interval, self.clock, self.console)
            self._line.start(runner.logger)
            self._time = TimeLeft(self.clock)
            self._began = self.clock()
            self._has_step = self._is_training = False
            self._value = ''  # of the last validation
            self._losses: deque[float] = deque(maxlen=RECENT_STEPS)
            self._recent: deque[tuple[float, int]] = deque()  # accuracy and number of clips of a step
            self._epoch_loss = _Mean()
            self._epoch_accuracy = _Mean()

    def after_run(self, runner: Runner) -> None:
        """Stop showing it."""
        if self._line:
            self._line.stop()
            self._line = None

    def before_train(self, runner: Runner) -> None:
        """Take the time from here, as models and data are built."""
        if self._line:
            self._time = TimeLeft(self.clock)
            self._is_training = True

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin the means of an epoch."""
        if self._line:
            self._time.begin_epoch()
            self._epoch_loss, self._epoch_accuracy = _Mean(), _Mean()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Show a step; the log has waited for its loss already."""
        if not self._line:
            return
        self._time.end_step()
        clips = len(list(iterate_samples(data_batch)))
        outputs = outputs or {}
        if 'loss' in outputs:
            self._losses.append(outputs['loss'].item())
            self._epoch_loss.add(self._losses[-1], clips)
        if 'top1_acc' in outputs:
            share = outputs['top1_acc'].item()
            self._epoch_accuracy.add(share, clips)
            self._recent.append((share, clips))
            while sum(number for _, number in self._recent) - self._recent[0][1] >= RECENT_CLIPS:
                self._recent.popleft()
        title, done, steps = 'training', runner.iter + 1, runner.max_iters
        if _is_by_epoch(runner):
            title, done, steps = (
                f'epoch {runner.epoch + 1}/{runner.max_epochs}',
                batch_idx + 1,
                len(runner.train_dataloader),
            )
        speed = clips * get_world_size() / max(self._time.step or 0.0, 1e-9)
        parts = [
            *self._measured(),
            (f'{speed:.{1 if speed < 100 else 0}f} clips/s', 0),
            *_left(self._seconds_left(runner, runner.iter + 1, runner.epoch + 1, is_validated=False)),
        ]
        self._line.update(Progress(title, done, steps, tuple(parts)), at_once=not self._has_step)
        self._has_step = True

    def after_train_epoch(self, runner: Runner) -> None:
        """Leave a line of an epoch that is not validated."""
        done = runner.epoch + 1 if _is_by_epoch(runner) else runner.max_iters
        if self._line and not _count_validations(runner, done - 1, done):
            self._keep_epoch(runner, runner.epoch + 1, [])

    def before_val(self, runner: Runner) -> None:
        """Take the time of a validation, which begins with data workers."""
        if self._line:
            self._time.begin_validation()

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Show a step of a validation."""
        if self._line:
            self._time.end_validation_step()
            steps = len(runner.val_dataloader)
            left, measured = self._time.seconds_of_validation(steps), []
            if self._is_training:
                rest = self._seconds_left(runner, runner.iter, runner.epoch, is_validated=True)
                left, measured = left + rest if left is not None and rest is not None else None, self._measured()
            self._line.update(Progress('validation', batch_idx + 1, steps, (*measured, *_left(left))))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Leave a line of a validation."""
        if not self._line or not metrics:
            return
        self._time.end_validation()
        key = _deciding(runner, metrics)
        value = float(metrics[key])
        self._value = f'val {_describe(key, value)}'
        result = self._value + _count(key, value, len(runner.val_dataloader.dataset))
        if not self._is_training:
            self._line.keep(result)
            return
        here = f'epoch {runner.epoch}' if _is_by_epoch(runner) else f'step {runner.iter}'
        best, where = runner.message_hub.get_info(BEST, (value, here))
        if value > best:
            best, where = value, here
        runner.message_hub.update_info(BEST, (best, where))
        self._keep_epoch(runner, runner.epoch, [result, f'best {_describe(key, best)} ({where})'])

    def before_test(self, runner: Runner) -> None:
        """Take the time of a test."""
        self.before_val(runner)

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Show a step of a test."""
        if self._line:
            self._time.end_validation_step()
            steps = len(runner.test_dataloader)
            left = self._time.seconds_of_validation(steps)
            self._line.update(Progress('test', batch_idx + 1, steps, _left(left)))

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Leave a line of a test, with all that is measured."""
        if self._line and metrics:
            total = len(runner.test_dataloader.dataset)
            parts = [f'{_describe(key, value)}{_count(key, value, total)}' for key, value in metrics.items()]
            self._line.keep('  '.join(['test', *parts]))

    def _measured(self) -> list[tuple[str, int]]:
        """The parts of a line that say how good the model is."""
        parts = []
        if self._losses:
            parts.append((f'loss {statistics.fmean(self._losses):.3f}', 3))
        if self._recent:
            recent = _Mean()
            for share, number in self._recent:
                recent.add(share, number)
            parts.append((f'train {_percent(recent.value)}', 1))
        return [*parts, (self._value, 2)] if self._value else parts

    def _keep_epoch(self, runner: Runner, epochs: int, results: list[str]) -> None:
        """Leave a line after so many epochs, and begin new means."""
        assert self._line
        done = (
            f'epoch {epochs}/{runner.max_epochs}' if _is_by_epoch(runner) else f'step {runner.iter}/{runner.max_iters}'
        )
        parts = [done]
        if self._epoch_loss.number:
            parts.append(f'loss {self._epoch_loss.value:.3f}')
        if self._epoch_accuracy.number:
            parts.append(f'train {_percent(self._epoch_accuracy.value)}')
        left = self._seconds_left(runner, runner.iter, epochs, is_validated=True)
        if runner.iter >= runner.max_iters:
            ending = [f'took {duration(self.clock() - self._began)}']
        else:
            ending = [text for text, _ in _left(left)]
        self._line.keep('  '.join([*parts, *results, *ending]))
        self._epoch_loss, self._epoch_accuracy = _Mean(), _Mean()

    def _seconds_left(self, runner: Runner, steps: int, epochs: int, is_validated: bool) -> float | None:
        """Estimate what is left after so many steps, in the last of so many epochs or, if it is validated, after it."""
        last, total, changes = steps, runner.max_iters, 0
        if _is_by_epoch(runner):
            last, total, changes = epochs, runner.max_epochs, runner.max_epochs - epochs
        validations = _count_validations(runner, last - (not is_validated), total)
        # a video in a validation takes about as long as a clip in training: several views, and no gradients
        loader = runner.val_dataloader if runner.val_loop else None
        guess = len(loader.dataset) / get_world_size() / (runner.train_dataloader.batch_size or 1) if loader else 0.0
        return self._time.seconds(runner.max_iters - steps, changes, validations, guess)


class _Mean:
    """A mean over clips."""

    def __init__(self) -> None:
        self.total, self.number = 0.0, 0

    def add(self, value: float, number: int) -> None:
        self.total += value * number
        self.number += number

    @property
    def value(self) -> float:
        return self.total / self.number


def _is_by_epoch(runner: Runner) -> bool:
    return isinstance(runner.train_loop, EpochBasedTrainLoop)


def _count_validations(runner: Runner, done: int, total: int) -> int:
    """How many validations come after ``done`` of ``total`` epochs, or steps where the loop counts those."""
    loop, end = runner.train_loop, runner.max_epochs if _is_by_epoch(runner) else runner.max_iters
    if runner.val_loop is None:
        return 0
    first, every = max(done + 1, loop.val_begin), loop.val_interval
    if first > total:
        return 0
    is_extra = total == end and total % every != 0  # the last is validated in any case
    return total // every - (first - 1) // every + is_extra


def _deciding(runner: Runner, metrics: dict[str, float]) -> str:
    """The metric by which the best checkpoint is chosen, or the first, which MMEngine takes by default."""
    for hook in runner.hooks:
        for key in (isinstance(hook, CheckpointHook) and getattr(hook, 'key_indicators', None)) or ():
            if key in metrics:
                return key
    return next(iter(metrics))


def _describe(key: str, value: float) -> str:
    """A metric's value, with its name where that is not the accuracy."""
    name = {'top1': '', 'mean_average_precision': 'mAP '}.get(_name(key), f'{_name(key)} ')
    return f'{name}{_percent(value) if _name(key) in SHARES else f"{value:.4g}"}'


def _count(key: str, value: float, total: int) -> str:
    """How many videos an accuracy is of."""
    return f' ({round(value * total)} of {total})' if _name(key) == 'top1' else ''


def _name(key: str) -> str:
    return key.rpartition('/')[2]


def _percent(share: float) -> str:
    return f'{100 * share:.1f} %'


def _left(seconds: float | None) -> tuple[tuple[str, int], ...]:
    """The part of a line that says how long it still takes, unless that is not known."""
    return () if seconds is None else ((f'{duration(seconds)} left', 4),)
