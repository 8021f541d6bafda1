"""The data set of scenes in motion."""

from collections.abc import Sequence

import numpy as np
import torch
from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS

from mmdualformer.errors import UserError

from .filming import film_scene

SMALLEST = 16  # pixels of a clip, in which the smallest object has one
TESTED = 2**32  # seeds from here on are those of test clips


@DATASETS.register_module()
class MovingScenesDataset(BaseActionDataset):
    """Clips of :func:`film_scene`, labelled with the motion in them.

    In training every clip of every epoch is a new one, drawn from NumPy's random numbers. With data workers that takes
    ``persistent_workers=True``, as MMEngine gives new ones the same seeds in every epoch. In testing the clips are
    always the same, and no training clip is one of them.

    Args:
        pipeline (sequence): Transforms of a sample with ``imgs``, ``label`` (float Tensor ``[frames * MOTIONS]``, the
            motion), ``clip_len``, ``num_clips``, ``img_shape``, ``original_shape`` and ``filename``, the scene's seed.
        num_clips (int): Clips of an epoch.
        frames (int): Frames of a clip. Defaults to 16.
        size (int): Height and width of a clip, at least 16. Defaults to 64.
        **kwargs: Those of ``BaseActionDataset``, such as ``test_mode``.

    Raises:
        UserError: A number is not positive, or ``size`` is below 16.
    """

    def __init__(self, pipeline: Sequence, num_clips: int, frames: int = 16, size: int = 64, **kwargs) -> None:
        for name, value in (('num_clips', num_clips), ('frames', frames), ('size', size)):
            if not isinstance(value, int) or value < 1:
                raise UserError(f'MovingScenesDataset.{name}={value!r} must be a positive number')
        if size < SMALLEST:
            raise UserError(f'MovingScenesDataset.size={size} must be at least {SMALLEST}')
        self.num_clips, self.frames, self.size = num_clips, frames, size
        super().__init__('', pipeline, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the clips of an epoch."""
        return [dict(place=place) for place in range(self.num_clips)]

    def get_data_info(self, idx: int) -> dict:
        """Film a clip."""
        seed = TESTED + idx if self.test_mode else np.random.randint(TESTED, dtype=np.int64)
        clip, motion = film_scene(int(seed), self.frames, self.size)
        shape = clip.shape[1:3]
        return dict(
            imgs=list(clip),
            label=torch.from_numpy(motion.flatten()),
            clip_len=self.frames,
            num_clips=1,
            img_shape=shape,
            original_shape=shape,
            filename=f'scene {seed}',
        )
