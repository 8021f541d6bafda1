"""Clips of videos, to compare a file with PyTorch on and to find the ranges of int8."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from torch import Tensor

from mmdualformer.datasets.decoding import READING_LIMIT
from mmdualformer.datasets.own_videos import find_videos
from mmdualformer.datasets.own_videos.tables import read_table
from mmdualformer.errors import UserError, describe
from mmdualformer.video import VideoError


class VideoClips:
    """The clips of videos, read when they are asked for. It can be gone through again.

    Args:
        pipeline (sequence): A test pipeline.
        paths (sequence): The videos.
        labels (sequence, optional): A class for each. Defaults to None, unknown.
    """

    def __init__(self, pipeline: Sequence[dict], paths: Sequence[Path], labels: Sequence[int] | None = None) -> None:
        init_default_scope('mmaction')
        self.transforms = Compose(list(pipeline))
        self.paths = list(paths)
        self.labels = list(labels) if labels is not None else [-1] * len(self.paths)
        self.unreadable: dict[Path, str] = {}  # why

    def views(self) -> Iterator[tuple[Tensor, int]]:
        """Yield the views of each video that can be read, uint8 ``[views, 3, T, H, W]``, and its class."""
        for path, label in zip(self.paths, self.labels):
            data = dict(filename=str(path), label=label, start_index=0, modality='RGB')
            try:
                packed = self.transforms(dict(data, deadline=time.monotonic() + READING_LIMIT, damage=[]))
            except (VideoError, TimeoutError) as error:
                self.unreadable[path] = describe(error)
                continue
            yield packed['inputs'], label

    def __iter__(self) -> Iterator[Tensor]:
        """Yield the middle view of each video that can be read, uint8 ``[1, 3, T, H, W]``."""
        for views, _ in self.views():
            middle = len(views) // 2
            yield views[middle : middle + 1]


def find_clips(
    source: Path, option: str, pipeline: Sequence[dict], classes: Sequence[str] = (), most: int | None = None
) -> VideoClips:
    """Find the videos of a folder with a sub-folder a class, or of a list.

    Args:
        source (Path): The folder or the list.
        option (str): What gave it, for messages.
        pipeline (sequence): A test pipeline.
        classes (sequence): Names of the classes that they must be of. Defaults to none, any.
        most (int, optional): Take so many at most, evenly spread. Defaults to None, all.

    Raises:
        UserError: There are none, or they are of other classes, or of several.
    """
    known = list(classes)
    if known and source.is_file():
        labels_given, _ = read_table(source, known=True)
        if all(label.isdecimal() for label in labels_given) and not set(labels_given) <= set(known):
            known = [str(number) for number in range(len(classes))]  # a list of MMAction2's has numbers
    found = find_videos(source, known or None, option)
    videos = found.videos
    if classes and found.multi_label:
        raise UserError(f'{option} {str(source)!r} has videos of several classes; each must be of one')
    if not videos:
        raise UserError(f'{option} {str(source)!r} has no videos')
    if most is not None and len(videos) > most:
        videos = [videos[i * len(videos) // most] for i in range(most)]
    labels = [video.labels[0] for video in videos] if classes else None
    return VideoClips(pipeline, [video.path for video in videos], labels)
