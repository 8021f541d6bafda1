from collections.abc import Callable, Sequence

import mmcv
import numpy as np
from mmaction.datasets import transforms
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from PIL import Image, ImageEnhance, ImageOps

from mmdualformer.errors import UserError


@TRANSFORMS.register_module()
class ShuffleFrames(BaseTransform):
    """Put the frames of a clip in random order, to find out whether a model uses their order.

    Required and modified key: ``imgs`` (list of frames of one clip).
    """

    def transform(self, results: dict) -> dict:
        """Shuffle ``results['imgs']``."""
        results['imgs'] = [results['imgs'][i] for i in np.random.permutation(len(results['imgs']))]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


@TRANSFORMS.register_module()
class ReleasedSampleFrames(transforms.SampleFrames):
    """MMAction2's ``SampleFrames``, with clips and frames where the authors' released code takes them.

    - ``'dualformer'``: of several test clips each is in the middle of one of as many equal segments, as in MMAction2
      0.x. Of 300 frames, four clips of 32x2 start at 29, 88, 148 and 207; MMAction2 1.x takes 0, 79, 158 and 237.
    - ``'vidtr'``: test clips start where equal segments do. Of 300 frames, ten clips of 8x8 start at 0, 23 ... 213;
      MMAction2 1.x takes 0, 27 ... 243. The frames of a training clip are spread evenly from the first to the last of
      the frames that it spans, 0, 9, 18 ... 63; MMAction2 takes 0, 8 ... 56. A video that is shorter than a clip
      repeats its last sampled frame in tests, and its last frame in training; MMAction2 begins again.

    Args:
        release (str): ``'dualformer'`` or ``'vidtr'``.
        **kwargs: Those of ``SampleFrames``.

    Raises:
        UserError: There is no such release.
    """

    def __init__(self, release: str, **kwargs) -> None:
        if release not in ('dualformer', 'vidtr'):
            raise UserError(f"release={release!r} must be 'dualformer' or 'vidtr'")
        super().__init__(**{'out_of_bound_opt': 'repeat_last' if release == 'vidtr' else 'loop', **kwargs})
        self.release = release

    def _get_test_clips(self, num_frames: int, ori_clip_len: float) -> np.ndarray:
        segment = (num_frames - self.clip_len * self.frame_interval + 1) / self.num_clips
        if segment <= 0:
            return np.zeros(self.num_clips, dtype=int)
        return ((np.arange(self.num_clips) + (self.release == 'dualformer') / 2) * segment).astype(int)

    def transform(self, results: dict) -> dict:
        """Sample the frames of clips: ``frame_inds``, ``clip_len``, ``frame_interval`` and ``num_clips``."""
        results = super().transform(results)
        if self.release == 'vidtr' and not self.test_mode:
            results['frame_inds'] = self._spread_frames(results['total_frames']) + results['start_index']
        return results

    def _spread_frames(self, num_frames: int) -> np.ndarray:
        """Frames of training clips, ``[num_clips * clip_len]``."""
        span = self.clip_len * self.frame_interval
        if num_frames > span:
            starts = np.random.randint(num_frames - span, size=(self.num_clips, 1))
            frames = np.minimum(np.linspace(0, span, self.clip_len), span - 1).astype(np.int32)
            return (starts + frames).ravel().astype(np.int32)
        whole = num_frames // self.frame_interval
        frames = np.pad(np.linspace(0, num_frames, whole), (0, self.clip_len - whole), constant_values=num_frames)
        return np.tile(np.minimum(frames, num_frames - 1).astype(np.int32), self.num_clips)

    def __repr__(self) -> str:
        return f'{super().__repr__()[:-1]}, release={self.release})'


@TRANSFORMS.register_module()
class PillowResize(transforms.Resize):
    """MMAction2's ``Resize`` by Pillow, as image models are trained and tested.

    Pillow's filters grow with the reduction. OpenCV's, which ``Resize`` has, see a few pixels only, and alias. The
    arguments are those of ``Resize``, without ``lazy``.
    """

    def _resize_imgs(self, imgs: Sequence[np.ndarray], new_w: int, new_h: int) -> list[np.ndarray]:
        return [mmcv.imresize(img, (new_w, new_h), interpolation=self.interpolation, backend='pillow') for img in imgs]


