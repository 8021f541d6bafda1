"""Whether a checkpoint fits a model, and loading one that does."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.distributed
import torch.nn as nn
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from torch import Tensor

from mmdualformer.compat.engine import kind_of_numbers
from mmdualformer.errors import UserError, describe
from mmdualformer.finite import refuse_non_finite

from .reading import load_safely, tensors_of
from .training_state import StateFits, check_state_of_training


def check_checkpoint(model: nn.Module, path: str, prefix: str = '', resume: bool = False) -> dict:
    """Read a checkpoint and check that it fits a model, which MMEngine would only warn of.

    Args:
        model (nn.Module): The recognizer.
        path (str): A checkpoint.
        prefix (str): Only tensors whose names start with this must fit. Defaults to ``''``, all.
        resume (bool): Whether training is to go on from it. Defaults to False.

    Returns:
        dict: What it holds, with its weights under ``'state_dict'`` and what else it says under ``'meta'``, for
            :func:`load_checked` or :func:`hand_over`, so that nobody reads the file again.

    Raises:
        UserError: The file is missing or unsafe to load, a tensor is missing, has no name or another shape or is not
            finite, a converter recorded another activation than the model's, or there is no state of training to go on
            from.
    """
    checkpoint = load_safely(path)
    weights = checkpoint.get('state_dict', checkpoint)
    given = tensors_of(weights, path)
    if resume:
        check_state_of_training(checkpoint, path)
    model = model.get_submodule('module') if is_model_wrapper(model) else model
    given = {name.removeprefix('module.'): value for name, value in given.items()}  # as mmengine does
    check_fit(model, given, path, prefix=prefix)
    own = model.state_dict()
    refuse_non_finite({name: tensor for name, tensor in given.items() if name in own}, path)
    if resume:
        refuse_non_finite(dict(optimizer=checkpoint['optimizer']), path)
    if weights is checkpoint:
        checkpoint = dict(state_dict=checkpoint)
    checkpoint.setdefault('meta', {}).pop('config', None)  # a program, which MMEngine's resuming would run
    _check_activation(model, checkpoint['meta'].get('activation'), path)
    return checkpoint


def check_fit(
    model: nn.Module, given: Mapping[str, Tensor], path: str, prefix: str = '', owner: str = 'the config'
) -> None:
    """Check that tensors by name are those of a model.

    Args:
        model (nn.Module): The model.
        given (mapping): Name -> tensor; there may be more than the model has.
        path (str): Where they were read from, for the message.
        prefix (str): Only tensors whose names start with this must fit. Defaults to ``''``, all.
        owner (str): What the model is from, for the message. Defaults to ``'the config'``.

    Raises:
        UserError: One is missing, or has another shape or kind of numbers.
    """
    wanted = {name: tensor for name, tensor in model.state_dict().items() if name.startswith(prefix)}
    missing = [name for name in wanted if name not in given]
    there = [name for name in wanted if name in given]
    reshaped = [name for name in there if given[name].shape != wanted[name].shape]
    others = [name for name in there if kind_of_numbers(given[name]) != kind_of_numbers(wanted[name])]
    faults = [f'{len(missing)} of {len(wanted)} tensors are missing, first {missing[0]}'] if missing else []
    if reshaped:
        name = reshaped[0]
        faults.append(
            f'{len(reshaped)} have other shapes, first {name}: {tuple(given[name].shape)} in the file, '
            f'{tuple(wanted[name].shape)} in the model'
        )
    if others:
        name = others[0]
        faults.append(
            f'{len(others)} have other numbers, first {name}: {given[name].dtype} in the file, {wanted[name].dtype} in '
            'the model'
        )
    if faults:
        raise UserError(f'checkpoint {path!r} is of another architecture than {owner}: {"; ".join(faults)}')


def load_checked(model: nn.Module, path: str) -> dict:
    """Load all weights of a model from a checkpoint that must fit it.

    Returns:
        dict: What the checkpoint says of itself.

    Raises:
        UserError: See :func:`check_checkpoint`.
    """
    checkpoint = check_checkpoint(model, path)
    _load_checkpoint_to_model(model, checkpoint, logger='silent')
    return checkpoint['meta']


def hand_over(runner: Runner, checkpoint: dict, path: str) -> None:
    """Let a runner take a checkpoint that was read, where it would read the file again.

    Args:
        runner (Runner or FlexibleRunner): With ``load_from`` set, and ``resume`` where training is to go on.
        checkpoint (dict): What :func:`check_checkpoint` has read; it is let go of once it is loaded.
        path (str): Where it was read from. Other files the runner reads itself.
    """

    def load_checkpoint(filename: str, *args, **kwargs) -> dict:
        if filename != path:
            return type(runner).load_checkpoint(runner, filename, *args, **kwargs)
        del runner.load_checkpoint  # the class's own again
        runner.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        _load_checkpoint_to_model(model, checkpoint)
        runner._has_loaded = True
        runner.logger.info(f'Load checkpoint from {filename}')
        return checkpoint

    def load_by_strategy(filename: str, *args, callback: Callable, **kwargs) -> dict:
        del strategy.load_checkpoint
        if filename != path:
            return strategy.load_checkpoint(filename, *args, callback=callback, **kwargs)
        callback(checkpoint)
        weights = checkpoint.pop('state_dict')
        strategy.load_model_state_dict({name.removeprefix('module.'): value for name, value in weights.items()})
        strategy.logger.info(f'Load checkpoint from {filename}')
        return checkpoint

    def resume(filename: str, *args, **kwargs) -> None:
        del runner.resume
        if filename != path:
            return runner.resume(filename, *args, **kwargs)
        try:
            fits = StateFits(runner, checkpoint)
            runner.resume(filename, *args, **kwargs)
            fits.check()
        except (torch.OutOfMemoryError, torch.distributed.DistError, OSError):  # of the machine
            raise
        except Exception as error:  # of the optimizer, the schedules, the log and the hooks
            raise UserError(f'checkpoint {path!r} cannot be gone on from: {describe(error)}') from error

    strategy: Any = getattr(runner, 'strategy', None)
    if strategy is None:
        runner.load_checkpoint = load_checkpoint
    else:
        strategy.load_checkpoint = load_by_strategy
    runner.resume = resume


def _check_activation(model: nn.Module, trained_with: str | None, path: str) -> None:
    """Check that a model has the activation that a converter found: the weights have no trace of it."""
    acts = {type(module.act).__name__ for module in model.modules() if isinstance(getattr(module, 'act', 0), nn.Module)}
    if trained_with and acts - {trained_with}:
        raise UserError(
            f'checkpoint {path!r} was trained with {trained_with}, the config has {", ".join(sorted(acts))}; set '
            f'model.backbone.act_cfg.type={trained_with}'
        )
