"""95 % intervals: how far an accuracy of so many clips may be off."""

import numpy as np
from numpy.typing import ArrayLike

Z = 1.959964  # of the normal distribution, for 95 %


def wilson(hits: ArrayLike, counts: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score intervals of shares, which hold for few clips and for shares of 0 and 1 too.

    Args:
        hits (array): Of any shape.
        counts (array): Of what, of the same shape; where it is 0 the interval is 0 to 1.

    Returns:
        tuple: Lower and upper ends, of the same shape.
    """
    hits, counts = np.asarray(hits, float), np.asarray(counts, float)
    safe = np.maximum(counts, 1)
    share = hits / safe
    centre = (share + Z**2 / (2 * safe)) / (1 + Z**2 / safe)
    half = Z * np.sqrt(share * (1 - share) / safe + (Z / (2 * safe)) ** 2) / (1 + Z**2 / safe)
    low = np.where(hits <= 0, 0, centre - half)  # exactly, but for rounding
    high = np.where(hits >= counts, 1, centre + half)
    return np.where(counts > 0, low, 0), np.where(counts > 0, high, 1)


def wilson_of_mean(hits: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """The interval of a mean of independent shares, from Wilson's of each (MOVER, Zou and Donner 2008).

    A bootstrap of classes that are all right, or have few clips, would find an interval that is too short.

    Args:
        hits (np.ndarray): Of each class ``[C]``.
        counts (np.ndarray): Clips of each class, at least 1 ``[C]``.
    """
    share = hits / counts
    low, high = wilson(hits, counts)
    mean, number = share.mean(), len(share)
    below, above = (np.sqrt(((share - end) ** 2).sum()) / number for end in (low, high))
    return max(float(mean - below), 0.0), min(float(mean + above), 1.0)


def average_precision(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Average precision of a class, as MMAction2 measures it, for each of several weightings of the clips.

    Args:
        scores (np.ndarray): Of the class ``[N]``.
        labels (np.ndarray): Whether a clip shows it ``[N]``.
        weights (np.ndarray, optional): How often each clip counts ``[B, N]``. Defaults to None, once.

    Returns:
        np.ndarray: ``[B]``, NaN where no clip that counts shows the class.
    """
    order = np.argsort(-scores, kind='stable')
    weights = np.ones((1, len(scores))) if weights is None else weights[:, order]
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # clips of one score come together
    found = np.cumsum(weights * labels[order], axis=1)[:, ends]
    ranked = np.cumsum(weights, axis=1)[:, ends]
    with np.errstate(invalid='ignore', divide='ignore'):
        precision = np.where(ranked > 0, found / ranked, 0)
        return (np.diff(found, axis=1, prepend=0) * precision).sum(axis=1) / found[:, -1]


def bootstrap_map(scores: np.ndarray, labels: np.ndarray, draws: int = 200) -> tuple[float, float]:
    """Bootstrap the mean average precision: 2.5 and 97.5 % of what clips that are drawn again give.

    Args:
        scores (np.ndarray): ``[N, C]``.
        labels (np.ndarray): Whether a clip shows a class ``[N, C]``.
        draws (int): Times that clips are drawn. Defaults to 200.
    """
    count = len(scores)
    weights = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), draws).astype(np.float32)
    total, known = np.zeros(draws), np.zeros(draws)
    for i in np.flatnonzero(labels.any(axis=0)):
        precision = average_precision(scores[:, i], labels[:, i], weights)
        total += np.nan_to_num(precision)
        known += ~np.isnan(precision)
    low, high = np.quantile(total / np.maximum(known, 1), (0.025, 0.975))
    return float(low), float(high)
