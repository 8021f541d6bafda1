from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mmdualformer.errors import UserError

from .ensemble import check_same_videos


@dataclass(frozen=True)
class ClassGain:
    """How much more of a class's videos one model recognises than another.

    Attributes:
        label (int): The class.
        videos (int): Of the class.
        first (float): Share of them whose highest score is the class's, by the first model.
        second (float): Likewise, by the second.
    """

    label: int
    videos: int
    first: float
    second: float

    @property
    def gain(self) -> float:
        """Of the first model over the second."""
        return self.first - self.second


def compare_classes(first: Sequence[dict], second: Sequence[dict]) -> list[ClassGain]:
    """Compare the top-1 accuracies of two models class by class (VidTr, Table 4).

    Args:
        first (sequence): Samples of the first model, as ``tools/test.py --dump`` saves them: dicts with ``pred_score``
            and ``gt_label``. A video that could not be read counts as not recognised.
        second (sequence): Those of the second, of the same videos in the same order.

    Returns:
        list[ClassGain]: The classes that there are videos of, the largest gain first.

    Raises:
        UserError: The models were tested on different videos or classes, or videos have several labels.
    """
    check_same_videos((first, second))
    label_sets = [sample['gt_label'] for sample in first]
    if any(label_set.numel() != 1 for label_set in label_sets):
        raise UserError('the predictions are of videos with several labels, of which none is the highest')
    labels = torch.cat(label_sets)
    hits = [_hits(samples) for samples in (first, second)]
    gains = []
    for label in labels.unique().tolist():
        of_class = labels == label
        shares = [hit[of_class].double().mean().item() for hit in hits]
        gains.append(ClassGain(label, int(of_class.sum()), *shares))
    return sorted(gains, key=lambda gain: -gain.gain)


def _hits(samples: Sequence[dict]) -> torch.Tensor:
    guesses = [-1 if 'unreadable' in sample else int(sample['pred_score'].argmax()) for sample in samples]
    return torch.tensor(guesses) == torch.cat([sample['gt_label'] for sample in samples])
