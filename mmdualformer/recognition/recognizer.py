"""A trained recognizer, for programs."""

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mmdualformer.checkpoints import load_recognizer
from mmdualformer.checks import read_labels
from mmdualformer.configs import read_inference_config
from mmdualformer.datasets.decoding import READING_LIMIT
from mmdualformer.errors import UserError, describe
from mmdualformer.video import Video, VideoError, open_video

from . import pipelines
from .live import Ahead, Stream, is_stream
from .results import Failure, Recognition
from .scorers import ExportedScorer, Scorer, TorchScorer
from .sources import as_video, find_videos, is_frames
from .windows import Window, slide

EXPORTED = ('.onnx', '.xml')
DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


class Recognizer:
    """A trained recognizer, which scores videos as its test does.

    Args:
        model (str, Path or nn.Module): A checkpoint of ours, an exported model (``.onnx``, ``.xml``), or what
            ``load_recognizer`` or MMAction2's ``init_recognizer`` gives.
        config (str or Path, optional): Config of a checkpoint that does not describe itself. Defaults to None.
        labels (str or Path, optional): Text file with the name of a class a line, instead of the checkpoint's.
        device (str or torch.device, optional): Where it runs. Defaults to None, a GPU where there is one.
        dtype (str): ``'float32'``, ``'bfloat16'`` or ``'float16'``, which products are computed in. Defaults to
            ``'float32'``.
        threads (int): Threads of an exported model; 0 for the runtime's choice. Defaults to 0.

    Attributes:
        scorer (Scorer): What scores its clips.
        classes (tuple): Names of the classes; their numbers where there are no names.

    Raises:
        UserError: An argument cannot be used.

    Example:
        >>> from mmdualformer import Recognizer
        >>> recognizer = Recognizer('checkpoint.pth')
        >>> result = recognizer('clip.mp4')
        >>> result.name, result.score
        ('swipe_left', 0.97)
    """

    def __init__(
        self,
        model: str | Path | nn.Module,
        config: str | Path | None = None,
        *,
        labels: str | Path | None = None,
        device: str | torch.device | None = None,
        dtype: str = 'float32',
        threads: int = 0,
    ) -> None:
        if dtype not in DTYPES:
            raise UserError(f'dtype={dtype!r} must be one of {", ".join(DTYPES)}')
        self.scorer = _load(model, config, device, DTYPES[dtype], threads)
        count = self.scorer.num_classes
        names = tuple(read_labels(Path(labels), count, 'the model has') if labels else self.scorer.classes)
        self.classes = names + tuple(map(str, range(len(names), count)))
        self._of_files = pipelines.compose(self.scorer.test_pipeline)
        self._of_open = pipelines.compose(pipelines.for_open_videos(self.scorer.test_pipeline))

    def __call__(self, source: Any, fps: float = pipelines.RATE) -> Recognition | list[Recognition | Failure]:
        """Recognize a video, or several.

        Args:
            source: A path of a video; or RGB frames in uint8, an array or a tensor ``[T, H, W, 3]``, ``[T, 3, H, W]``
                or ``[3, T, H, W]``, or a list of images ``[H, W, 3]``. Several videos are a batch of five dimensions,
                a list of these, a folder, a pattern such as ``clips/*.mp4``, or a text file with a path a line.
            fps (float): Frames a second of frames in memory. Defaults to 30.

        Returns:
            Recognition or list: Of several videos a list, where a :class:`Failure` is in the place of one that cannot
            be read.

        Raises:
            UserError: The source is none of these, or the scores of the only video are NaN or infinite.
            VideoError: The only video cannot be read.
            TimeoutError: It takes too long.
        """
        if is_frames(source):
            return self.recognize(source, fps)
        if isinstance(source, str | Path):
            path = Path(source)
            videos: Iterable = list(find_videos(source))
            if videos == [str(source)] or videos == [str(path)]:
                return self.recognize(str(source))
        else:
            videos = _as_several(source)
        return list(self.recognize_all(videos, fps))

    def __enter__(self) -> 'Recognizer':
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the model and its memory."""
        vars(self).pop('scorer', None)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def recognize(self, video: Any, fps: float = pipelines.RATE) -> Recognition:
        """Recognize one video: a path, frames in memory or an open :class:`~mmdualformer.video.Video`.

        Raises:
            UserError: It is none of these, or its scores are NaN or infinite.
            VideoError: It cannot be read.
            TimeoutError: It takes too long.
        """
        sample = self.read(video, fps)
        return self.score(sample)

    def recognize_all(self, videos: Iterable, fps: float = pipelines.RATE) -> Iterator[Recognition | Failure]:
        """Recognize one video after the other; one that cannot be read ends nothing.

        Yields:
            Recognition or Failure: One for each, in their order.
        """
        for video in videos:
            name = str(video) if isinstance(video, str | Path) else 'frames'
            try:
                yield self.recognize(video, fps)
            except (VideoError, TimeoutError, UserError) as error:
                yield Failure(name, getattr(error, 'reason', None) or describe(error))

    def read(self, video: Any, fps: float = pipelines.RATE) -> dict:
        """Read a video into the clips that the test takes of it, without scoring them.

        Returns:
            dict: ``inputs``, clips ``[clips, 3, T, H, W]`` in uint8, ``data_samples``, and ``video``, a dict of its
            ``source``, ``seconds`` and ``damage``.

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
            opened = _Opened(self._of_files)
            sample = opened(dict(data, filename=str(video), deadline=time.monotonic() + READING_LIMIT, damage=damage))
            said = dict(source=str(video), seconds=opened.seconds, damage='; '.join(damage))
        else:
            frames = video if isinstance(video, Video) else as_video(video, fps)
            sample = self._of_open(dict(data, video=frames, filename=frames.path))
            said = dict(source=frames.path, seconds=_seconds(frames.frame_times, frames.average_fps), damage='')
        return dict(sample, video=said)

    def score(self, sample: Mapping, start: float = 0.0) -> Recognition:
        """Score what :meth:`read` has read.

        Raises:
            UserError: The scores are NaN or infinite.
        """
        return self.score_all([sample], [start])[0]

    def score_all(self, samples: list, starts: list[float] | None = None) -> list[Recognition]:
        """Score several videos together, of which each has the scores that it has alone.

        Raises:
            UserError: The scores of one are NaN or infinite.
        """
        inputs = [{key: sample[key] for key in ('inputs', 'data_samples')} for sample in samples]
        scored = self.scorer(inputs)
        results = []
        for sample, probabilities, start in zip(samples, scored, starts or [0.0] * len(samples)):
            video = sample['video']
            if not np.isfinite(probabilities).all():
                raise UserError(f'the scores of video {video["source"]!r} are NaN or infinite')
            results.append(
                Recognition(
                    video['source'],
                    self.classes,
                    probabilities,
                    start,
                    start + video['seconds'],
                    self.scorer.several,
                    video['damage'],
                )
            )
        return results

    def watch(
        self,
        source: Any,
        window: float | None = None,
        step: float | None = None,
        fps: float | None = None,
    ) -> Iterator[Recognition]:
        """Recognize a long or endless video in a window that slides over it.

        A window is scored by one clip, which is taken of it as the test takes its clips of a video. No more frames are
        in memory than a window has. :func:`~mmdualformer.recognition.find_segments` makes segments of the windows.

        Args:
            source (str, Path, Video, Stream or iterable): A file; a stream, see
                :class:`~mmdualformer.recognition.Stream`; an open video; or pairs of a time in seconds and an RGB
                frame ``[H, W, 3]`` in uint8, without an end if need be. Of a stream that comes as fast as it is filmed
                windows are left out where scoring is slower.
            window (float, optional): Seconds. Defaults to None, the time that a clip of the test spans, or that the
                videos had which the model was trained on.
            step (float, optional): Seconds from one window to the next. Defaults to None, half a window.
            fps (float, optional): Frames a second. Defaults to None, what the video says, or 30.

        Yields:
            Recognition: Each window, with its ``start`` and ``end``.

        Raises:
            UserError: ``window`` or ``step`` cannot be used, or scores are NaN or infinite.
            VideoError: The video cannot be read.
        """
        if isinstance(source, str | Path):
            if is_stream(str(source)):
                yield from self.watch(Stream(str(source)), window, step, fps)
                return
            with open_video(str(source)) as opened:
                yield from self.watch(opened, window, step, fps)
            return
        name, rate = 'frames', fps or pipelines.RATE
        video: Video | None = None
        if isinstance(source, Video):
            name, rate, video = source.path, fps or source.average_fps, source
            source = zip(source.frame_times.tolist(), source.iterate_frames())
        elif isinstance(source, Stream):
            name, rate = source.name, fps or source.rate
        shrink, steps = pipelines.for_windows(self.scorer.test_pipeline)
        prepare = pipelines.compose(steps)
        if window is None:
            window = pipelines.window_seconds(self.scorer.test_pipeline, self.scorer.clip_seconds, rate)
        windows: Iterable[Window] = slide(source, window, step or window / 2, rate, shrink)
        if isinstance(source, Stream):
            windows = Ahead(windows, newest=source.is_live)
        try:
            for part in windows:
                if isinstance(source, Stream):
                    source.note(part)
                sample = pipelines.sample_of(prepare, part.frames)
                said = dict(source=name, seconds=part.end - part.start, damage=video.damage if video else '')
                yield self.score(dict(sample, video=said), part.start)
        finally:
            if isinstance(windows, Ahead):
                windows.close()


