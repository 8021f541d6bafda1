"""A model file beside PyTorch: how far apart their logits are, how many videos each recognises, how long each takes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from mmdualformer.analysis import as_scorer, median_times
from mmdualformer.errors import UserError

from .description import AXES, ModelDescription
from .loading import ExportedModel
from .writing import other_shapes

# dtype -> how far apart logits may be, as a share of the largest one (of 1, if that is less).
TOLERANCES = {'float32': 1e-4, 'float16': 0.02, 'bfloat16': 0.1, 'int8': 0.5}

Scorer = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Accuracy:
    """What a list of videos says of a file.

    Attributes:
        videos (int): Videos that could be read.
        before, after (float): Shares of them that PyTorch and the file recognise.
        same (float): Share of them that both call the same.
    """

    videos: int
    before: float
    after: float
    same: float


def as_reference(recognizer: Any, description: ModelDescription) -> ExportedModel:
    """A recognizer itself, called as its file is, with clips of any size.

    Args:
        recognizer (nn.Module): In eval mode, on the CPU.
        description (ModelDescription): Of its file.
    """
    scorer = as_scorer(recognizer)

    @torch.inference_mode()
    def run(clip: Tensor) -> tuple[Tensor]:
        return (scorer(clip),)

    return ExportedModel(replace(description, preprocessing=False, dynamic=tuple(AXES)), run, 'PyTorch')


def random_clips(description: ModelDescription) -> list[Tensor]:
    """Clips of random pixels, of the described shape and of others that dynamic axes allow."""
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        for shape in (description.clip_shape, *other_shapes(description))
    ]


def check_parity(
    exported: ExportedModel, reference: Scorer, clips: Iterable[Tensor], tolerance: float, name: str
) -> float:
    """Compare a file with PyTorch.

    Args:
        exported (ExportedModel): The file.
        reference (callable): From clips to logits.
        clips (iterable): Pixels ``[N, 3, T, H, W]``.
        tolerance (float): How far apart logits may be, as a share of the largest one (of 1, if that is less).
        name (str): What the clips are, for messages.

    Returns:
        float: The largest difference.

    Raises:
        UserError: They are further apart, or the file cannot take a clip.
    """
    largest = 0.0
    for clip in clips:
        shape = ' x '.join(map(str, clip.shape))
        expected = reference(clip)
        try:
            difference = (exported(clip) - expected).abs().max().item()
        except UserError:
            raise
        except Exception as error:  # of a runtime, on a shape that its graph was not made for
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(
                f'the file cannot take {name} {shape}, so nothing was written: {reason[:200]}{_advise(exported, clip)}'
            ) from None
        limit = tolerance * max(1.0, expected.abs().max().item())
        if not difference <= limit:  # also of NaN
            raise UserError(
                f'on {name} {shape} the logits of the file differ by {difference:.1e}, more than {limit:.1e}, so '
                f'nothing was written{_advise(exported, clip) or "; see --tolerance"}'
            )
        largest = max(largest, difference)
    return largest


def measure_accuracy(exported: Scorer, reference: Scorer, head: Any, videos: Iterable[tuple[Tensor, int]]) -> Accuracy:
    """Count the videos that a file and PyTorch recognise, the views of each averaged as in its test.

    Args:
        exported, reference (callable): From clips to logits.
        head (nn.Module): The recognizer's, which averages.
        videos (iterable): For each video its views ``[views, 3, T, H, W]`` and its class.

    Raises:
        UserError: None could be read.
    """
    counts = torch.zeros(4)
    for views, label in videos:
        before, after = (_answer(score(views), head) for score in (reference, exported))
        counts += torch.tensor([1, before == label, after == label, before == after])
    total, *right = counts.tolist()
    if not total:
        raise UserError('none of the videos of --accuracy can be read')
    return Accuracy(int(total), *(count / total for count in right))


def compare_speed(exported: ExportedModel, reference: ExportedModel, runs: int) -> Mapping[str, float]:
    """Time a file beside PyTorch on one clip, in turn: medians in milliseconds, the file's under ``'file'``."""
    clip = random_clips(replace(exported.description, dynamic=()))[0]
    inputs = exported.as_input(clip), reference.as_input(clip)
    calls = {'PyTorch': lambda: reference.run(inputs[1]), 'file': lambda: exported.run(inputs[0])}
    return median_times(calls, runs)


def _advise(exported: ExportedModel, clip: Tensor) -> str:
    """What to do where a file is wrong for a clip of another size than the one it was made with."""
    if clip.shape[2:] == exported.description.clip_shape[2:]:
        return ''
    return '; what this model computes is fixed by the size of the clip: leave time and space out of --dynamic'


def _answer(logits: Tensor, head: Any) -> int:
    scores = head.average_clip(logits, len(logits))
    return int(scores.mean(dim=tuple(range(scores.ndim - 1))).argmax())
