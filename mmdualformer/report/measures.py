"""The numbers of a report, of clips with one label and of clips with several."""

from collections.abc import Sequence

import numpy as np

from .calibration import calibrate
from .intervals import average_precision, bootstrap_map, wilson, wilson_of_mean
from .predictions import Predictions

MOST_PAIRS = 20  # confused pairs
THRESHOLD = 0.5  # of a label, where a clip may have several


def measure(predictions: Predictions) -> dict:
    """Measure predictions.

    Returns:
        dict: Plain numbers, texts, lists and dicts, as ``report.json`` has them. A share is 0 to 1, and comes with the
        ends of its 95 % interval as ``low`` and ``high``.
    """
    of_kind = _measure_several(predictions) if predictions.has_several_labels else _measure_single(predictions)
    return dict(
        clips=len(predictions.labels),
        failed=int((~predictions.has_scores).sum()),
        without_label=predictions.without_label,
        num_classes=len(predictions.classes),
        has_several_labels=predictions.has_several_labels,
        sums_to_one=predictions.sums_to_one,
        **of_kind,
        calibration=calibrate(predictions),
    )


def find_mistakes(predictions: Predictions, most: int) -> list[dict]:
    """Find the mistakes that a model was surest of.

    Args:
        predictions (Predictions): What it said.
        most (int): How many are wanted.

    Returns:
        list[dict]: With ``file``, the names of the ``true`` classes and the ``predicted`` one, ``probability`` of what
        was predicted and ``probability_of_true``. Of several labels a mistake may also be a class that was missed:
        ``predicted`` is then None.
    """
    names, labels = predictions.classes, predictions.labels
    scores = np.nan_to_num(predictions.scores)  # a clip without scores is no mistake of the model
    mistakes = []
    if not predictions.has_several_labels:
        guesses, surest = scores.argmax(axis=1), scores.max(axis=1)
        wrong = np.flatnonzero(predictions.has_scores & (guesses != labels))
        for i in wrong[np.argsort(-surest[wrong], kind='stable')][:most]:
            mistakes.append(
                dict(
                    file=predictions.files[i],
                    true=[names[labels[i]]],
                    predicted=names[guesses[i]],
                    probability=float(surest[i]),
                    probability_of_true=float(scores[i, labels[i]]),
                )
            )
        return mistakes
    off = np.where(predictions.has_scores[:, None], np.abs(scores - labels), 0)
    worst = off.argmax(axis=1)  # one of each clip
    distance = off.max(axis=1)
    for i in np.argsort(-distance, kind='stable')[:most]:
        if distance[i] <= THRESHOLD:
            break
        missed = bool(labels[i, worst[i]])
        mistakes.append(
            dict(
                file=predictions.files[i],
                true=[names[label] for label in np.flatnonzero(labels[i])],
                predicted=None if missed else names[worst[i]],
                missed=names[worst[i]] if missed else None,
                probability=float(scores[i, worst[i]]),
                probability_of_true=None,
            )
        )
    return mistakes


def _share(hits: int, count: int) -> dict:
    low, high = wilson(hits, count)
    return dict(value=hits / count, low=float(low), high=float(high), hits=int(hits))


def _ratio(part: np.ndarray, whole: np.ndarray) -> list[float | None]:
    """Shares, None where there is no whole."""
    return [float(a / b) if b else None for a, b in zip(part, whole)]


def _f1(hits: np.ndarray, predicted: np.ndarray, counts: np.ndarray) -> list[float | None]:
    return _ratio(2 * hits, predicted + counts)


def _rows(
    names: Sequence[str],
    counts: np.ndarray,
    hits: np.ndarray,
    predicted: np.ndarray,
    **shares: Sequence[float | None] | np.ndarray,
) -> list[dict]:
    """A row a class: its clips, those that are recognised, those that it was predicted for, and shares."""
    return [
        dict(
            label=label,
            name=name,
            clips=int(counts[label]),
            hits=int(hits[label]),
            predicted=int(predicted[label]),
            **{key: None if value is None else float(value) for key, value in own.items()},
        )
        for label, name in enumerate(names)
        for own in [{key: values[label] for key, values in shares.items()}]
    ]


