"""Transforms of clips that matter from their beginning to their end, whatever their length, frame rate and shape."""

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mmdualformer.errors import UserError


@TRANSFORMS.register_module()
class SampleEvenly(BaseTransform):
    """Sample frames that are evenly spread over the time of a whole video.

    The time is parted into as many equal spans as there are frames. A training clip has a frame from anywhere in each
    span, a test clip the one in its middle. Of several test clips, each takes another place in the spans. A video with
    fewer frames repeats them.

    Required keys: ``total_frames``; if there, ``frame_times`` (seconds, of each frame), without which the frames count
    as equally far apart, and ``start_index``. Added keys: ``frame_inds``, ``clip_len``, ``frame_interval`` (None) and
    ``num_clips``.

    Args:
        clip_len (int): Frames of a clip.
        num_clips (int): Clips of a video. Defaults to 1.
        cover (float): Least share of the time that a training clip is taken from; which part is random. Defaults to
            0.85.
        test_mode (bool): Whether the clip is to test on. Defaults to False.

    Raises:
        UserError: An argument is out of range.
    """

    def __init__(self, clip_len: int, num_clips: int = 1, cover: float = 0.85, test_mode: bool = False) -> None:
        for name, value in (('clip_len', clip_len), ('num_clips', num_clips)):
            if not isinstance(value, int) or value < 1:
                raise UserError(f'SampleEvenly.{name}={value!r} must be a positive number')
        if not 0 < cover <= 1:
            raise UserError(f'SampleEvenly.cover={cover!r} must lie between 0 and 1')
        self.clip_len = clip_len
        self.num_clips = num_clips
        self.cover = cover
        self.test_mode = test_mode

    def transform(self, results: dict) -> dict:
        """Sample frames."""
        moments = np.concatenate([self._draw_moments(clip) for clip in range(self.num_clips)])  # 0 to 1
        frames = self._find_frames(moments, results['total_frames'], results.get('frame_times'))
        return dict(
            results,
            frame_inds=frames + results.get('start_index', 0),
            clip_len=self.clip_len,
            frame_interval=None,
            num_clips=self.num_clips,
        )

    def _draw_moments(self, clip: int) -> np.ndarray:
        places = np.full(self.clip_len, (clip + 0.5) / self.num_clips)
        begin, share = 0.0, 1.0
        if not self.test_mode:
            places = np.random.uniform(0, 1, self.clip_len)
            share = np.random.uniform(self.cover, 1)
            begin = np.random.uniform(0, 1 - share)
        return begin + share * (np.arange(self.clip_len) + places) / self.clip_len

    @staticmethod
    def _find_frames(moments: np.ndarray, total: int, times: np.ndarray | None) -> np.ndarray:
        """Find the frames that are shown at moments of 0 to 1; the last one is shown as long as those before it."""
        if times is None or len(times) != total or total < 2 or times[-1] <= times[0]:
            return np.minimum((moments * total).astype(int), total - 1)
        times = np.asarray(times) - times[0]
        end = times[-1] * total / (total - 1)
        return np.maximum(np.searchsorted(times, moments * end, side='right') - 1, 0)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(clip_len={self.clip_len}, num_clips={self.num_clips}, cover={self.cover}, '
            f'test_mode={self.test_mode})'
        )


@TRANSFORMS.register_module()
class RandomPart(BaseTransform):
    """Crop a random part of a clip, of about the frames' own shape.

    ``RandomResizedCrop`` takes crops of 3:4 to 4:3, which never show the whole of a wide video.

    Required and modified keys: ``imgs`` (list of ``[H, W, 3]``) and ``img_shape``.

    Args:
        share (float): Least share of the area. Defaults to 0.6.
        stretch (float): How much wider or narrower than the frames' the shape may be. Defaults to 1.25.

    Raises:
        UserError: An argument is out of range.
    """

    def __init__(self, share: float = 0.6, stretch: float = 1.25) -> None:
        if not 0 < share <= 1:
            raise UserError(f'RandomPart.share={share!r} must lie between 0 and 1')
        if stretch < 1:
            raise UserError(f'RandomPart.stretch={stretch!r} must be at least 1')
        self.share = share
        self.stretch = stretch

    def transform(self, results: dict) -> dict:
        """Crop ``results['imgs']``."""
        side = np.sqrt(np.random.uniform(self.share, 1))
        aspect = np.exp(np.random.uniform(-0.5, 0.5) * np.log(self.stretch))
        shape = np.array(results['img_shape'])
        share = np.minimum(side * np.array([1 / aspect, aspect]), 1)
        height, width = np.maximum(np.round(shape * share), 1).astype(int)
        top, left = (np.random.randint(whole - part + 1) for whole, part in zip(shape, (height, width)))
        imgs = [image[top : top + height, left : left + width] for image in results['imgs']]
        return dict(results, imgs=imgs, img_shape=(int(height), int(width)))

    def __repr__(self) -> str:
        return f'{type(self).__name__}(share={self.share}, stretch={self.stretch})'
