import io
import pickle
from collections.abc import Sequence
from pathlib import Path

import torch
from mmaction.registry import METRICS

from mmdualformer.commands import tool_command
from mmdualformer.errors import UserError

ROUNDING = 0.01  # of a sum of probabilities, also in half precision


def _load_storage(data: bytes) -> object:
    return torch.load(io.BytesIO(data), weights_only=True)


class _PredictionsUnpickler(pickle.Unpickler):
    """Makes tensors and plain values, and nothing else."""

    _known = {
        ('torch._utils', '_rebuild_tensor_v2'): torch._utils._rebuild_tensor_v2,
        ('torch.storage', '_load_from_bytes'): _load_storage,  # torch's own would unpickle anything
        ('collections', 'OrderedDict'): dict,
        ('_codecs', 'encode'): lambda text, encoding: text.encode('latin1'),  # bytes, in the protocol of MMEngine
    }

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self._known:
            raise pickle.UnpicklingError(f'it would run {module}.{name}')
        return self._known[module, name]


def load_predictions(path: str | Path) -> list[dict]:
    """Load what ``tools/test.py --dump`` saved, running nothing that is in it.

    Args:
        path (str or Path): A ``.pkl`` file.

    Returns:
        list[dict]: For each video a dict with ``pred_score`` and ``gt_label``.

    Raises:
        UserError: The file is missing, is no such file, or would run code.
    """
    try:
        with open(path, 'rb') as file:
            samples = _PredictionsUnpickler(file).load()
    except FileNotFoundError:
        raise UserError(f'{str(path)!r} does not exist (looked in {Path.cwd()})') from None
    except Exception as error:  # a pickle is a program: anything can go wrong in it
        reason = str(error).partition('\n')[0] or type(error).__name__
        raise UserError(f'{str(path)!r} holds no predictions: {reason}') from None
    if not (
        isinstance(samples, list)
        and samples
        and all(
            isinstance(sample, dict)
            and all(
                isinstance(sample.get(key), torch.Tensor) and sample[key].ndim == 1
                for key in ('pred_score', 'gt_label')
            )
            for sample in samples
        )
    ):
        raise UserError(f'{str(path)!r} holds no predictions; save them with {tool_command("test")} --dump')
    return samples


def check_same_videos(predictions: Sequence[Sequence[dict]]) -> None:
    """Check that several models said something of the same videos, in one order, and of the same classes.

    Raises:
        UserError: They did not.
    """
    lengths = {len(samples) for samples in predictions}
    if len(lengths) > 1:
        raise UserError(f'the predictions are of {", ".join(map(str, sorted(lengths)))} videos, not of the same')
    for i, samples in enumerate(zip(*predictions)):
        labels, scores = zip(*((sample['gt_label'], sample['pred_score']) for sample in samples))
        if not all(torch.equal(label, labels[0]) for label in labels):
            raise UserError(f'the predictions are of different videos: the labels of video {i} differ')
        if len({len(score) for score in scores}) > 1:
            raise UserError(f'the predictions are of {" and ".join(str(len(score)) for score in scores)} classes')


def average_scores(predictions: Sequence[Sequence[dict]], weights: Sequence[float] | None = None) -> list[dict]:
    """Average what several models said of the same videos (the En-VidTr rows of VidTr, Tables 2 and 6).

    Args:
        predictions (sequence): For each model its samples in one order, as ``tools/test.py --dump`` saves them: dicts
            with ``pred_score`` and ``gt_label``.
        weights (sequence, optional): Of each model, not negative, with a positive sum. Defaults to None, equal ones.

    Returns:
        list[dict]: Samples with the averaged ``pred_score``. A video that one model could not read is ``unreadable``.

    Raises:
        UserError: The models were tested on different videos or classes, one gave logits and another probabilities, or
            the weights are unusable.
    """
    factors = torch.tensor(weights or [1.0] * len(predictions))
    if len(factors) != len(predictions):
        raise UserError(f'{len(factors)} weights do not fit {len(predictions)} predictions')
    if not (factors.min() >= 0 and 0 < factors.sum() < float('inf')):
        raise UserError(f'weights={factors.tolist()} must not be negative, and have a positive, finite sum')
    check_same_videos(predictions)
    _check_same_scale(predictions)
    averaged = []
    for samples in zip(*predictions):
        scores = torch.stack([sample['pred_score'] for sample in samples])
        score = torch.einsum('m,mc->c', factors / factors.sum(), scores)
        averaged.append(dict(samples[0], pred_score=score))
        reasons = [sample['unreadable'] for sample in samples if 'unreadable' in sample]
        if reasons:
            averaged[-1]['unreadable'] = reasons[0]
    return averaged


def _check_same_scale(predictions: Sequence[Sequence[dict]]) -> None:
    """Check that all models gave probabilities, or all logits, as ``average_clips`` of a head or an older dump has."""
    several = _has_several_labels(predictions[0])
    are_shares = [all(_may_be_shares(sample, several) for sample in samples) for samples in predictions]
    if any(are_shares) and not all(are_shares):
        option = '' if several else ' --cfg-options model.cls_head.average_clips=prob'
        raise UserError(
            f'predictions {are_shares.index(False) + 1} of {len(predictions)} are logits and others are probabilities; '
            f'save them again with {tool_command("test")} --dump{option}'
        )


def _may_be_shares(sample: dict, several: bool) -> bool:
    """Whether scores can be probabilities, of classes that exclude each other unless there are several labels."""
    scores = sample['pred_score'].double()
    if 'unreadable' in sample or scores.isnan().any():  # which says nothing
        return True
    is_sum = several or abs(float(scores.sum()) - 1) < ROUNDING
    return is_sum and not ((scores < 0) | (scores > 1)).any()


def _has_several_labels(samples: Sequence[dict]) -> bool:
    return samples[0]['gt_label'].numel() > 1


def evaluate_scores(samples: Sequence[dict]) -> dict[str, float]:
    """Measure predictions as MMAction2 does: top-1, top-5 and mean class accuracy, or the mAP of several labels."""
    metrics = 'mean_average_precision' if _has_several_labels(samples) else ('top_k_accuracy', 'mean_class_accuracy')
    metric = METRICS.build(dict(type='RobustAccMetric', metric_list=metrics))
    metric.process(None, samples)
    return metric.evaluate(len(samples))
