"""What a model said of clips, as arrays: probabilities, labels, names and files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric

from mmdualformer.datasets.annotations import read_names
from mmdualformer.datasets.wrappers import iterate_configs
from mmdualformer.errors import UserError

LEAST_PROBABILITY = 1e-8  # of what a softmax has rounded to 0
SUM_TOLERANCE = 1e-2  # of probabilities in half precision
FILE_KEYS = ('filename', 'frame_dir', 'video_id')  # of data samples, the best first


@dataclass(frozen=True)
class Predictions:
    """What a model said of N clips of C classes.

    Attributes:
        scores (np.ndarray): Probabilities ``[N, C]``; NaN where a clip has none.
        logits (np.ndarray): What a softmax, or a sigmoid for several labels, makes ``scores`` of ``[N, C]``.
        labels (np.ndarray): The class of each clip ``[N]``, or, of several labels, whether a clip has each ``[N, C]``.
        classes (list): Names of the classes.
        files (list): The file of each clip, or None.
        failures (list): Why a clip has no scores, or None.
        without_label (int): Clips that were left out, as they have no label.
        sums_to_one (bool): Whether the scores are those of a softmax.
    """

    scores: np.ndarray
    logits: np.ndarray
    labels: np.ndarray
    classes: list[str]
    files: list[str | None]
    failures: list[str | None] = field(repr=False)
    without_label: int = 0
    sums_to_one: bool = True

    @property
    def has_several_labels(self) -> bool:
        """Whether a clip may have several labels."""
        return self.labels.ndim == 2

    @property
    def has_scores(self) -> np.ndarray:
        """Whether each clip has scores ``[N]``."""
        return ~np.isnan(self.scores[:, 0])


class PredictionsKeeper(BaseMetric):
    """A metric that measures nothing, and keeps the predictions of a test.

    Attributes:
        samples (list, optional): Data samples of all processes, as MMEngine's ``DumpResults`` saves them. None before
            the end of the test, and in other processes than the first.
    """

    default_prefix = 'report'
    samples: list[dict] | None = None

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Keep the predictions of a batch, on the CPU.

        Args:
            data_batch (object): Not used.
            data_samples (sequence): Predictions, as dicts.
        """
        for sample in data_samples:
            tensors = {key: value.cpu() for key, value in sample.items() if isinstance(value, torch.Tensor)}
            self.results.append({**sample, **tensors})

    def compute_metrics(self, results: list[dict]) -> dict:
        """Keep the predictions of all batches and processes; there are no metrics of them."""
        self.samples = results
        return {}


def find_names(cfg: Config) -> list[str]:
    """Find the names of the classes that a config's test data has: its own, or those of its label map.

    Raises:
        UserError: A label map is no UTF-8.
    """
    loader = cfg.get('test_dataloader') or {}
    for _, dataset in iterate_configs('test_dataloader.dataset', loader.get('dataset') or {}):
        names = (dataset.get('metainfo') or {}).get('classes')
        if names:
            return list(names)
        root, ann_file = dataset.get('data_root') or '', dataset.get('ann_file')
        label_map = dataset.get('label_map') or (ann_file and Path(root, ann_file).with_name('label_map.txt'))
        if label_map and Path(label_map).is_file():
            return read_names(label_map)
    return []


