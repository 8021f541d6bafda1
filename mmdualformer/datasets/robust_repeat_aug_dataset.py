"""Repeated augmentation of videos of which some may be broken."""

from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

import numpy as np
from mmaction.datasets import RepeatAugDataset
from mmaction.registry import DATASETS
from mmengine.dataset import Compose

from mmdualformer.errors import UserError

from .robust_video_dataset import RobustVideoDataset


class _RepeatedPipeline:
    """A pipeline that opens and decodes a video once, for several samples of it.

    Args:
        pipeline (Compose): Its first three transforms open a video, sample and decode frames.
        num_repeats (int): Samples of a video.
        sample_once (bool): Whether they have the same frames.
    """

    def __init__(self, pipeline: Compose, num_repeats: int, sample_once: bool) -> None:
        self.init, self.sample, self.decode, *rest = pipeline.transforms
        self.augment = Compose(rest)
        self.num_repeats = num_repeats
        self.num_draws = 1 if sample_once else num_repeats

    def __call__(self, info: dict) -> list[dict]:
        """Make ``num_repeats`` samples of a video."""
        video = self.init(info)
        draws = [self.sample(dict(video)) for _ in range(self.num_draws)]
        clips = [np.ravel(draw['frame_inds']) for draw in draws]
        decoded = self.decode(dict(draws[0], frame_inds=np.concatenate(clips)))
        images = iter(decoded['imgs'])
        drawn = [(clip, list(islice(images, len(clip)))) for clip in clips]
        return [
            # each has frames of its own, which some transforms change in place
            self.augment(dict(decoded, frame_inds=clip, imgs=[frame.copy() for frame in frames]))
            for clip, frames in islice(cycle(drawn), self.num_repeats)
        ]


@DATASETS.register_module()
class RobustRepeatAugDataset(RobustVideoDataset, RepeatAugDataset):
    """MMAction2's ``RepeatAugDataset`` for videos of which some may be broken: several samples of each in a batch.

    A video is opened and decoded once for all its samples (arXiv:1901.09335). A batch has ``num_repeats`` times
    ``batch_size`` samples, and its data loader needs ``collate_fn=dict(type='repeat_pseudo_collate')``. For training
    only.

    Args:
        *args: Those of ``RobustVideoDataset``; the first three transforms open a video, sample and decode frames.
        num_repeats (int): Samples of a video. Defaults to 4.
        sample_once (bool): Whether they have the same frames. Defaults to False.
        **kwargs: Those of ``RobustVideoDataset``, without ``test_mode``.

    Raises:
        UserError: ``num_repeats`` is less than 1, or see ``RobustVideoDataset``.
    """

    pipeline: Callable[[dict], Any]

    def __init__(self, *args, num_repeats: int = 4, sample_once: bool = False, **kwargs) -> None:
        if num_repeats < 1:
            raise UserError(f'num_repeats={num_repeats} must be at least 1')
        super().__init__(*args, num_repeats=num_repeats, sample_once=sample_once, **kwargs)
        self.pipeline = _RepeatedPipeline(self.pipeline, num_repeats, sample_once)
