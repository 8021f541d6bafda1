"""What every converter of released weights needs: checks of names and shapes, and a record of what was converted."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from mmdualformer.compat.engine import kind_of_numbers
from mmdualformer.errors import UserError
from mmdualformer.files import sha256
from mmdualformer.version import __version__
from mmdualformer.weights import write_weights


@dataclass
class Converted:
    """Weights under our names.

    Attributes:
        weights (dict): Name -> tensor, as a recognizer of MMAction2 names them.
        description (str): What was found, for people.
        meta (dict): What was found, for the converted file.
        dropped (list): Names that were left out.
        made (list): Our names of tensors that the file does not have.
    """

    weights: dict[str, Tensor]
    description: str
    meta: dict
    dropped: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)


def rename(name: str, table: Sequence[tuple[str, str]], models: str) -> str:
    """Translate a released name.

    Args:
        name (str): The name.
        table (sequence): Pairs of a pattern that matches whole released names, and our name, which may refer to groups
            of the pattern as ``\\1``, ``\\2``.
        models (str): Whose names they are, for the message.

    Raises:
        UserError: No pattern matches.
    """
    for pattern, ours in table:
        match = re.fullmatch(pattern, name)
        if match:
            return match.expand(ours)
    raise UserError(f'{models} have no tensor {name!r}')


def check_shapes(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor], model: str) -> None:
    """Check that weights are just those of a model.

    Args:
        weights (mapping): Name -> tensor.
        wanted (mapping): The model's ``state_dict``, which may be on the meta device.
        model (str): The model's name, for the message.

    Raises:
        UserError: A tensor is missing, unknown, or of another shape or kind of numbers.
    """
    for name in wanted:
        if name not in weights:
            raise UserError(f'the checkpoint looks like {model} but lacks {name}')
        if weights[name].shape != wanted[name].shape:
            raise UserError(
                f'the checkpoint looks like {model} but its {name} has shape {tuple(weights[name].shape)}, '
                f'not {tuple(wanted[name].shape)}'
            )
        if kind_of_numbers(weights[name]) != kind_of_numbers(wanted[name]):
            raise UserError(f'the checkpoint looks like {model} but its {name} is of {weights[name].dtype}')
    unknown = [name for name in weights if name not in wanted]
    if unknown:
        raise UserError(
            f'the checkpoint looks like {model} but has {len(unknown)} tensors of something else, first {unknown[0]}'
        )


def check_classifier(classifier: Mapping[str, Tensor], channels: int, model: str) -> int | None:
    """Check that ``weight`` and ``bias`` are those of a linear classifier.

    Args:
        classifier (mapping): Its tensors, none where there is no classifier.
        channels (int): Its input's channels.
        model (str): The model's name, for the message.

    Returns:
        int or None: The number of classes.

    Raises:
        UserError: A tensor is missing, unknown or of another shape.
    """
    if not classifier:
        return None
    weight = classifier.get('weight', torch.empty(0))
    classes = weight.shape[0] if weight.ndim else 0
    wanted = {
        name: torch.empty(shape, device='meta')
        for name, shape in (('weight', (classes, channels)), ('bias', (classes,)))
    }
    check_shapes(classifier, wanted, f'the classifier of {model}')
    return classes


def write_converted(converted: Converted, source: str | Path, target: str | Path) -> None:
    """Write what MMEngine's runners and MMAction2's ``init_recognizer`` load, with a record of where it is from."""
    meta = dict(
        converted.meta, source=Path(source).name, source_sha256=sha256(source), mmdualformer_version=__version__
    )
    write_weights(dict(meta=meta, state_dict=converted.weights), target)
