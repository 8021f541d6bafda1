"""A trained recognizer, for programs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mmdualformer.checkpoints import load_recognizer
from mmdualformer.checks import read_labels
from mmdualformer.configs import read_inference_config
from mmdualformer.errors import UserError, describe
from mmdualformer.export import find_format, load_exported
from mmdualformer.features import Extractor, Features
from mmdualformer.models.precision import DTYPES
from mmdualformer.publishing import find_published
from mmdualformer.video import VideoError

from . import pipelines
from .reading import ClipReader
from .results import Failure, Recognition, encodable
from .scorers import ExportedScorer, Scorer, TorchScorer
from .sources import as_video, find_videos, is_frames


class Recognizer:
    """A trained recognizer, which scores videos as its test does.

    Args:
        model (str, Path or nn.Module): A checkpoint of ours, an exported model (``.onnx``, ``.xml``), or what
            ``load_recognizer`` or MMAction2's ``init_recognizer`` gives.
        config (str or Path, optional): Config of a checkpoint that does not describe itself. Defaults to None.
        labels (str or Path, optional): Text file with the name of a class a line, instead of the checkpoint's.
        device (str or torch.device, optional): Where it runs. Defaults to None, a GPU where there is one.
        dtype (str): ``'float32'``, ``'bfloat16'`` or ``'float16'``, which products are computed in. On a CPU
            a Video Mobile-Former stays in float32, where it is faster. Defaults to ``'float32'``.
        threads (int): Threads of an exported model; 0 for the runtime's choice. Defaults to 0.

    Attributes:
        scorer (Scorer): What scores its clips.
        reader (ClipReader): What takes the clips of a video, also in another process.
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
        self.classes = tuple(map(encodable, names)) + tuple(map(str, range(len(names), count)))
        try:
            self.reader = ClipReader(self.scorer.test_pipeline, self.scorer.clip_seconds)
        except Exception as error:  # of whatever transforms an exported model names
            named = repr(str(model)) if isinstance(model, str | Path) else f'a {type(model).__name__}'
            raise UserError(f'model {named} has a test pipeline that cannot be built: {describe(error)}') from None

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

    @classmethod
    def from_pretrained(cls, path: str | Path, **kwargs: Any) -> 'Recognizer':
        """Load what ``mmdualformer publish`` has written. Nothing is downloaded.

        Args:
            path (str or Path): The folder, or the file of weights in it.
            **kwargs: The other arguments of a recognizer.

        Returns:
            Recognizer: The recognizer.

        Raises:
            UserError: The folder has no file of weights or several, or an argument cannot be used.
        """
        return cls(find_published(Path(path)) if Path(path).is_dir() else path, **kwargs)

    def __enter__(self) -> 'Recognizer':
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the model and its memory."""
        vars(self).pop('scorer', None)  # see __getattr__
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def __getattr__(self, name: str) -> Any:
        if name == 'scorer':
            raise UserError('the Recognizer is closed; make another one')
        raise AttributeError(f'{type(self).__name__!r} object has no attribute {name!r}')

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
                yield Failure.of(name, error)

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
        return self.reader.read(video, fps)

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
            source (str, Path, Video, Stream or iterable): A file, a stream, an open video, or pairs of a time in
                seconds and an RGB frame ``[H, W, 3]`` in uint8, without an end if need be.
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
        for sample, start in self.reader.windows(source, window, step, fps):
            yield self.score(sample, start)

    def features(
        self,
        video: Any,
        level: str = 'clip',
        stage: int | None = None,
        *,
        window: float | None = None,
        step: float | None = None,
        fps: float | None = None,
    ) -> Features:
        """Take the features that the model makes of a video while it scores the clips of its test.

        Args:
            video: As for :meth:`recognize`; of level ``'window'`` as for :meth:`watch`, with an end.
            level (str): ``'clip'`` for a vector, ``'window'`` for a vector of each window of :meth:`watch`, ``'token'``
                for a map over time and place. Defaults to ``'clip'``.
            stage (int, optional): Stage of the backbone, or layer, from 1: a vector is then the mean of its map.
                Defaults to None, what the classifier's last linear layer takes, and of tokens the last map.
            window, step (float, optional): See :meth:`watch`.
            fps (float, optional): Frames a second of frames in memory. Defaults to None, 30.

        Returns:
            Features: float32, averaged over views as the head averages scores; tokens of several views are kept apart.

        Raises:
            UserError: An argument cannot be used, the model has no such features, or they are NaN or infinite.
            VideoError: The video cannot be read.
            TimeoutError: It takes too long.
        """
        extractor = self.extractor(level, stage)
        if level == 'window':
            video = as_video(video, fps or pipelines.RATE) if is_frames(video) else video
            parts = [self.extract(extractor, *part) for part in self.reader.windows(video, window, step, fps)]
            if not parts:
                raise UserError('the video has no frame')
            return replace(
                parts[0],
                array=np.stack([part.array for part in parts]),
                times=np.stack([part.times for part in parts]),
            )
        if window is not None or step is not None:
            raise UserError(f"window and step are for level='window', not {level!r}")
        return self.extract(extractor, self.read(video, fps or pipelines.RATE))

    def extractor(self, level: str = 'clip', stage: int | None = None) -> Extractor:
        """What takes the features of :meth:`features`.

        Raises:
            UserError: The model has no such features.
        """
        if not isinstance(self.scorer, TorchScorer):
            raise UserError('an exported model has no features; give the checkpoint that it was exported from')
        return Extractor(self.scorer.model, level, stage)

    def extract(self, extractor: Extractor, sample: Mapping, start: float = 0.0) -> Features:
        """Take the features of what :meth:`read` has read, or of a window.

        Args:
            extractor (Extractor): What :meth:`extractor` gives.
            sample (mapping): The clips.
            start (float): Where they begin in the video, in seconds. Defaults to 0.

        Raises:
            UserError: They are NaN or infinite.
        """
        clips = {key: sample[key] for key in ('inputs', 'data_samples')}
        array, tokens = extractor(lambda: self.scorer([clips]))
        said = sample['video']
        if not np.isfinite(array).all() or (tokens is not None and not np.isfinite(tokens).all()):
            raise UserError(f'the features of video {said["source"]!r} are NaN or infinite')
        times = np.array([start, start + said['seconds']])
        return Features(said['source'], extractor.level, extractor.stage, array, times, tokens, said['damage'])


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
    if find_format(Path(model)) is not None:
        if config is not None:
            raise UserError(f'exported model {str(model)!r} describes itself; it takes no config')
        return ExportedScorer(load_exported(model, threads))
    if device is None:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    cfg = read_inference_config(str(config)) if config is not None else None
    return TorchScorer(load_recognizer(str(model), device, cfg), dtype)
