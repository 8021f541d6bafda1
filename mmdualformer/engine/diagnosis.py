"""Which module and which clips a number that is not finite comes from."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import torch
import torch.nn as nn
from mmengine.dist import get_world_size
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmdualformer.finite import is_finite, iterate_tensors

MOST_CLIPS = 4  # that a line names


def find_cause(model: BaseModel, batch: object, precision: AbstractContextManager) -> str | None:
    """Run a batch once more, and see where the first number comes up that is not finite.

    No gradients are left in the parameters. Running statistics are updated, and random numbers drawn, as in a step.

    Args:
        model (BaseModel): The model without its wrapper, so that no other process takes part.
        batch (object): What a data loader gave.
        precision (context manager): The precision of the step.

    Returns:
        str or None: The cause and the clips, in words; None if all numbers are finite this time.
    """
    samples = list(iterate_samples(batch))
    clips = [clip for clip, _ in zip(_inputs(batch), samples)]
    broken = [sample for clip, sample in zip(clips, samples) if not is_finite(clip)]
    if broken:
        return f'the input is not finite; the clips are {name_clips(broken)}'
    if get_world_size() > 1 and any(isinstance(module, nn.SyncBatchNorm) for module in model.modules()):
        return None  # it waits for the other processes, which may have stopped at their inputs
    cause = _find_module(model, batch, precision)
    return cause and f'{cause}; the clips are {name_clips(samples)}'


def name_clips(samples: Sequence[BaseDataElement]) -> str:
    """Name clips by their files and labels."""
    named = [_name(sample) for sample in samples[:MOST_CLIPS]]
    more = len(samples) - len(named)
    return ', '.join(named) + (f' and {more} more' if more else '')


def iterate_samples(batch: object) -> Iterator[BaseDataElement]:
    """Yield the data samples of a batch, or of several in a tuple."""
    if isinstance(batch, BaseDataElement):
        yield batch
    elif isinstance(batch, dict):
        yield from iterate_samples(batch.get('data_samples'))
    elif isinstance(batch, (list, tuple)):
        for part in batch:
            yield from iterate_samples(part)


def _inputs(batch: object) -> Sequence[Tensor]:
    """The clips of a batch, where it is an ordinary one."""
    inputs = batch.get('inputs') if isinstance(batch, dict) else None
    return inputs if isinstance(inputs, (list, tuple)) else ()


def _name(sample: BaseDataElement) -> str:
    label = sample.get('gt_label')
    labels = '' if label is None else f' (label {" ".join(map(str, label.tolist()))})'
    return f'{sample.get("filename", "one of an unknown file")}{labels}'


def _find_module(model: BaseModel, batch: object, precision: AbstractContextManager) -> str | None:
    """Name the module whose output, or the parameter whose gradient, is the first that is not finite."""
    begun: list[str] = []  # modules, in the order in which the batch reached them
    broken: list[str] = []  # in the order in which their outputs came
    hooks = []
    for name, module in model.named_modules():

        def begin(_module: nn.Module, _inputs: tuple, name: str = name) -> None:
            begun.append(name)

        def check(_module: nn.Module, _inputs: tuple, output: object, name: str = name) -> None:
            if not all(is_finite(tensor) for _, tensor in iterate_tensors(output)):
                broken.append(name)

        hooks += [module.register_forward_pre_hook(begin), module.register_forward_hook(check)]
    try:
        with torch.compiler.set_stance('force_eager'), precision:  # compiled modules do not call hooks that come later
            losses = model._run_forward(model.data_preprocessor(batch, training=True), mode='loss')
            loss, _ = model.parse_losses(losses)
    finally:
        for hook in hooks:
            hook.remove()
    if any(broken):  # the model itself has no name
        return f'{next(filter(None, broken))} gives values that are not finite'
    if not is_finite(loss):
        return 'the loss is not finite'

    parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
    gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)  # which DDP does not notice
    found = [name for name, value in zip(parameters, gradients) if value is not None and not is_finite(value)]
    if not found:
        return None
    # gradients are computed from the last module to the first
    place = {name: number for number, name in enumerate(begun)}
    first = max(found, key=lambda name: place.get(name.rpartition('.')[0], -1))
    return f'the gradient of {first} is not finite'
