"""Files of PyTorch itself: torch.export's and TorchScript's. Both are programs, for those who trust them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor
from torch.export import ExportedProgram

from mmdualformer.errors import UserError, describe

from .description import KEY, ModelDescription
from .programs import quiet, trace

_NAME = f'{KEY}.json'  # of the description within a file


def write_torch_export(program: ExportedProgram, path: Path, description: ModelDescription) -> None:
    """Write a graph with ``torch.export.save``."""
    with open(path, 'wb') as file:
        torch.export.save(program, file, extra_files={_NAME: description.to_json()})


def write_torchscript(model: nn.Module, example: Tensor, path: Path, description: ModelDescription) -> None:
    """Trace a model as TorchScript, which C++ programs of any PyTorch load.

    Args:
        model (nn.Module): In eval mode.
        example (Tensor): A clip.
        path (Path): The file.
        description (ModelDescription): What it is.
    """
    traced = trace(model, example)
    with quiet():
        torch.jit.save(traced, str(path), _extra_files={_NAME: description.to_json()})


def open_torch(path: Path, is_script: bool) -> tuple[Callable[[Tensor], Sequence[Tensor]], ModelDescription]:
    """Load a program from a file of yours.

    Args:
        path (Path): What one of the functions above wrote.
        is_script (bool): Whether it is TorchScript.

    Returns:
        tuple: From a clip to what comes out, and what it says of itself.

    Raises:
        UserError: The file cannot be used.
    """
    extra: dict[str, Any] = {_NAME: ''}
    try:
        with quiet():
            model: Any
            if is_script:
                model = torch.jit.load(str(path), map_location='cpu', _extra_files=extra)
            else:
                with open(path, 'rb') as file:
                    model = torch.export.load(file, extra_files=extra).module()
    except Exception as error:  # of a damaged archive, of many kinds
        raise UserError(f'model {str(path)!r} cannot be loaded: {describe(error)}') from None
    text = extra[_NAME]
    description = ModelDescription.from_json(text.decode() if isinstance(text, bytes) else text, str(path))

    @torch.inference_mode()
    def run(clip: Tensor) -> Sequence[Tensor]:
        result = model(clip)
        return (result,) if isinstance(result, Tensor) else result

    return run, description
