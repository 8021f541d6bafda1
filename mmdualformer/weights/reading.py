"""Reading checkpoints: nothing in them runs, damage is found, and what should be there has the right form."""

import math
import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.runner import CheckpointLoader
from torch import Tensor

from mmdualformer.errors import UserError, describe
from mmdualformer.finite import refuse_non_finite

from .pickle_calls import NO_FILE
from .pickled_files import DamagedError, read_pickled
from .plain import make_plain
from .safetensors_files import is_safetensors, read_safetensors
from .training_state import STATE_OF_TRAINING

# what others call their weights
WEIGHTS = ('state_dict', 'model_state_dict', 'model', 'model_state', 'module', 'state_dict_ema')


def read_file(path: str | Path, map_location: Any = 'cpu', only_content: bool = False) -> dict:
    """Read a checkpoint that is a file, of ``torch.save`` or of safetensors.

    Every tool reads by this, and so do MMAction2 and MMEngine.

    Args:
        path (str or Path): The file.
        map_location (str, device or callable): Where its tensors are to be, as for ``torch.load``. Defaults to
            ``'cpu'``.
        only_content (bool): Leave the values of tensors in the file where it is cheap, and do not look whether they are
            whole. Defaults to False.

    Returns:
        dict: Plain data and tensors. ``meta``, where it is there, is a dict.

    Raises:
        FileNotFoundError: There is no such file.
        UserError: It cannot be read, would run code, is damaged, or is no checkpoint.
    """
    path = os.path.expanduser(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path} can not be found.')
    try:
        if is_safetensors(path):
            content = read_safetensors(path, map_location)
        else:
            content = read_pickled(path, map_location, only_content)
    except DamagedError as error:
        raise UserError(f'checkpoint {path!r} is damaged: {describe(error)}') from None
    except Exception as error:  # a pickle is a program: anything can go wrong in it
        raise refuse(path, error) from None
    return check_form(content, path)


def refuse(path: str, error: Exception) -> UserError:
    """Say in one line why a checkpoint cannot be read."""
    if isinstance(error, UserError):
        return error
    reason = describe(error)
    if isinstance(error, pickle.UnpicklingError):
        name = re.search(r'(?:GLOBAL|function) (\S+)', str(error))
        if name:
            reason = f'it would run {name[1]}'
        elif not reason.startswith('it '):
            reason = NO_FILE
    elif not isinstance(error, OSError):
        reason = f'{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}'.rstrip(': ')
    return UserError(f'checkpoint {path!r} cannot be loaded as weights alone: {reason}')


def check_form(content: object, path: str) -> dict:
    """Check the form of what everyone takes from a checkpoint: weights by name, and what it says of itself.

    Raises:
        UserError: It has another form.
    """
    if not isinstance(content, dict):
        raise UserError(f'checkpoint {path!r} holds a {type(content).__name__}, not weights by name')
    weights = content.get('state_dict', content)
    if not isinstance(weights, Mapping):
        raise UserError(f'checkpoint {path!r} holds a {type(weights).__name__}, not weights by name')
    for name in weights:
        if not isinstance(name, str):
            raise UserError(f'checkpoint {path!r} holds a tensor under {name!r}, which is no name')
    if content.get('meta', 0) is None:
        content['meta'] = {}
    meta = content.get('meta', {})
    if weights is content and isinstance(meta, Tensor):  # a weight of that name
        return content
    if not isinstance(meta, Mapping):
        raise UserError(f'checkpoint {path!r} has a meta that is a {type(meta).__name__}, not a dict')
    data = meta.get('dataset_meta')
    if data is not None and not isinstance(data, Mapping):
        raise UserError(f'checkpoint {path!r} has a dataset_meta that is a {type(data).__name__}, not a dict')
    classes = (data or {}).get('classes')
    if classes is not None and (
        not isinstance(classes, (list, tuple)) or not all(isinstance(name, str) for name in classes)
    ):
        raise UserError(f'checkpoint {path!r} has dataset_meta.classes that are no list of names')
    seconds = (data or {}).get('clip_seconds')
    if seconds is not None and (type(seconds) not in (int, float) or not 0 < seconds < math.inf):
        raise UserError(f'checkpoint {path!r} has dataset_meta.clip_seconds that are no positive number')
    return content


