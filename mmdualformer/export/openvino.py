"""OpenVINO files: a graph in XML, and its weights in a ``.bin`` beside it."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

from mmdualformer.errors import UserError, describe

from .description import KEY, ModelDescription
from .packages import import_openvino
from .programs import trace

_SIZES = 4  # of clips, for which a model is kept compiled


def convert_openvino(model: nn.Module, example: Tensor, description: ModelDescription) -> Any:
    """Turn a model into OpenVINO's graph, with the names and lengths that a file of ours has.

    It is traced as TorchScript: that has the 3D convolutions, which OpenVINO computes fast, where a graph of
    torch.export has 2D ones in their place, and is converted in a hundredth of the time.

    Args:
        model (nn.Module): In eval mode.
        example (Tensor): A clip.
        description (ModelDescription): What it is.

    Returns:
        openvino.Model: The graph.

    Raises:
        UserError: OpenVINO is missing, or the model takes no such clip.
    """
    openvino = import_openvino()
    shape = openvino.PartialShape([-1 if length is None else length for length in description.fixed_shape])
    graph = openvino.convert_model(trace(model, example), example_input=example, input=[shape])
    graph.inputs[0].get_tensor().set_names({'clip'})
    for output, name in zip(graph.outputs, ('logits', 'probabilities')):
        output.get_tensor().set_names({name})
    return graph


def write_openvino(model: Any, path: Path, description: ModelDescription) -> None:
    """Write OpenVINO's graph, and its weights beside it.

    Args:
        model (openvino.Model): The graph.
        path (Path): The ``.xml`` file.
        description (ModelDescription): What it is. Of float16 the weights are stored so.
    """
    openvino = import_openvino()
    model.set_rt_info(description.to_json(), [KEY])
    openvino.save_model(model, str(path), compress_to_fp16=description.dtype == 'float16')


def open_openvino(path: Path, num_threads: int = 0) -> tuple[Callable[[Tensor], Sequence[Tensor]], ModelDescription]:
    """Open an OpenVINO file, which may come from anyone: a graph, whose operators are OpenVINO's own.

    It computes in bfloat16 only if the file is of that, and otherwise in float32, whatever the CPU would like. It is
    compiled when the first clip of a size comes, for one such clip at a time: a graph whose lengths OpenVINO does not
    know takes up to twice as long.

    Args:
        path (Path): The ``.xml`` file.
        num_threads (int): Threads; 0 for OpenVINO's choice. Defaults to 0.

    Returns:
        tuple: From a clip to what comes out, and what it says of itself.

    Raises:
        UserError: OpenVINO is missing, or the file cannot be used.
    """
    openvino = import_openvino()
    if not path.with_suffix('.bin').is_file():
        raise UserError(f'model {str(path)!r} has no weights: {str(path.with_suffix(".bin"))!r} does not exist')
    with open(path, 'rb') as file:
        if not file.read(64).lstrip().startswith(b'<'):  # OpenVINO would take ONNX and others too, which read files
            raise UserError(f'model {str(path)!r} is no OpenVINO file: it is no XML')
    core = openvino.Core()
    try:
        model = core.read_model(str(path))
    except RuntimeError as error:
        raise UserError(f'model {str(path)!r} is no OpenVINO file: {describe(error)}') from None
    if not model.has_rt_info([KEY]):
        raise UserError(f'model {str(path)!r} does not say how to use it; mmdualformer export writes one that does')
    description = ModelDescription.from_json(str(model.get_rt_info([KEY]).value), str(path))
    precision = 'bf16' if description.dtype == 'bfloat16' else 'f32'
    options = {'INFERENCE_PRECISION_HINT': precision, 'INFERENCE_NUM_THREADS': num_threads}

    @functools.lru_cache(maxsize=_SIZES)
    def compile_for(shape: tuple[int, ...]) -> Any:
        sized = model.clone()
        sized.reshape(list(shape))
        return core.compile_model(sized, 'CPU', options)

    def run(clips: Tensor) -> list[Tensor]:
        compiled = compile_for((1, *clips.shape[1:]))
        results = [compiled([clip.numpy()]).to_tuple() for clip in clips.split(1)]
        return [torch.from_numpy(np.concatenate(parts)) for parts in zip(*results)]

    return run, description
