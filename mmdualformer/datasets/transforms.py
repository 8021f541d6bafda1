from collections.abc import Callable, Sequence

import mmcv
import numpy as np
from mmaction.datasets import transforms
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from PIL import Image, ImageEnhance, ImageOps


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
class PillowResize(transforms.Resize):
    """MMAction2's ``Resize`` by Pillow, as image models are trained and tested.

    Pillow's filters grow with the reduction. OpenCV's, which ``Resize`` has, see a few pixels only, and alias. The
    arguments are those of ``Resize``, without ``lazy``.
    """

    def _resize_imgs(self, imgs: Sequence[np.ndarray], new_w: int, new_h: int) -> list[np.ndarray]:
        return [
            mmcv.imresize(img, (new_w, new_h), interpolation=self.interpolation, backend='pillow') for img in imgs
        ]


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
        [min(value + int(110 * abs(s)), 255) if value < 128 else value for value in range(256)] * 3),
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

    def __init__(self,
                 magnitude: float = 9.,
                 magnitude_std: float = 0.5,
                 num_ops: int = 2,
                 prob: float = 0.5,
                 fill: Sequence[int] = (124, 116, 104)) -> None:
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
        return (f'{type(self).__name__}(magnitude={self.magnitude}, magnitude_std={self.magnitude_std}, '
                f'num_ops={self.num_ops}, prob={self.prob}, fill={self.fill})')
