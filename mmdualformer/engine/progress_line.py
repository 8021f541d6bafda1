"""The line that says how far a run is, on a terminal and in a log."""

import atexit
import errno
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

REFRESH = 0.1  # seconds between two updates on a terminal
BAR = 30  # columns of the bar where there is room for more
SMALLEST_BAR = 8
GAP = 2  # columns between two parts of the line


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        title (str): What is being done, such as ``epoch 3/40``.
        done (int): Steps that are done of it.
        steps (int): All its steps.
        parts (tuple): Texts that follow, in order, each with how much it matters; in a narrow terminal the ones that
            matter least are left out first.
        unit (str): What a step is called where there is no bar. Defaults to ``'step'``.
    """

    title: str
    done: int
    steps: int
    parts: tuple[tuple[str, int], ...] = ()
    unit: str = 'step'

    @property
    def count(self) -> str:
        """Steps that are done, of all."""
        return f'{self.done}/{self.steps}'

    def __str__(self) -> str:
        """The whole line without a bar."""
        return (' ' * GAP).join([f'{self.title}, {self.unit} {self.count}', *(text for text, _ in self.parts)])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """The line with a bar, as wide as the terminal."""
        texts = [text for text, _ in self.parts]
        for least, _ in sorted(enumerate(self.parts), key=lambda part: part[1][1]):
            if self._room(texts, options.max_width) >= SMALLEST_BAR:
                break
            texts.remove(self.parts[least][0])
        room = self._room(texts, options.max_width)
        bar = [ProgressBar(self.steps, self.done, min(room, BAR))] if room >= SMALLEST_BAR else []
        line = Table.grid(padding=(0, GAP), pad_edge=False)
        cells: list[RenderableType] = [self.title, *bar, self.count, *texts]
        for _ in cells:
            line.add_column(no_wrap=True, overflow='ellipsis')
        line.add_row(*cells)
        yield line

    def _room(self, texts: list[str], width: int) -> int:
        """Columns that are left for the bar."""
        others = [self.title, self.count, *texts]
        return width - sum(map(len, others)) - GAP * len(others)


class _Console(Console):
    """A console that leaves the cursor where it is seen, as a process that is killed would not show it again."""

    def show_cursor(self, show: bool = True) -> bool:
        return False

    def on_broken_pipe(self) -> None:
        raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))  # rich's ends the process


class ProgressLine:
    """Shows one line that changes on a terminal; elsewhere prints it now and then, so that a log stays readable.

    ``NO_COLOR`` and what else rich reads of the environment is respected. Where nothing can be written any more, as the
    reader of a pipe has ended, a terminal is gone or a disk is full, nothing more is shown, and the run goes on.

    Args:
        interval (float): Seconds between two lines where there is no terminal. Defaults to 30.
        clock (callable): Gives seconds. Defaults to ``time.monotonic``.
        console (Console, optional): Of rich. Defaults to None, which is stdout.
        stderr (bool): Whether it is stderr instead. Defaults to False.
    """

    def __init__(
        self,
        interval: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        console: Console | None = None,
        stderr: bool = False,
    ) -> None:
        self.interval = interval
        self._clock = clock
        self._console = console or _Console(soft_wrap=True, stderr=stderr)  # of what is printed above the line too
        is_terminal = self._console.is_interactive and self._console.file.isatty() and not self._console.is_jupyter
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if is_terminal else None
        self._shown_at: float | None = None
        self._handlers: list[logging.StreamHandler] = []

    def start(self, logger: logging.Logger) -> None:
        """Begin; what the logger and others print from now on to the terminal comes above the line."""
        if self._live is None:
            return
        atexit.register(self.stop)  # of runs that end with an error
        with self._until_nobody_reads():
            self._live.start()
        for handler in logger.handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is self._console.file:
                self._handlers.append(handler)
                handler.setStream(sys.stdout)  # rich's by now

    def update(self, progress: Progress, at_once: bool = False) -> None:
        """Show how far the run is, if it is time.

        Args:
            progress (Progress): What to show.
            at_once (bool): Whether it is time anyway. Defaults to False.
        """
        now = self._clock()
        least = self.interval if self._live is None else REFRESH
        is_early = self._shown_at is not None and now - self._shown_at < least
        is_last = self._live is None and progress.done == progress.steps  # a line that stays comes next
        if (is_early or is_last) and not at_once:
            return
        self._shown_at = now
        if self._live is None:
            self._print(str(progress))
        else:
            with self._until_nobody_reads():
                self._live.update(progress, refresh=True)

    def keep(self, line: str) -> None:
        """Print a line that stays."""
        self._shown_at = self._clock()
        self._print(line)

    def stop(self) -> None:
        """End; the line goes, and those that stay are left."""
        if self._live is not None:
            with self._until_nobody_reads():
                self._live.stop()
            for handler in self._handlers:
                handler.setStream(self._console.file)
            self._handlers.clear()
            atexit.unregister(self.stop)

    def _print(self, line: str) -> None:
        with self._until_nobody_reads():
            self._console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)

    @contextmanager
    def _until_nobody_reads(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self._console.quiet = True
            with suppress(OSError), open(os.devnull, 'wb') as nowhere:  # for what is still in the file's buffer
                os.dup2(nowhere.fileno(), self._console.file.fileno())
