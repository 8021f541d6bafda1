"""Whole videos, decoded to the last frame, to find the broken ones before training does."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import av
from rich.progress import track

from mmdualformer.datasets.decoding import READING_LIMIT
from mmdualformer.video.isolation import map_isolated, report_progress

from .layout import Split


def decode_frames(path: Path) -> Iterator[av.VideoFrame]:
    """Yield all frames of a video, and make sure that they are all and undamaged, as far as a decoder can tell.

    Decoders hide damage; here they are told not to. What they still leave out shows in the number of frames or, where
    the container does not say it, in the time that they fill.

    Args:
        path (Path): The video.

    Raises:
        av.FFmpegError: It cannot be opened.
        ValueError: It has no frames, damaged ones, or fewer than its container says.
    """
    # edit lists hide frames that the container counts
    with av.open(str(path), options={'ignore_editlist': '1'}) as container:
        if not container.streams.video:
            raise ValueError('no video stream')
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {'err_detect': 'explode'}
        count = 0
        try:
            for frame in container.decode(stream):
                count += 1
                report_progress()
                yield frame
        except av.FFmpegError as error:
            raise ValueError(f'after {count} frames: {error.strerror}') from error
        expected = stream.frames
        least = expected - 1  # encoders that drop the last frame still count it
        if not expected and container.duration and stream.average_rate:
            expected = round(container.duration / av.time_base * stream.average_rate)
            least = 0.9 * expected
    if count < 1:
        raise ValueError('no frames')
    if count < least:
        raise ValueError(f'{count} frames, where its container says {expected}')


def check_video(path: Path) -> None:
    """Decode a whole video.

    Raises:
        av.FFmpegError, ValueError: See :func:`decode_frames`.
    """
    for _ in decode_frames(path):
        pass


def check_videos(splits: Iterable[Split], workers: int) -> dict[Path, str]:
    """Decode all videos of a data set, in parallel.

    Returns:
        dict: The broken ones, and what is wrong with each.
    """
    videos = sorted({split.source / video for split in splits for video, _ in split.samples})
    return find_broken(check_video, videos, 'checking', workers)


def find_broken(function: Callable, videos: Sequence, description: str, workers: int) -> dict:
    """Call a function for each of some videos, in parallel, under a progress bar.

    Args:
        function (Callable): What is called, in other processes; what it raises is why the video is broken. So is a
            crash, or a minute without a frame from :func:`decode_frames`.
        videos (sequence): Its arguments.
        description (str): Of the progress bar.
        workers (int): Processes.

    Returns:
        dict: The arguments for which it raised, and what.
    """
    with closing(map_isolated(function, videos, workers, READING_LIMIT)) as outcomes:
        outcomes = track(outcomes, description, total=len(videos))
        broken = {video: _reason(error) for video, _, error in outcomes if error}
    return {video: broken[video] for video in videos if video in broken}


def _reason(error: Exception) -> str:
    return getattr(error, 'strerror', None) or str(error) or type(error).__name__
