"""ONNX files, which ONNX Runtime runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor
from torch.export import ExportedProgram

from mmdualformer.errors import UserError, describe

from .packages import check_installed
from .programs import export_program, quiet


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
    write_onnx(export_program(model, torch.zeros(*shape), ()), path, metadata or {})


def write_onnx(
    program: ExportedProgram, path: str | Path, metadata: Mapping[str, str], outputs: Sequence[str] = ('logits',)
) -> None:
    """Write a graph as an ONNX file, weights included. Its input is ``clip``.

    Args:
        program (ExportedProgram): The graph.
        path (str or Path): The file.
        metadata (mapping): What the file is to say of itself.
        outputs (sequence): Names of what comes out. Defaults to ``('logits', )``.
    """
    import onnx

    with torch.no_grad(), quiet():
        exported: Any = torch.onnx.export(
            program, dynamo=True, verbose=False, input_names=['clip'], output_names=list(outputs)
        )
    if hasattr(exported, 'rename_axes'):  # not in torch 2.8, whose axes keep the names s0, s1, ...
        names = ('batch', 'channels', 'frames', 'height', 'width')
        free = {str(length): name for length, name in zip(exported.model.graph.inputs[0].shape, names)}
        exported.rename_axes({length: name for length, name in free.items() if not length.isdecimal()})
    model = exported.model_proto
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.save(model, path)


def load_onnx(path: str | Path, num_threads: int = 0) -> Callable[[Tensor], Tensor]:
    """Load an exported model as a function from a clip to logits, on the CPU.

    Args:
        path (str or Path): What :func:`export_onnx` wrote.
        num_threads (int): Threads; 0 for ONNX Runtime's choice. Defaults to 0.

    Raises:
        UserError: A package is missing, or the file cannot be used.
    """
    run, _ = open_onnx(path, num_threads)
    return lambda clip: run(clip)[0]


def open_onnx(path: str | Path, num_threads: int = 0) -> tuple[Callable[[Tensor], Sequence[Tensor]], Mapping[str, str]]:
    """Open an ONNX file, which may come from anyone: a graph, whose operators are ONNX Runtime's own.

    Args:
        path (str or Path): The file.
        num_threads (int): Threads; 0 for ONNX Runtime's choice. Defaults to 0.

    Returns:
        tuple: From a clip to what comes out; and what the file says of itself.

    Raises:
        UserError: A package is missing; the file cannot be used, or would read others.
    """
    check_installed()
    import onnx
    import onnxruntime

    content = Path(path).read_bytes()
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's have no common base that is public
        raise UserError(f'model {str(path)!r} is no ONNX file: {describe(error)}') from None
    if any(map(onnx.external_data_helper.uses_external_data, _tensors(model))):
        raise UserError(f'model {str(path)!r} would read other files; its weights must be in it')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 4  # an error is raised too
    try:
        session = onnxruntime.InferenceSession(content, options, providers=['CPUExecutionProvider'])
    except Exception as error:  # ONNX Runtime's have no common base either
        raise UserError(f'ONNX Runtime cannot run {str(path)!r}: {describe(error)}') from None
    if len(session.get_inputs()) != 1:
        raise UserError(f'model {str(path)!r} has {len(session.get_inputs())} inputs; it must have one, the clip')
    (source,) = session.get_inputs()

    def run(clip: Tensor) -> list[Tensor]:
        return [torch.from_numpy(value) for value in session.run(None, {source.name: clip.numpy()})]

    return run, session.get_modelmeta().custom_metadata_map


def _tensors(model: Any) -> Iterator[Any]:
    """Yield every tensor of a model, those within its nodes too."""
    graphs = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            nodes.extend(graph.node)
        else:
            for attribute in nodes.pop().attribute:
                yield from (attribute.t, *attribute.tensors)
                for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    yield from (sparse.values, sparse.indices)
                graphs.extend(attribute.graphs)
                if attribute.HasField('g'):
                    graphs.append(attribute.g)