def check_read(content: object, path: str) -> dict:
    """Check what others have read from somewhere, as :func:`read_file` checks what it reads.

    Raises:
        UserError: It is no checkpoint.
    """
    try:
        return check_form(make_plain(content), path)
    except pickle.UnpicklingError as error:
        raise refuse(path, error) from None


def load_safely(path: str) -> dict:
    """Load a checkpoint, a file or an address that MMEngine knows, running nothing that is in it.

    Returns:
        dict: Plain data and tensors; see :func:`read_file`.

    Raises:
        UserError: The file is missing, damaged, no checkpoint, or would run code.
    """
    try:
        return CheckpointLoader.load_checkpoint(path, map_location='cpu', logger='silent')
    except FileNotFoundError:
        raise UserError(f'checkpoint {path!r} does not exist') from None
    except Exception as error:  # of a network too
        raise refuse(path, error) from None


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint, running nothing that is in it.

    Args:
        path (str or Path): A file of ``torch.save`` with the weights at the top level or under one of ``WEIGHTS``; or
            one of safetensors. A ``module.`` prefix of all names is taken off.

    Returns:
        dict: Name -> tensor.

    Raises:
        UserError: The file is missing, is not such a file, would run code, or a tensor holds NaN or infinity.
    """
    return take_weights(load_safely(str(path)), str(path))[0]


def take_weights(content: Mapping, path: str) -> tuple[dict[str, Tensor], str]:
    """Take the weights of what :func:`load_safely` has read.

    Args:
        content (mapping): The weights, or what has them under one of ``WEIGHTS``.
        path (str): Where it was read from, for the message.

    Returns:
        tuple: Name -> tensor, without a ``module.`` prefix of all names; and the key that they were under, ``''`` for
        the top level.

    Raises:
        UserError: There are none, or one holds NaN or infinity.
    """
    key = next((key for key in WEIGHTS if isinstance(content.get(key), Mapping)), '')
    weights = tensors_of(content[key] if key else content, path)
    if not weights:
        raise UserError(f'checkpoint {path!r} holds no weights')
    refuse_non_finite(weights, path)
    if all(name.startswith('module.') for name in weights):
        weights = {name.removeprefix('module.'): value for name, value in weights.items()}
    return weights, key


def tensors_of(weights: Mapping, path: str) -> dict[str, Tensor]:
    """Take the tensors of weights by name.

    Raises:
        UserError: One has something else in place of a name.
    """
    tensors = {name: value for name, value in weights.items() if isinstance(value, Tensor)}
    for name in tensors:
        if not isinstance(name, str):
            raise UserError(f'checkpoint {path!r} holds a tensor under {name!r}, which is no name')
    return tensors


def read_progress(path: str | Path) -> dict:
    """Read how far the training of a checkpoint has come, without the values of its tensors.

    Args:
        path (str or Path): A file.

    Returns:
        dict: ``epoch`` and ``iter``, numbers, or None where it does not say; ``can_resume``, whether it holds the state
            of training.

    Raises:
        UserError: It cannot be read. That its tensors are whole is not looked at.
    """
    try:
        content = read_file(path, only_content=True)
    except FileNotFoundError:
        raise UserError(f'checkpoint {str(path)!r} does not exist') from None
    meta = content.get('meta', {})
    meta = meta if isinstance(meta, Mapping) else {}  # a weight may have that name
    progress = {name: meta.get(name) if type(meta.get(name)) is int else None for name in ('epoch', 'iter')}
    return dict(progress, can_resume=STATE_OF_TRAINING <= content.keys() and None not in progress.values())
