"""Whole videos, decoded to the last frame, to find the broken ones before training does."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from rich.progress import track

from mmdualformer.datasets.decoding import READING_LIMIT
from mmdualformer.video import VideoFile
from mmdualformer.video.isolation import map_isolated

from .layout import Split


def check_video(path: Path) -> None:
    """Decode a whole video, and make sure that its frames are all there and undamaged, as far as a decoder can tell.

    Decoders hide damage; here they are told not to. What they still leave out shows in the number of frames or in the
    time that they fill, where the container says these.

    Args:
        path (Path): The video.

    Raises:
        VideoError: It cannot be opened, has damaged frames, or fewer than its container says.
    """
    with VideoFile(str(path)) as video:
        for _ in video.decode_all():
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
            crash, or a minute without a packet that is decoded.
        videos (sequence): Its arguments.
        description (str): Of the progress bar.
        workers (int): Processes.

    Returns:
        dict: The arguments for which it raised, and what.
    """
    with closing(map_isolated(function, videos, workers, READING_LIMIT)) as outcomes:
        tracked = track(outcomes, description, total=len(videos))
        broken = {video: _reason(error) for video, _, error in tracked if error}
    return {video: broken[video] for video in videos if video in broken}


def _reason(error: Exception) -> str:
    return getattr(error, 'reason', None) or getattr(error, 'strerror', None) or str(error) or type(error).__name__
