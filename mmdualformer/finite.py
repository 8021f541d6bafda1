"""Tensors that hold NaN or infinity, and the refusal of checkpoints with such."""

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor

from mmdualformer.errors import UserError

STATES = (
    'state_dict',
    'ema_state_dict',
    'rank_buffers',
    'optimizer',
)  # what a run computes with, of all that a checkpoint holds
DEPTH = 8  # of what is looked into; what a file nests deeper, or in itself, is no state of ours


def is_finite(tensor: Tensor) -> bool:
    """Whether a tensor holds neither NaN nor infinity; one that holds no numbers does not."""
    if not (tensor.is_floating_point() and tensor.numel()) or tensor.is_meta or tensor.layout is not torch.strided:
        return True
    if tensor.element_size() == 1:  # torch 2.13 has no extremes of those
        tensor = tensor.float()
    return all(extreme.isfinite().item() for extreme in torch.aminmax(tensor.detach()))  # NaN is both; copies nothing


def find_non_finite(state: Mapping) -> str | None:
    """Name the first tensor that is not finite.

    Args:
        state (mapping): Tensors by name, such as a ``state_dict``; also nested, as that of an optimizer.

    Returns:
        str or None: Its name, with dots between the names of nested values; None if all are finite.
    """
    return next((name for name, tensor in iterate_tensors(state) if not is_finite(tensor)), None)


def find_non_finite_state(checkpoint: Mapping) -> str | None:
    """Name the first tensor of a checkpoint's weights or optimizer that is not finite, None if all are."""
    return find_non_finite({key: checkpoint[key] for key in STATES if key in checkpoint})


def refuse_non_finite(state: Mapping, path: str) -> None:
    """Check that what was read from a checkpoint is finite.

    Args:
        state (mapping): What of it is to be used, as :func:`find_non_finite` takes it.
        path (str): Where it was read from, for the message.

    Raises:
        UserError: A tensor holds NaN or infinity.
    """
    name = find_non_finite(state)
    if name is not None:
        raise UserError(f'checkpoint {path!r} cannot be used: {name} holds NaN or infinity; take one from before')


def refuse_non_finite_state(checkpoint: Mapping, path: str) -> None:
    """Check that the weights and the optimizer of a checkpoint are finite.

    Raises:
        UserError: They are not.
    """
    refuse_non_finite({key: checkpoint[key] for key in STATES if key in checkpoint}, path)


def iterate_tensors(value: object, name: str = '', depth: int = DEPTH) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of nested mappings and sequences, and their names with dots between the parts."""
    parts: Iterable[tuple[object, object]] = ()
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, (list, tuple)):
        parts = enumerate(value)
    if depth:
        for key, part in parts:
            yield from iterate_tensors(part, f'{name}.{key}' if name else str(key), depth - 1)
