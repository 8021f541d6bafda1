"""Whether a model is right as often as it says."""

import numpy as np

from .intervals import wilson
from .predictions import Predictions

BINS = 10
WIDEST = 20.0  # factor that a temperature may be, or divide by
STEPS = 24  # of a bisection, to five digits


def calibrate(predictions: Predictions) -> dict:
    """Compare confidences with how often they are right, of clips with one label or of all pairs of clip and class.

    Returns:
        dict: ``bins``, each with its ends, clips, mean confidence, share that is right and its 95 % interval; ``ece``,
        the expected calibration error of ten bins of equal width; ``temperature``, which divides the logits so that
        these clips are most likely, or None where there is no such one; ``ece_after`` with it, or None.
    """
    known = predictions.has_scores
    labels, logits, scores = predictions.labels[known], predictions.logits[known], predictions.scores[known]
    several = predictions.has_several_labels
    confidence, is_right = _judge(scores, labels)
    bins = _fill_bins(confidence, is_right)
    temperature = _find_temperature(logits, labels, several)
    after = None
    if temperature is not None:
        after = _error(_fill_bins(*_judge(_squash(logits / temperature, several), labels)))
    return dict(bins=bins, ece=_error(bins), temperature=temperature, ece_after=after, of=len(confidence))


def _judge(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How sure the model was, and whether it was right: of its first guess, or of each class."""
    if labels.ndim == 2:
        return scores.ravel(), labels.ravel()
    return scores.max(axis=1), scores.argmax(axis=1) == labels


def _fill_bins(confidence: np.ndarray, is_right: np.ndarray) -> list[dict]:
    """Measure the clips of each bin that has some."""
    places = np.clip((confidence * BINS).astype(int), 0, BINS - 1)
    bins = []
    for place in np.unique(places):
        chosen = places == place
        hits, count = int(is_right[chosen].sum()), int(chosen.sum())
        low, high = wilson(hits, count)
        bins.append(
            dict(
                start=place / BINS,
                end=(place + 1) / BINS,
                clips=count,
                confidence=float(confidence[chosen].mean()),
                accuracy=hits / count,
                low=float(low),
                high=float(high),
            )
        )
    return bins


def _error(bins: list[dict]) -> float:
    total = sum(part['clips'] for part in bins)
    return sum(part['clips'] * abs(part['confidence'] - part['accuracy']) for part in bins) / total


def _squash(logits: np.ndarray, several: bool) -> np.ndarray:
    if several:
        return 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _find_temperature(logits: np.ndarray, labels: np.ndarray, several: bool) -> float | None:
    """Find where the likelihood of the labels is largest. It is concave in 1 / temperature: the slope has one zero."""
    targets = labels if several else labels[:, None] == np.arange(logits.shape[1])

    def slope(inverse: float) -> float:
        return float(((_squash(logits * inverse, several) - targets) * logits).sum())

    low, high = -np.log(WIDEST), np.log(WIDEST)
    if slope(np.exp(low)) >= 0 or slope(np.exp(high)) <= 0:  # as where all are right: the surer, the likelier
        return None
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(np.exp(middle)) > 0 else (middle, high)
    return float(np.exp(-(low + high) / 2))