class _Opened:
    """Runs a pipeline on a file, and keeps how long the video is."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        self.seconds = 0.0

    def __call__(self, data: dict) -> dict:
        for transform in self.pipeline.transforms:
            data = transform(data)
            times = data.get('frame_times')
            if times is not None and data.get('avg_fps'):
                self.seconds = _seconds(times, data['avg_fps'])
            elif 'total_frames' in data:
                self.seconds = data['total_frames'] / data.get('avg_fps', pipelines.RATE)
        return data


def _seconds(times: np.ndarray, rate: float) -> float:
    """How long a video is, whose last frame is shown as long as the mean."""
    return float(times[-1] + 1 / rate)


def _as_several(source: Any) -> list:
    """The videos of a batch, or of a list, in which folders and patterns stand for what is in them."""
    if not isinstance(source, Iterable) or isinstance(source, bytes | Mapping):
        raise UserError(f'a {type(source).__name__} is no video; give a path, frames in uint8, or a list of these')
    videos: list = []
    for part in source:
        videos += find_videos(part) if isinstance(part, str | Path) else [part]
    return videos


def _load(
    model: str | Path | nn.Module,
    config: str | Path | None,
    device: str | torch.device | None,
    dtype: torch.dtype,
    threads: int,
) -> Scorer:
    if isinstance(model, nn.Module):
        return TorchScorer(model if device is None else model.to(device), dtype)
    if Path(model).suffix in EXPORTED:
        from mmdualformer.export import load_exported

        if config is not None:
            raise UserError(f'exported model {str(model)!r} describes itself; it takes no config')
        return ExportedScorer(load_exported(model, threads))
    if device is None:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    cfg = read_inference_config(str(config)) if config is not None else None
    return TorchScorer(load_recognizer(str(model), device, cfg), dtype)
