"""The graph that ONNX, OpenVINO and torch.export files are made of: PyTorch's ``ExportedProgram``."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config

from mmdualformer.errors import UserError, describe

from .description import AXES


@contextmanager
def quiet() -> Iterator[None]:
    """Keep exporters from saying what they miss and what will be removed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(before)


def export_program(model: nn.Module, example: Tensor, dynamic: Sequence[str]) -> ExportedProgram:
    """Export a model as a graph.

    Args:
        model (nn.Module): From a clip to logits, on the CPU and in eval mode.
        example (Tensor): A clip, with at least two of everything that is dynamic.
        dynamic (sequence): Names of :data:`~.description.AXES`.

    Raises:
        UserError: The model takes no such clip, or not with these axes free.
    """
    axes = {axis: Dim.DYNAMIC for name in dynamic for axis in AXES[name]}
    # as torch.onnx has it: else one window in the example would mean one window in every clip
    with torch.no_grad(), quiet(), _config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        model(example)  # what it refuses is clearer here than from within the export
        try:
            return torch.export.export(model, (example,), dynamic_shapes=(axes or None,))
        except Exception as error:  # of whatever the model is made of
            raise UserError(
                f'the model cannot be exported with dynamic {", ".join(dynamic) or "nothing"}: {_reason(error)}'
            ) from None


def trace(model: nn.Module, example: Tensor) -> Any:
    """Trace a model as TorchScript.

    Args:
        model (nn.Module): From a clip to logits, on the CPU and in eval mode.
        example (Tensor): A clip.
    """
    with torch.no_grad(), quiet():
        return torch.jit.trace(model, example, check_trace=False)


def _reason(error: Exception) -> str:
    """The first line of torch's many that says something."""
    lines = [line.strip(' -') for line in str(error).splitlines()]
    marked = next((line for line in lines if line.startswith('You marked')), None)
    return 'what it computes is fixed by the length of this axis' if marked else describe(error)
