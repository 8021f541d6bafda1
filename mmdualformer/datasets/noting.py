"""Pipelines that are run with an eye on what their transforms say of the frames, which the end of them does not."""

from collections.abc import Callable, Iterable
from typing import Any

from mmdualformer.video import Video

NOTED = ('frame_inds', 'num_clips', 'frame_times', 'avg_fps', 'crop_bbox', 'total_frames')


def run_noting(transforms: Iterable[Callable[[dict], dict]], data: dict) -> tuple[dict, dict[str, Any]]:
    """Run transforms on a video.

    Args:
        transforms (iterable): Those of a pipeline.
        data (dict): What the first one takes.

    Returns:
        tuple: What the last one gives; and what was said on the way: of :data:`NOTED` the last word, and ``seconds``,
        how long the video is, where one of ours has opened it.
    """
    said: dict[str, Any] = {}
    for transform in transforms:
        data = transform(data)
        said.update((key, data[key]) for key in NOTED if key in data)
        if isinstance(data.get('video_reader'), Video):
            said['seconds'] = data['video_reader'].duration
    return data, said
