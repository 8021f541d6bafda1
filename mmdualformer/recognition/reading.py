"""From videos to the clips that a model takes of them, without the model: another process may do it."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdualformer.datasets.decoding import READING_LIMIT
from mmdualformer.datasets.noting import run_noting
from mmdualformer.errors import UserError
from mmdualformer.video import Video, open_video

from . import pipelines
from .live import Ahead, Stream, is_stream
from .sources import as_video
from .windows import Window, slide


class ClipReader:
    """Takes the clips of videos that a test takes.

    It can be pickled, for a process that reads.

    Args:
        test_pipeline (sequence): From a video to its clips.
        clip_seconds (float, optional): How long the videos were that the model has learned from. Defaults to None.
    """

    def __init__(self, test_pipeline: Sequence[Mapping], clip_seconds: float | None = None) -> None:
        self.test_pipeline = test_pipeline
        self.clip_seconds = clip_seconds
        self._of_files = pipelines.compose(test_pipeline)
        self._of_open = pipelines.compose(pipelines.for_open_videos(test_pipeline))

    def __reduce__(self) -> tuple:
        return ClipReader, ([dict(step) for step in self.test_pipeline], self.clip_seconds)

    def read(self, video: Any, fps: float = pipelines.RATE) -> dict:
        """Read a video: a path, frames in memory or an open :class:`~mmdualformer.video.Video`.

        Returns:
            dict: ``inputs``, clips ``[clips, 3, T, H, W]`` in uint8, ``data_samples``, and ``video``, a dict of its
            ``source``, ``seconds`` and ``damage``, and of a file of ``sampled``, what ``view_of`` needs to explain it.

        Raises:
            UserError: It is no video.
            VideoError: It cannot be read.
            TimeoutError: It takes too long.
        """
        damage: list[str] = []
        data: dict[str, Any] = dict(label=-1, start_index=0, modality='RGB')
        if isinstance(video, str | Path):
            if not Path(video).exists():
                raise UserError(f'video {str(video)!r} does not exist (looked in {Path.cwd()})')
            data.update(filename=str(video), deadline=time.monotonic() + READING_LIMIT, damage=damage)
            sample, seen = run_noting(self._of_files.transforms, data)
            seconds = seen.get('seconds')
            if seconds is None:  # MMAction2's transforms have opened it
                seconds = seen.get('total_frames', 0) / seen.get('avg_fps', pipelines.RATE)
            said = dict(source=str(video), seconds=seconds, damage='; '.join(damage), sampled=seen)
        else:
            frames = video if isinstance(video, Video) else as_video(video, fps)
            sample = self._of_open(dict(data, video=frames, filename=frames.path))
            said = dict(source=frames.path, seconds=frames.duration, damage='')
        return dict(sample, video=said)

    def windows(
        self,
        source: Any,
        window: float | None = None,
        step: float | None = None,
        fps: float | None = None,
    ) -> Iterator[tuple[dict, float]]:
        """Read a long or endless video in a window that slides over it.

        Args:
            source (str, Path, Video, Stream or iterable): A file, a stream, an open video, or pairs of a time in
                seconds and an RGB frame ``[H, W, 3]`` in uint8, without an end if need be. Of a stream that comes as
                fast as it is filmed windows are left out where they are taken slower.
            window (float, optional): Seconds. Defaults to None, the time that a clip of the test spans, or that the
                videos had which the model was trained on.
            step (float, optional): Seconds from one window to the next. Defaults to None, half a window.
            fps (float, optional): Frames a second. Defaults to None, what the video says, or 30.

        Yields:
            tuple: Of each window what :meth:`read` returns of a video, with one clip; and when it starts, in seconds.

        Raises:
            UserError: ``window`` or ``step`` cannot be used.
            VideoError: The video cannot be read.
        """
        if isinstance(source, str | Path):
            if is_stream(str(source)):
                yield from self.windows(Stream(str(source)), window, step, fps)
                return
            with open_video(str(source)) as opened:
                yield from self.windows(opened, window, step, fps)
            return
        name, rate = 'frames', fps or pipelines.RATE
        video: Video | None = None
        if isinstance(source, Video):
            name, rate, video = source.path, fps or source.average_fps, source
            source = zip(source.frame_times.tolist(), source.iterate_frames())
        elif isinstance(source, Stream):
            name, rate = source.name, fps or source.rate
        shrink, steps = pipelines.for_windows(self.test_pipeline)
        prepare = pipelines.compose(steps)
        if window is None:
            window = pipelines.window_seconds(self.test_pipeline, self.clip_seconds, rate)
        parts: Iterable[Window] = slide(source, window, step or window / 2, rate, shrink)
        if isinstance(source, Stream):
            parts = Ahead(parts, newest=source.is_live)
        try:
            for part in parts:
                if isinstance(source, Stream):
                    source.note(part)
                sample = pipelines.sample_of(prepare, part.frames)
                said = dict(source=name, seconds=part.end - part.start, damage=video.damage if video else '')
                yield dict(sample, video=said), part.start
        finally:
            if isinstance(parts, Ahead):
                parts.close()
