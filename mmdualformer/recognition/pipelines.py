"""Test pipelines, for videos that are no files and for parts of long ones."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from mmdualformer.video import FrameArray

RATE = 30.0  # frames a second, where nothing says how many there are


def compose(steps: Sequence[Mapping]) -> Compose:
    """Build a pipeline of MMAction2's transforms and ours."""
    init_default_scope('mmaction')
    return Compose([dict(step) for step in steps])


def for_open_videos(steps: Sequence[Mapping]) -> list[dict]:
    """Change the steps of a pipeline that open and decode files into ours, which also take an open video.

    Of MMAction2's, those are named ``DecordInit`` and ``DecordDecode``, or alike.
    """
    ours = []
    for step in map(dict, steps):
        if step['type'].endswith('Decode'):
            step = dict(type='VideoDecode')
        elif step['type'].endswith('Init') and step['type'] != 'VideoInit':
            step = dict(type='VideoInit')
        ours.append(step)
    if not any(step['type'] == 'VideoInit' for step in ours):  # as of folders of frames
        ours.insert(0, dict(type='VideoInit'))
    return ours


def for_windows(steps: Sequence[Mapping]) -> tuple[Callable[[np.ndarray], np.ndarray], list[dict]]:
    """Part a pipeline for the windows of a long video: one clip of each window, of frames that are resized before.

    A frame is in several windows. So it is resized once, and waits for them in its smaller size.

    Returns:
        tuple: What resizes a frame ``[H, W, 3]``, and the steps for a window of resized frames.
    """
    ours = for_open_videos(steps)
    for step in ours:
        if 'num_clips' in step:
            step['num_clips'] = 1
    decode = next(i for i, step in enumerate(ours) if step['type'] == 'VideoDecode')
    after = ours[decode + 1 :]
    count = next((i for i, step in enumerate(after) if step['type'] != 'Resize'), len(after))
    resize = compose(after[:count])

    def shrink(frame: np.ndarray) -> np.ndarray:
        return resize(dict(imgs=[frame], img_shape=frame.shape[:2], original_shape=frame.shape[:2]))['imgs'][0]

    return shrink, [*ours[: decode + 1], *after[count:]]


def window_seconds(steps: Sequence[Mapping], clip_seconds: float | None, rate: float = RATE) -> float:
    """How long the window of a long video is, so that it is what the model has learned from.

    Args:
        steps (sequence): The test pipeline.
        clip_seconds (float, optional): How long the videos were that it has learned from.
        rate (float): Frames a second of the video. Defaults to 30.

    Returns:
        float: The time that a clip spans where the pipeline takes frames at a fixed distance. Where it spreads them
        over a whole video, ``clip_seconds``, or 2 where that is not known.
    """
    for step in steps:
        interval = step.get('frame_interval')
        if 'clip_len' in step and interval:
            return step['clip_len'] * interval / (step.get('target_fps') or rate)
    return clip_seconds if clip_seconds and math.isfinite(clip_seconds) and clip_seconds > 0 else 2.0


def sample_of(steps: Compose, video: FrameArray) -> dict:
    """Make a model's input of frames in memory."""
    return steps(dict(video=video, filename=video.path, label=-1, start_index=0, modality='RGB'))
