"""Uploads that wait for the model, which takes one after the other."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any

from mmdualformer.errors import UserError
from mmdualformer.recognition import Recognition, Recognizer, find_segments

from .explaining import explain_sample
from .limits import Limits, Refused
from .reading import Part, Upload, UploadReader

STOPPING = 'the server is being stopped'


@dataclass(eq=False)
class Job:
    """A request for a recognition.

    Attributes:
        topk (int): Classes to name.
        windows (bool, optional): Whether a time line is wanted; None, if the video is long.
        explained (bool): Whether an explanation is wanted.
        name (str): What the sender calls the file, for the answer only.
        file (IO, optional): The upload, in a file without a name. None until it has come.
        state (str): ``'uploading'``, ``'waiting'``, ``'reading'``, ``'recognizing'`` or ``'explaining'``.
        done (float): The share of a long video that has been recognized, 0 to 1.
        is_dropped (bool): Nobody waits for the answer any more.
    """

    topk: int
    windows: bool | None = None
    explained: bool = False
    name: str = 'upload'
    file: IO[bytes] | None = None
    state: str = 'uploading'
    done: float = 0.0
    is_dropped: bool = False
    begun: float = field(default_factory=time.monotonic)


class JobQueue:
    """Recognizes one video after the other, in a thread of its own.

    Args:
        recognizer (Recognizer): The model.
        limits (Limits): What is taken.

    Attributes:
        jobs (list): Those that are here: on their way, waiting, or being recognized.
    """

    def __init__(self, recognizer: Recognizer, limits: Limits) -> None:
        self.recognizer = recognizer
        self.limits = limits
        self.jobs: list[Job] = []
        self._reader = UploadReader(recognizer.reader)
        self._thread = ThreadPoolExecutor(1, 'recognizer')  # hooks of a model are one thread's
        self._turn = asyncio.Lock()
        self._line: list[Job] = []
        self._mean_seconds = 1.0
        self._is_stopping = threading.Event()

    @property
    def waiting(self) -> int:
        """Videos that wait for their turn."""
        return len(self._line)

    async def start(self) -> None:
        """Start the process that reads."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._reader.start)

    def admit(self, job: Job) -> None:
        """Give a request a place, before its upload comes.

        Raises:
            Refused: There is none.
        """
        if self._is_stopping.is_set():
            raise Refused(503, STOPPING)
        if len(self.jobs) > self.limits.queue:
            seconds = max(1, round(self._mean_seconds * len(self.jobs)))
            raise Refused(503, f'{len(self.jobs)} videos are here already; try again in {seconds} s', seconds)
        self.jobs.append(job)

    def leave(self, job: Job) -> None:
        """Give a place back, and close the upload, which is gone then."""
        self.jobs.remove(job)
        if job.file is not None:
            job.file.close()

    def place(self, job: Job) -> int:
        """How many are before a job that waits."""
        return self._line.index(job) if job in self._line else 0

    async def recognize(self, job: Job) -> dict[str, Any]:
        """Recognize an upload when its turn has come.

        Returns:
            dict: The answer, in plain values.

        Raises:
            Refused: It cannot be recognized.
        """
        job.state = 'waiting'
        self._line.append(job)
        try:
            async with self._turn:
                self._line.remove(job)
                work = asyncio.get_running_loop().run_in_executor(self._thread, self._recognize, job)
                try:
                    return await asyncio.shield(work)
                except asyncio.CancelledError:
                    job.is_dropped = True
                    self._reader.interrupt()
                    await asyncio.wait([work])
                    work.exception()  # which nobody waits for
                    raise
        finally:
            if job in self._line:
                self._line.remove(job)

    def begin_stop(self) -> None:
        """Take nothing any more, and end what is being recognized; those that wait are told so."""
        self._is_stopping.set()
        self._reader.interrupt()

    async def stop(self) -> None:
        """End the process that reads, and the thread."""
        self.begin_stop()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._reader.close)
        self._thread.shutdown(wait=False)

    def _recognize(self, job: Job) -> dict[str, Any]:
        began = time.monotonic()
        try:
            self._check(job)
            return self._answer(job)
        except Refused:
            self._check(job)  # it may be the cause
            raise
        except UserError as error:
            raise Refused(500, str(error)) from None
        finally:
            self._mean_seconds += 0.2 * (time.monotonic() - began - self._mean_seconds)

    def _check(self, job: Job) -> None:
        if self._is_stopping.is_set():
            raise Refused(503, STOPPING)
        if job.is_dropped:
            raise Refused(499, 'nobody waits for the answer')

    def _answer(self, job: Job) -> dict[str, Any]:
        assert job.file is not None
        job.state = 'reading'
        began = time.monotonic()
        # the process that reads opens the file anew, which has no name to be opened by
        path = f'/proc/{os.getpid()}/fd/{job.file.fileno()}'
        parts = self._reader.read(Upload(path, self.limits, job.windows))
        try:
            whole = next(parts)
            job.state = 'recognizing'
            result = self._score(whole, job)
            answer = dict(result.to_dict(job.topk), several=result.several)
            if job.explained:
                job.state = 'explaining'
                answer['explanation'] = explain_sample(self.recognizer, whole.sample)
                job.state = 'recognizing'
            if not whole.is_last:
                windows = self._windows(parts, job, began + self.limits.time_limit(whole.seconds))
                answer['segments'] = [segment.to_dict() for segment in find_segments(windows)]
            return answer
        finally:
            parts.close()

    def _windows(self, parts: Iterator[Part], job: Job, deadline: float) -> Iterator[Recognition]:
        for part in parts:
            self._check(job)
            if time.monotonic() > deadline:
                raise Refused(504, 'recognizing the video took too long; send a shorter one')
            job.done = min(1.0, part.start / part.seconds)
            yield self._score(part, job)

    def _score(self, part: Part, job: Job) -> Recognition:
        part.sample['video']['source'] = job.name
        return self.recognizer.score(part.sample, part.start)
