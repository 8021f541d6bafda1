"""What predictions of clips and of their mirror images say: whether the classes change when mirrored."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

LEAST_CLIPS = 8  # fewer decide nothing
LEAST_OF_CLASS = 3  # fewer do not tell whether a class is told apart from another
CONFUSION_LEVEL = 0.1  # two classes are told apart if a coin would do as well less often,
MOST_CONFUSED = 0.25  # and no more of their clips are taken for the other
WORSE_LEVEL = 0.05  # the mirrored are recognised worse if chance does that less often
CHANGE_LEVEL = 0.01  # likewise, where it is said of certain classes
LEAST_RATIO = 0.9  # of the recognised mirrored clips to the others
TOLERATED = 0.05  # fewer than this share of the classes may stay unclear: none of 20, nineteen of 400

MirroredClip = tuple[int, int, int]  # label, prediction, and prediction of the mirror image


@dataclass(frozen=True)
class Verdict:
    """What clips say of mirroring.

    Attributes:
        kind (str): ``'changes'``: classes change when mirrored; ``'same'``: they do not; ``'unclear'``: the clips tell
            neither.
        pairs (tuple): If they change: pairs of a class and what its mirror image is taken for.
        figures (str): The evidence in words.
    """

    kind: str
    pairs: tuple[tuple[int, int], ...]
    figures: str


def judge(clips: Collection[MirroredClip], num_classes: int) -> Verdict:
    """Judge whether classes change when mirrored, from clips that a model was not trained on.

    The model was trained without mirrored clips. The tests are exact, one-sided sign tests:

    - Classes change if mirror images are recognised less often than the clips, and those of a class that is recognised
      are taken for one and the same other class as often as not. Either the test of that class says so, with
      Bonferroni's correction, or that of all clips where such classes have the larger part of the loss.
    - Nothing changes if mirror images are recognised as often but for chance, and the model tells each two classes
      apart: one that takes left for right as often as not recognises both as well when they are mirrored.
    - All else is unclear. That a class is recognised a little less often is no evidence.

    Args:
        clips (collection): Label, prediction, and prediction of the mirror image of each clip.
        num_classes (int): Classes.
    """
    seen = np.zeros((num_classes, num_classes), int)  # label, prediction
    turned = np.zeros_like(seen)  # label, prediction of the mirror image; of recognised clips
    won = np.zeros(num_classes, int)  # recognised in the mirror only
    for label, prediction, mirrored in clips:
        seen[label, prediction] += 1
        if prediction == label:
            turned[label, mirrored] += 1
        elif mirrored == label:
            won[label] += 1
    right, kept = seen.diagonal(), turned.diagonal()
    lost = right - kept
    number, recognised, in_mirror = len(clips), int(right.sum()), int((kept + won).sum())
    worse = sign_test(int(lost.sum()), int(won.sum()))
    figures = f'of {number} validation clips {recognised} are recognised, and {in_mirror} of them mirrored'

    pairs = _find_pairs(seen, turned)
    changed = [
        (label, other)
        for label, other in pairs
        if sign_test(int(lost[label]), int(won[label])) * num_classes <= CHANGE_LEVEL
    ]
    if not changed and worse <= CHANGE_LEVEL and 2 * sum(turned[pair] for pair in pairs) >= lost.sum():
        changed = pairs
    if changed:
        return Verdict('changes', tuple(changed), figures)

    unclear = {label for pair in pairs for label in pair} | _find_confused(seen)
    is_same = (
        number >= LEAST_CLIPS
        and 2 * recognised >= number
        and worse > WORSE_LEVEL
        and in_mirror >= LEAST_RATIO * recognised
        and len(unclear) < max(TOLERATED * num_classes, 1)
    )
    return Verdict('same' if is_same else 'unclear', (), figures)


def sign_test(losses: int, wins: int) -> float:
    """How probable it is that a fair coin gives as many losses as there are, or more."""
    total = losses + wins
    return sum(comb(total, k) for k in range(losses, total + 1)) / 2**total


def _find_pairs(seen: np.ndarray, turned: np.ndarray) -> list[tuple[int, int]]:
    """Find classes that are recognised, and whose mirror images are taken for one other class as often as not."""
    right, pairs = seen.diagonal(), []
    for label in np.flatnonzero((right >= 2) & (2 * right >= seen.sum(axis=1))):
        other = int(np.where(np.arange(len(seen)) == label, -1, turned[label]).argmax())
        if 2 * turned[label, other] >= right[label] and turned[label, other] > turned[label, label]:
            pairs.append((int(label), other))
    return pairs


def _find_confused(seen: np.ndarray) -> set[int]:
    """Find classes that have too few clips, or that the model does not tell apart from another."""
    confused = set(np.flatnonzero(seen.sum(axis=1) < LEAST_OF_CLASS).tolist())
    for one, other in np.argwhere(np.triu(seen + seen.T, k=1)).tolist():
        right, wrong = int(seen[one, one] + seen[other, other]), int(seen[one, other] + seen[other, one])
        if wrong > MOST_CONFUSED * (right + wrong) or sign_test(right, wrong) > CONFUSION_LEVEL:
            confused |= {one, other}
    return confused


def describe_pairs(pairs: Sequence[tuple[int, int]], classes: Sequence[str], most: int = 4) -> str:
    """Say which mirrored clips look like which class, and first of those that look like each other."""
    first = sorted(pairs, key=lambda pair: pair[::-1] not in pairs)
    words = [f'`{classes[label]}` look like `{classes[other]}`' for label, other in first[:most]]
    rest = [f'{len(pairs) - most} more classes like others'] if len(pairs) > most else []
    return 'mirrored clips of ' + ', of '.join(words + rest)