def _measure_single(predictions: Predictions) -> dict:
    """Accuracies, the confusion matrix and what follows from it."""
    names, labels, known = predictions.classes, predictions.labels, predictions.has_scores
    total, num_classes = len(labels), len(names)
    scores = predictions.scores[known]
    guesses = scores.argmax(axis=1)
    confusion = _count_pairs(labels[known], guesses, num_classes)
    counts = np.bincount(labels, minlength=num_classes)  # with those without scores, which count as wrong
    hits = np.bincount(guesses[guesses == labels[known]], minlength=num_classes)
    predicted = np.bincount(guesses, minlength=num_classes)
    low, high = wilson(hits, counts)
    precision, f1 = _ratio(hits, predicted), _f1(hits, predicted, counts)
    shown = counts > 0
    classes = _rows(
        names, counts, hits, predicted, accuracy=_ratio(hits, counts), low=low, high=high, precision=precision, f1=f1
    )
    top5 = None
    if num_classes > 5:
        among = (np.argsort(scores, axis=1)[:, -5:] == labels[known][:, None]).any(axis=1)
        top5 = _share(int(among.sum()), total)
    mean_low, mean_high = wilson_of_mean(hits[shown], counts[shown])
    frequent = int(counts.argmax())
    return dict(
        top1=_share(int(hits.sum()), total),
        top5=top5,
        mean_class=dict(value=float((hits[shown] / counts[shown]).mean()), low=mean_low, high=mean_high),
        classes_with_clips=int(shown.sum()),
        chance=1 / num_classes,
        majority=dict(name=names[frequent], value=float(counts[frequent] / total)),
        classes=classes,
        confused=_rank_pairs([pair for pair in confusion if pair[0] != pair[1]], counts, names),
        confusion=confusion,
    )


def _count_pairs(true: np.ndarray, predicted: np.ndarray, num_classes: int) -> list[list[int]]:
    """The pairs of a true and a predicted class that there are, with their clips: few of all pairs of many classes."""
    pairs, clips = np.unique(true * num_classes + predicted, return_counts=True)
    return [[*divmod(pair, num_classes), number] for pair, number in zip(pairs.tolist(), clips.tolist())]


def _rank_pairs(errors: list[list[int]], counts: np.ndarray, names: list[str]) -> list[dict]:
    """The pairs of a true and a wrong class with most clips, and which share of the true one's they are."""
    pairs = [(clips, clips / counts[i], i, j) for i, j, clips in errors]
    pairs.sort(key=lambda pair: (-pair[0], -pair[1], pair[2], pair[3]))
    return [
        dict(true=names[i], predicted=names[j], clips=clips, of=int(counts[i]), share=float(share))
        for clips, share, i, j in pairs[:MOST_PAIRS]
    ]


def _measure_several(predictions: Predictions) -> dict:
    """Average precisions, and precision and recall at a threshold."""
    names, labels = predictions.classes, predictions.labels
    ranks = np.where(predictions.has_scores[:, None], predictions.scores, -1.0)  # a clip without scores comes last
    guesses = ranks >= THRESHOLD
    counts, predicted, hits = labels.sum(axis=0), guesses.sum(axis=0), (labels & guesses).sum(axis=0)
    with np.errstate(invalid='ignore'):
        precisions = np.array([average_precision(ranks[:, i], labels[:, i])[0] for i in range(len(names))])
    known = counts > 0
    low, high = bootstrap_map(ranks, labels)
    recall_low, recall_high = wilson(hits, counts)
    precision, recall, f1 = _ratio(hits, predicted), _ratio(hits, counts), _f1(hits, predicted, counts)
    classes = _rows(
        names,
        counts,
        hits,
        predicted,
        average_precision=[float(value) if there else None for value, there in zip(precisions, known)],
        low=recall_low,
        high=recall_high,
        precision=precision,
        recall=recall,
        f1=f1,
    )
    # how often a class is wrongly seen where another one is
    wrong = labels.T.astype(np.float32) @ (guesses & ~labels).astype(np.float32)
    total_hits, total_predicted, total = int(hits.sum()), int(predicted.sum()), int(counts.sum())
    return dict(
        mean_average_precision=dict(value=float(precisions[known].mean()), low=low, high=high),
        precision=_share(total_hits, total_predicted) if total_predicted else None,
        recall=_share(total_hits, total),
        threshold=THRESHOLD,
        labels_per_clip=float(labels.sum(axis=1).mean()),
        classes_with_clips=int(known.sum()),
        chance=float((counts[known] / len(labels)).mean()),
        classes=classes,
        confused=_rank_pairs([[int(i), int(j), int(wrong[i, j])] for i, j in zip(*wrong.nonzero())], counts, names),
    )
