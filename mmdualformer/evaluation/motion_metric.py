from collections.abc import Sequence

import numpy as np
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

from mmdualformer.datasets.moving_scenes import MOTIONS


@METRICS.register_module()
class MotionMetric(BaseMetric):
    """How much of the motion in scenes a model sees: the share of its variance that it explains, at most 1.

    ``object_r2`` is that of the object's places, ``camera_r2`` that of the camera's motion, both averages over frames
    and axes.
    """

    default_prefix = 'motion'

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Take in the predictions of a batch."""
        self.results += [
            (sample['pred_score'].cpu().numpy(), sample['gt_label'].cpu().numpy()) for sample in data_samples
        ]

    def compute_metrics(self, results: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
        """Compute the two shares over all clips."""
        predicted, true = (np.stack(part).reshape(len(results), -1, MOTIONS) for part in zip(*results))
        errors = ((predicted - true) ** 2).sum(axis=(0, 1))
        shares = 1 - errors / ((true - true.mean(axis=0)) ** 2).sum(axis=(0, 1))
        return dict(object_r2=float(shares[:2].mean()), camera_r2=float(shares[2:].mean()))
