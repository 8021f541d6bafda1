"""Files of safetensors: weights, and beside them what a checkpoint of ours says of itself, with a checksum."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mmdualformer.errors import UserError, describe

from .pickled_files import ZIP, DamagedError
from .plain import make_plain

SUFFIX = '.safetensors'
META, CHECKSUM = 'meta', 'sha256'  # in the metadata of a file
RESERVED = '__metadata__'  # the name in a header of what is no tensor
TUPLE = '__tuple__'  # JSON has none, and MMAction2's transforms tell them from lists
LENGTH = 8  # bytes before the header


def is_safetensors(path: str | Path) -> bool:
    """Whether a file is one of safetensors, by its name or by its first bytes."""
    if str(path).endswith(SUFFIX):
        return True
    with open(path, 'rb') as file:
        start = file.read(LENGTH + 1)
        size = file.seek(0, 2)
    return start[LENGTH:] == b'{' and not start.startswith(ZIP) and int.from_bytes(start[:LENGTH], 'little') < size


def read_safetensors(path: str | Path, map_location: Any = 'cpu') -> dict:
    """Read a file of safetensors.

    Args:
        path (str or Path): The file.
        map_location (str, device or callable): Where its tensors are to be. What is no device means the CPU. Defaults
            to ``'cpu'``.

    Returns:
        dict: ``state_dict``, and ``meta``, empty where the file has none of ours.

    Raises:
        DamagedError: It has another checksum than it says.
        SafetensorError: It is no such file.
    """
    try:
        with safe_open(path, 'pt') as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise DamagedError(f'it is no file of safetensors: {error}') from None
    if CHECKSUM in metadata and metadata[CHECKSUM] != _checksum(weights, metadata):
        raise DamagedError('its contents have another checksum than it says')
    meta = _from_json(json.loads(metadata.get(META, '{}')))
    if isinstance(map_location, (str, torch.device)):
        weights = {name: value.to(map_location) for name, value in weights.items()}
    return make_plain(dict(state_dict=weights, meta=meta))


def write_safetensors(weights: Mapping[str, Tensor], meta: Mapping, path: str | Path) -> None:
    """Write weights, and what they are.

    Args:
        weights (mapping): Name -> tensor.
        meta (mapping): Plain values, which :func:`read_safetensors` gives back.
        path (str or Path): The file.

    Raises:
        UserError: The form has no such name or kind of numbers, or ``meta`` has something in it that is no plain value.
    """
    if RESERVED in weights:
        raise UserError(f'a tensor named {RESERVED!r} cannot be written to a file of safetensors')
    own = {name: value.detach().cpu().contiguous().clone() for name, value in weights.items()}  # shared by none
    metadata = {'format': 'pt', META: json.dumps(_to_json(meta))}
    path = Path(path)
    path.touch()
    mode = path.stat().st_mode
    try:
        save_file(own, path, {**metadata, CHECKSUM: _checksum(own, metadata)})
    except (KeyError, ValueError, RuntimeError, SafetensorError) as error:  # a name that is no text, a kind of numbers
        raise UserError(f'the weights cannot be written to a file of safetensors: {describe(error)}') from None
    path.chmod(mode)  # of save_file's own making it would be its owner's alone


def _checksum(weights: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """SHA-256 of all that a file holds, whatever the order."""
    names = sorted(weights)
    said = {name: text for name, text in metadata.items() if name != CHECKSUM}
    kinds = [(name, str(weights[name].dtype), list(weights[name].shape)) for name in names]
    digest = hashlib.sha256(json.dumps([said, kinds], sort_keys=True).encode())
    for name in names:
        digest.update(weights[name].flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _to_json(value: object) -> object:
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _to_json(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return {TUPLE: [_to_json(part) for part in value]}
    if isinstance(value, list):
        return [_to_json(part) for part in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise UserError(f'a {type(value).__name__} cannot be written to a file of safetensors')


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {TUPLE} and isinstance(value[TUPLE], list):
            return tuple(map(_from_json, value[TUPLE]))
        return {key: _from_json(part) for key, part in value.items()}
    return [_from_json(part) for part in value] if isinstance(value, list) else value
