"""ONNX files of recognizers, and a check of them with ONNX Runtime. Both need the optional extra ``export``."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
import torch.nn as nn
from torch import Tensor

from mmdualformer.errors import UserError

_PACKAGES = ('onnx', 'onnxscript', 'onnxruntime')


def check_installed() -> None:
    """Check that what exports and what runs ONNX files is there.

    Raises:
        UserError: A package is missing; the line says what to install.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f'ONNX export needs {", ".join(missing)}: pip install "mmdualformer[export]"')


def export_onnx(
    model: nn.Module, shape: Sequence[int], path: str | Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a model, with its weights, as an ONNX file for one shape of input.

    Args:
        model (nn.Module): From a clip to logits, on the CPU and in eval mode.
        shape (sequence): Shape of the clip, batch included.
        path (str or Path): The file.
        metadata (mapping, optional): What the file is to say of itself. Defaults to None.

    Raises:
        UserError: A package is missing, or the model takes no such input.
    """
    check_installed()
    import onnx

    with torch.no_grad():
        model(torch.zeros(*shape))  # what it refuses is clearer here than from within the export
        torch.onnx.export(
            model,
            (torch.zeros(*shape),),
            str(path),
            dynamo=True,
            external_data=False,
            verbose=False,
            input_names=['clip'],
            output_names=['logits'],
        )
    if metadata:
        exported = onnx.load(path)
        onnx.helper.set_model_props(exported, dict(metadata))
        onnx.save(exported, path)


def load_onnx(path: str | Path, num_threads: int = 0) -> Callable[[Tensor], Tensor]:
    """Load an exported model as a function from a clip to logits, on the CPU.

    Args:
        path (str or Path): What :func:`export_onnx` wrote.
        num_threads (int): Threads; 0 for ONNX Runtime's choice. Defaults to 0.

    Raises:
        UserError: A package is missing.
    """
    check_installed()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    return lambda clip: torch.from_numpy(session.run(None, {'clip': clip.numpy()})[0])
