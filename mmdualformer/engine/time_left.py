"""How long a training still takes."""

import statistics
import time
from collections import deque
from collections.abc import Callable


class TimeLeft:
    """Estimates the time that a training still takes, from that of its steps, validations and changes of epoch.

    The first step of a run, which warms up, counts only until there is another one. What an epoch begins with, such as
    new data workers, and ends with, such as a checkpoint, counts once an epoch.

    Args:
        clock (callable): Gives seconds. Defaults to ``time.monotonic``.
        window (int): Steps whose mean time is taken for that of the next ones. Defaults to 100.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, window: int = 100) -> None:
        self._clock = clock
        self._steps: deque[float] = deque(maxlen=window)
        self._last = self._validation_began = clock()
        self._first: float | None = None  # of the run
        self._change: float | None = None  # from the last step of an epoch to the end of the next one's first
        self._validation: float | None = None
        self._validated = 0.0  # since the last step
        self._validation_steps = 0
        self._is_new_epoch = False

    def begin_epoch(self) -> None:
        """An epoch begins."""
        self._is_new_epoch = self._first is not None

    def end_step(self) -> None:
        """A step of training has ended."""
        now = self._clock()
        took = now - self._last - self._validated
        if self._first is None:
            self._first = took
        elif self._is_new_epoch:
            self._change = took
        else:
            self._steps.append(took)
        self._last, self._validated, self._is_new_epoch = now, 0.0, False

    def begin_validation(self) -> None:
        """A validation begins."""
        self._validation_began, self._validation_steps = self._clock(), 0

    def end_validation_step(self) -> None:
        """A step of the validation has ended."""
        self._validation_steps += 1

    def end_validation(self) -> None:
        """The validation has ended."""
        self._validation = self._clock() - self._validation_began
        self._validated += self._validation

    @property
    def step(self) -> float | None:
        """Seconds of a step; None before the first."""
        if self._steps:
            return statistics.fmean(self._steps)
        return self._first if self._change is None else self._change

    def seconds(self, steps: int, changes: int, validations: int, guess: float) -> float | None:
        """Estimate the seconds of what is left.

        Args:
            steps (int): Steps of training.
            changes (int): Changes of epoch.
            validations (int): Validations.
            guess (float): Steps of training that a validation is taken for, before one was measured.

        Returns:
            float or None: None before anything was measured.
        """
        step = self.step
        if step is None:
            return None
        change = 0.0 if self._change is None else max(self._change - step, 0.0)
        validation = guess * step if self._validation is None else self._validation
        return steps * step + changes * change + validations * validation

    def seconds_of_validation(self, steps: int) -> float | None:
        """Estimate the seconds that the validation under way still takes.

        Args:
            steps (int): Of the whole validation.

        Returns:
            float or None: None before its first step has ended.
        """
        if not self._validation_steps:
            return None
        passed = self._clock() - self._validation_began
        return passed / self._validation_steps * (steps - self._validation_steps)


def duration(seconds: float) -> str:
    """A time such as ``2:05`` or ``1:02:05``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{seconds:02}' if hours else f'{minutes}:{seconds:02}'