def _affine(image: Image.Image, matrix: Sequence[float], fill: tuple[int, int, int]) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=fill)


def _enhance(enhancer: type, image: Image.Image, s: float) -> Image.Image:
    return enhancer(image).enhance(max(1 + 0.9 * s, 0.1))


# Name -> operation on (RGB image, signed strength s of -1 to 1, fill colour). The stronger, the more an image changes.
_OPERATIONS: dict[str, Callable] = {
    'auto_contrast': lambda image, s, fill: ImageOps.autocontrast(image),
    'equalize': lambda image, s, fill: ImageOps.equalize(image),
    'invert': lambda image, s, fill: ImageOps.invert(image),
    'posterize': lambda image, s, fill: ImageOps.posterize(image, max(4 - int(4 * abs(s)), 1)),
    'solarize': lambda image, s, fill: ImageOps.solarize(image, 256 - int(256 * abs(s))),
    'solarize_add': lambda image, s, fill: image.point(
        [min(value + int(110 * abs(s)), 255) if value < 128 else value for value in range(256)] * 3
    ),
    'color': lambda image, s, fill: _enhance(ImageEnhance.Color, image, s),
    'contrast': lambda image, s, fill: _enhance(ImageEnhance.Contrast, image, s),
    'brightness': lambda image, s, fill: _enhance(ImageEnhance.Brightness, image, s),
    'sharpness': lambda image, s, fill: _enhance(ImageEnhance.Sharpness, image, s),
    'rotate': lambda image, s, fill: image.rotate(30 * s, Image.Resampling.BICUBIC, fillcolor=fill),
    'shear_x': lambda image, s, fill: _affine(image, (1, 0.3 * s, 0, 0, 1, 0), fill),
    'shear_y': lambda image, s, fill: _affine(image, (1, 0, 0, 0.3 * s, 1, 0), fill),
    'translate_x': lambda image, s, fill: _affine(image, (1, 0, 0.45 * s * image.width, 0, 1, 0), fill),
    'translate_y': lambda image, s, fill: _affine(image, (1, 0, 0, 0, 1, 0.45 * s * image.height), fill),
}


@TRANSFORMS.register_module()
class RandAugment(BaseTransform):
    """RandAugment (arXiv:1909.13719) in the variant of DeiT, which timm calls ``rand-m9-mstd0.5-inc1``.

    Operations are drawn with replacement, and each is applied or not; all frames of a clip are treated alike. Neither
    MMAction2 nor mmcv has it; pytorchvideo's and mmpretrain's need torchvision.

    Required and modified key: ``imgs`` (list of RGB frames, uint8).

    Args:
        magnitude (float): Mean strength, of 0 to 10. Defaults to 9.
        magnitude_std (float): Its standard deviation; a strength is cut to 0 and 10. Defaults to 0.5.
        num_ops (int): Operations that are drawn. Defaults to 2.
        prob (float): Probability that a drawn one is applied. Defaults to 0.5.
        fill (sequence): RGB colour of what a moved image leaves empty. Defaults to the mean of ImageNet.
    """

    def __init__(
        self,
        magnitude: float = 9.0,
        magnitude_std: float = 0.5,
        num_ops: int = 2,
        prob: float = 0.5,
        fill: Sequence[int] = (124, 116, 104),
    ) -> None:
        self.magnitude = magnitude
        self.magnitude_std = magnitude_std
        self.num_ops = num_ops
        self.prob = prob
        self.fill = tuple(fill)

    def transform(self, results: dict) -> dict:
        """Augment ``results['imgs']``."""
        images = [Image.fromarray(img) for img in results['imgs']]
        for name in np.random.choice(list(_OPERATIONS), self.num_ops):
            if np.random.rand() < self.prob:
                strength = np.clip(np.random.normal(self.magnitude, self.magnitude_std) / 10, 0, 1)
                s = float(strength * np.random.choice((-1, 1)))
                images = [_OPERATIONS[name](image, s, self.fill) for image in images]
        results['imgs'] = [np.array(image) for image in images]
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(magnitude={self.magnitude}, magnitude_std={self.magnitude_std}, '
            f'num_ops={self.num_ops}, prob={self.prob}, fill={self.fill})'
        )
