"""The clip of a video that is explained: one view, as the model's test pipeline makes it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmaction.models import Recognizer2D
from mmaction.models.recognizers import BaseRecognizer
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from torch import Tensor

from mmdualformer.datasets.decoding import READING_LIMIT
from mmdualformer.datasets.noting import run_noting
from mmdualformer.errors import UserError, printable
from mmdualformer.video import VideoError


@dataclass(frozen=True)
class View:
    """One of the clips that a model is tested on.

    Attributes:
        frames (np.ndarray): RGB, uint8, ``[T, H, W, 3]``, as the model sees them.
        clips (Tensor): What the model takes, ``[1, C, T, H, W]``, of a Recognizer2D ``[1, T, C, H, W]``.
        numbers (np.ndarray): Of the frames in the video, from 0, ``[T]``.
        times (np.ndarray, optional): When they are shown, in seconds after the first frame of the video, ``[T]``.
        count (int): Views that the test has of a video.
        damage (list): What was found to be damaged.
    """

    frames: np.ndarray
    clips: Tensor
    numbers: np.ndarray
    times: np.ndarray | None
    count: int
    damage: list[str]


def read_view(model: BaseRecognizer, video: str) -> View:
    """Read the middle view of a video: of its clips the one in the middle, of their crops the one in the centre.

    Args:
        model (BaseRecognizer): A recognizer with its ``cfg``, which has the test pipeline.
        video (str): A video file, or a folder of numbered images.

    Raises:
        UserError: There is no such video, or it cannot be read, or the pipeline makes no RGB frames of it.
    """
    if not Path(video).exists():
        raise UserError(f'video {video!r} does not exist (looked in {Path.cwd()})')
    init_default_scope(model.cfg.get('default_scope', 'mmaction'))
    damage: list[str] = []
    data: dict[str, Any] = dict(filename=video, label=-1, start_index=0, modality='RGB')
    data.update(deadline=time.monotonic() + READING_LIMIT, damage=damage)
    try:
        data, seen = run_noting(Compose(model.cfg.test_pipeline).transforms, data)
    except (VideoError, TimeoutError) as error:
        raise UserError(f'video {video!r} cannot be read: {printable(getattr(error, "reason", error))}') from None

    return view_of(model, data, seen, damage)


def view_of(model: BaseRecognizer, data: Mapping, seen: Mapping, damage: Sequence[str] = ()) -> View:
    """Take the middle view of what the test pipeline has made of a video.

    Args:
        model (BaseRecognizer): The recognizer.
        data (mapping): ``inputs``, all clips, and ``data_samples``.
        seen (mapping): What the transforms have said, see :func:`~mmdualformer.datasets.noting.run_noting`.
        damage (sequence): What was found to be damaged. Defaults to nothing.

    Raises:
        UserError: The pipeline makes no RGB frames.
    """
    inputs, is_2d = data['inputs'], isinstance(model, Recognizer2D)
    numbers = np.ravel(seen['frame_inds'])
    if is_2d:  # all frames of the first crop, then of the second
        inputs = inputs.unflatten(0, (-1, len(numbers)))
    else:  # all clips of the first crop, then of the second
        numbers = numbers.reshape(-1, inputs.shape[2])[seen.get('num_clips', 1) // 2]
    clips = 1 if is_2d else seen.get('num_clips', 1)
    count = len(inputs)
    chosen = inputs[_find_centre(seen.get('crop_bbox'), count // clips) * clips + clips // 2]
    frames = chosen.movedim(1 if is_2d else 0, -1).contiguous().numpy()
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        raise UserError(f'the test pipeline makes {tuple(frames.shape)} of {frames.dtype}, no RGB frames to draw on')

    one = dict(inputs=chosen if is_2d else chosen[None], data_samples=data['data_samples'])
    prepared = model.data_preprocessor(pseudo_collate([one]))['inputs']
    times = seen.get('frame_times')
    if times is not None:
        times = np.asarray(times, float)[numbers] - times[0]
    elif seen.get('avg_fps'):
        times = numbers / seen['avg_fps']
    return View(frames, prepared if is_2d else prepared[:, 0], numbers, times, count, list(damage))


def _find_centre(boxes: np.ndarray | None, crops: int) -> int:
    """Which of several crops is that of the centre, given the boxes of each one's frames; ThreeCrop has it last."""
    if boxes is None or np.size(boxes) % (4 * crops):
        return crops // 2
    corners = np.reshape(boxes, (crops, -1, 2, 2))[:, 0]  # of each crop's first frame
    centres = corners.mean(axis=1)
    middle = (centres.min(axis=0) + centres.max(axis=0)) / 2
    return int(np.linalg.norm(centres - middle, axis=1).argmin())
