"""Checkpoints: safe reading, what is in them, and whether they fit a model. It knows models as modules, no layers."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch.nn as nn
from mmengine.model import is_model_wrapper
from mmengine.runner import CheckpointLoader, Runner
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from torch import Tensor

from mmdualformer.errors import UserError

STATE_OF_TRAINING = {'meta', 'optimizer', 'message_hub'}  # what MMEngine's runners go on from


def load_safely(path: str) -> Any:
    """Load a checkpoint, a file or an address that MMEngine knows, running nothing that is in it.

    Raises:
        UserError: The file is missing, broken, or would run code.
    """
    try:
        return CheckpointLoader.load_checkpoint(path, map_location='cpu', logger='silent')
    except FileNotFoundError:
        raise UserError(f'checkpoint {path!r} does not exist') from None
    except pickle.UnpicklingError as error:
        name = re.search(r'(?:GLOBAL|function) (\S+)', str(error))
        reason = f'it would run {name[1]}' if name else 'it is no file that torch.save has written'
        raise UserError(f'checkpoint {path!r} cannot be loaded as weights alone: {reason}') from None
    except (OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f'checkpoint {path!r} cannot be loaded as weights alone: {reason}') from None


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint, running nothing that is in it.

    Args:
        path (str or Path): A ``torch.save`` file with the weights at the top level, or under ``state_dict``,
            ``model_state_dict``, ``model`` or ``state_dict_ema``. A ``module.`` prefix of all names is taken off.

    Returns:
        dict: Name -> tensor.

    Raises:
        UserError: The file is missing, is not such a file, or would run code.
    """
    content = load_safely(str(path))
    for key in ('state_dict', 'model_state_dict', 'model', 'state_dict_ema'):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    weights = _tensors(content, str(path))
    if not weights:
        raise UserError(f'checkpoint {str(path)!r} holds no weights')
    if all(name.startswith('module.') for name in weights):
        weights = {name.removeprefix('module.'): value for name, value in weights.items()}
    return weights


def check_names(weights: Mapping, path: str) -> None:
    """Check that all tensors have names.

    Raises:
        UserError: One has something else in place of a name.
    """
    for name in weights:
        if not isinstance(name, str):
            raise UserError(f'checkpoint {path!r} holds a tensor under {name!r}, which is no name')


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
        UserError: The file is missing or unsafe to load, a tensor is missing, has no name or another shape, a converter
            recorded another activation than the model's, or there is no state of training to go on from.
    """
    checkpoint = load_safely(path)
    weights = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, Mapping) else checkpoint
    given = _tensors(weights, path)
    if resume and not STATE_OF_TRAINING <= checkpoint.keys():
        raise UserError(
            f'checkpoint {path!r} holds no state of training to go on from; start from its weights with '
            f'--cfg-options load_from={path}'
        )
    model = model.get_submodule('module') if is_model_wrapper(model) else model
    given = {name.removeprefix('module.'): value for name, value in given.items()}  # as mmengine does
    wanted = {name: tensor for name, tensor in model.state_dict().items() if name.startswith(prefix)}
    missing = [name for name in wanted if name not in given]
    reshaped = [name for name in wanted if name in given and given[name].shape != wanted[name].shape]
    if missing or reshaped:
        faults = [f'{len(missing)} of {len(wanted)} tensors are missing, first {missing[0]}'] if missing else []
        if reshaped:
            name = reshaped[0]
            faults.append(
                f'{len(reshaped)} have other shapes, first {name}: {tuple(given[name].shape)} in the file, '
                f'{tuple(wanted[name].shape)} in the model'
            )
        raise UserError(f'checkpoint {path!r} is of another architecture than the config: {"; ".join(faults)}')
    if weights is checkpoint:
        checkpoint = dict(state_dict=checkpoint)
    checkpoint['meta'] = checkpoint.get('meta') or {}
    checkpoint['meta'].pop('config', None)  # a program, which MMEngine's resuming would run
    _check_activation(model, checkpoint['meta'].get('activation'), path)
    return checkpoint


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
        runner (Runner): With ``load_from`` set, and ``resume`` where training is to go on.
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

    runner.load_checkpoint = load_checkpoint


def _tensors(weights: object, path: str) -> dict[str, Tensor]:
    """The tensors of what should be weights by name."""
    if not isinstance(weights, Mapping):
        raise UserError(f'checkpoint {path!r} holds a {type(weights).__name__}, not weights by name')
    tensors = {name: value for name, value in weights.items() if isinstance(value, Tensor)}
    check_names(tensors, path)
    return tensors


def _check_activation(model: nn.Module, trained_with: str | None, path: str) -> None:
    """Check that a model has the activation that a converter found: the weights have no trace of it."""
    acts = {type(module.act).__name__ for module in model.modules() if isinstance(getattr(module, 'act', 0), nn.Module)}
    if trained_with and acts - {trained_with}:
        raise UserError(
            f'checkpoint {path!r} was trained with {trained_with}, the config has {", ".join(sorted(acts))}; set '
            f'model.backbone.act_cfg.type={trained_with}'
        )


def read_progress(path: str) -> dict:
    """TEMP until the weights branch is merged."""
    content = load_safely(path)
    meta = content.get('meta') or {}
    return dict(epoch=meta.get('epoch', 0), iter=meta.get('iter', 0), can_resume=STATE_OF_TRAINING <= content.keys())
