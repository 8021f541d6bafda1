from collections.abc import Sequence

import numpy as np
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

from mmdualformer.datasets.moving_scenes import MOTIONS, OBJECT


@METRICS.register_module()
class MotionMetric(BaseMetric):
    """How much of the motion in scenes a model sees: the share of its variance that it explains, at most 1.

    ``object_r2`` is that of the object's places, ``camera_r2`` that of the camera's motion, both averages over axes.
    An axis along which nothing differs between the clips, as of still cameras, counts for nothing; where there is no
    other, the share is NaN.
    """

    default_prefix = 'motion'

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Take in the predictions of a batch."""
        self.results += [
            (sample['pred_score'].float().cpu().numpy(), sample['gt_label'].cpu().numpy()) for sample in data_samples
        ]

    def compute_metrics(self, results: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
        """Compute the two shares over all clips."""
        predicted, true = (np.stack(part).reshape(len(results), -1, MOTIONS) for part in zip(*results))
        errors = ((predicted - true) ** 2).sum(axis=(0, 1))
        variances = ((true - true.mean(axis=0)) ** 2).sum(axis=(0, 1))
        with np.errstate(invalid='ignore', divide='ignore'):
            shares = 1 - errors / variances
        differs = variances > 0

        def average(axes: slice) -> float:
            return float(shares[axes][differs[axes]].mean()) if differs[axes].any() else float('nan')

        return dict(object_r2=average(slice(OBJECT)), camera_r2=average(slice(OBJECT, None)))
