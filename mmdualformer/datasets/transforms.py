import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


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