def gather(samples: Sequence[dict], names: Sequence[str] = ()) -> Predictions:
    """Make arrays of data samples.

    Scores that are no probabilities are taken for logits. Clips without a label are left out. Those without scores,
    unreadable or NaN, are kept: they count as wrong.

    Args:
        samples (sequence): Dicts with ``pred_score`` and ``gt_label``, as MMEngine's ``DumpResults`` saves them.
        names (sequence): Names of the classes. Where there are too few, the others have their numbers. Where there are
            too many, they are of something else, and all classes have their numbers. Defaults to ``()``.

    Raises:
        UserError: The samples are not of one kind, or none has a label.
    """
    scores = _stack_scores(samples)
    labels = _stack_labels(samples, scores.shape[1])
    has_label = labels >= 0 if labels.ndim == 1 else np.ones(len(labels), bool)
    if not has_label.any() or (labels.ndim == 2 and not labels.any()):
        raise UserError('the predictions are of clips without a label: there is nothing to measure')
    kept = [sample for sample, has in zip(samples, has_label) if has]
    scores, labels = scores[has_label], labels[has_label]
    if labels.ndim == 1 and labels.max() >= scores.shape[1]:
        raise UserError(f'the predictions are of {scores.shape[1]} classes, and a clip has the label {labels.max()}')
    failures = [sample.get('unreadable') for sample in kept]
    for i in np.flatnonzero(~np.isfinite(scores).all(axis=1)):
        failures[i] = failures[i] or 'its scores are NaN or infinite'
    failed = np.array([failure is not None for failure in failures])
    if failed.all():
        raise UserError(f'no clip has predictions; the first: {failures[0]}')
    scores[failed] = np.nan
    probabilities, logits, sums_to_one = _as_probabilities(scores, several=labels.ndim == 2)
    count = scores.shape[1]
    names = list(names) if len(names) <= count else []
    return Predictions(
        probabilities,
        logits,
        labels,
        [names[i] if i < len(names) else str(i) for i in range(count)],
        [next((sample[key] for key in FILE_KEYS if isinstance(sample.get(key), str)), None) for sample in kept],
        failures,
        int((~has_label).sum()),
        sums_to_one,
    )


def _stack_scores(samples: Sequence[dict]) -> np.ndarray:
    """Scores ``[N, C]``, in double precision."""
    scores: list[Any] = [sample.get('pred_score') for sample in samples]
    if not all(isinstance(score, torch.Tensor) and score.ndim == 1 for score in scores):
        raise UserError(
            'the predictions have no vector of scores for each clip (pred_score), as those of a recognizer with '
            'average_clips have'
        )
    if len({len(score) for score in scores}) > 1:
        raise UserError(f'the predictions are of {" and ".join(map(str, sorted({len(s) for s in scores})))} classes')
    return torch.stack([score.detach().double() for score in scores]).numpy()


def _stack_labels(samples: Sequence[dict], num_classes: int) -> np.ndarray:
    """Labels ``[N]``, or of several labels a clip ``[N, C]``."""
    labels: list[Any] = [sample.get('gt_label') for sample in samples]
    if not all(isinstance(label, torch.Tensor) for label in labels):
        raise UserError('the predictions are of clips without a label (gt_label): there is nothing to measure')
    labels = [label.detach().nan_to_num(nan=-1) for label in labels]
    lengths = {label.numel() for label in labels}
    if lengths == {1}:
        return np.array([int(label) for label in labels])
    if lengths != {num_classes}:
        raise UserError(f'the predictions are of {num_classes} classes, and have labels of {sorted(lengths)} numbers')
    return torch.stack([label.flatten() for label in labels]).numpy() > 0


def _as_probabilities(scores: np.ndarray, several: bool) -> tuple[np.ndarray, np.ndarray, bool]:
    """Probabilities of scores that may be logits, their logits, and whether they sum to 1."""
    known = scores[~np.isnan(scores[:, 0])]
    are_shares = bool(known.min() >= 0 and known.max() <= 1 + SUM_TOLERANCE)
    sums_to_one = bool(are_shares and np.abs(known.sum(axis=1) - 1).max() < SUM_TOLERANCE)
    if several:
        if not are_shares:
            return 1 / (1 + np.exp(-np.clip(scores, -500, 500))), scores, False
        clipped = np.clip(scores, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
        return scores, np.log(clipped / (1 - clipped)), sums_to_one
    if sums_to_one:
        return scores, np.log(np.maximum(scores, LEAST_PROBABILITY)), True
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True), scores, True
