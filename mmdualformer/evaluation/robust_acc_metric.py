from collections.abc import Sequence

import torch
from mmaction.evaluation import AccMetric
from mmaction.registry import METRICS
from mmengine.logging import print_log


@METRICS.register_module()
class RobustAccMetric(AccMetric):
    """MMAction2's ``AccMetric``, in which a video that could not be read counts as wrong.

    Nothing is left out, so that a result does not get better by videos that are missing. How many there were is the
    metric ``unreadable``, which is there only if there were any, and they are listed in the log. The arguments are
    those of ``AccMetric``.
    """

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Take in the predictions of a batch.

        Args:
            data_batch (object): Not used.
            data_samples (sequence): Predictions, as dicts; of blank clips with ``unreadable``.
        """
        super().process(
            data_batch,
            [
                {**sample, 'pred_score': self._wrong(sample)} if 'unreadable' in sample else sample
                for sample in data_samples
            ],
        )
        for sample, result in zip(data_samples, self.results[-len(data_samples) :]):
            result['unreadable'] = sample.get('unreadable')

    def compute_metrics(self, results: list[dict]) -> dict:
        """Compute the metrics, and say what could not be read.

        Args:
            results (list): Those of all batches and processes.

        Returns:
            dict: Metric by name.
        """
        metrics = super().compute_metrics(results)
        reasons = [result['unreadable'] for result in results if result['unreadable']]
        if reasons:
            print_log(
                f'{len(reasons)} of {len(results)} videos could not be read and count as wrong:\n'
                + '\n'.join(sorted(reasons)),
                logger='current',
                level=30,
            )
            metrics['unreadable'] = len(reasons)
        return metrics

    @staticmethod
    def _wrong(sample: dict) -> torch.Tensor:
        """Scores by which the true class comes last, and of several labels, which rank videos, the video in each."""
        label, scores = sample['gt_label'], sample['pred_score']
        if len(label) == 1:
            return torch.zeros_like(scores).index_fill(0, label.to(scores.device), -1.0)
        return torch.full_like(scores, torch.finfo(scores.dtype).min)
