"""Recognizers written as model files, which are in their place only when they are complete and checked."""

import copy
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.files import write_atomically

from .description import AXES, DTYPES, KEY, ModelDescription, Shape, describe_model
from .loading import RUNTIMES, ExportedModel, load_exported
from .onnx import write_onnx
from .openvino import convert_openvino, write_openvino
from .packages import check_installed
from .programs import export_program
from .quantization import quantize_onnx, quantize_openvino
from .torch_files import write_torch_export, write_torchscript
from .wrapping import ExportedRecognizer, computed_dtype


def check_choice(kind: str, dtype: str) -> None:
    """Check that files of a format can compute in a dtype, and that its packages are installed.

    Raises:
        UserError: They cannot, or a package is missing.
    """
    unable = {
        ('onnx', 'bfloat16'): 'float32, float16 or int8; ONNX Runtime has no bfloat16 on a CPU',
        ('torch_export', 'int8'): 'float32, float16 or bfloat16; ONNX and OpenVINO files take int8',
        ('torchscript', 'int8'): 'float32, float16 or bfloat16; ONNX and OpenVINO files take int8',
    }
    if (kind, dtype) in unable:
        raise UserError(f'--dtype {dtype} is none of {RUNTIMES[kind]} files: it must be {unable[kind, dtype]}')
    check_installed('nncf' if (kind, dtype) == ('openvino', 'int8') else kind)


def export_model(
    recognizer: Any,
    path: Path,
    kind: str,
    shape: Shape,
    *,
    dtype: str = DTYPES[0],
    preprocessing: bool = False,
    dynamic: Sequence[str] = ('batch',),
    calibration: Iterable[Tensor] | None = None,
    threads: int = 0,
    check: Callable[[ExportedModel], None] = lambda exported: None,
) -> ModelDescription:
    """Write a recognizer as a model file.

    It is written in a folder of its own beside its place, loaded, checked and then moved, so that what was there stays
    if anything fails.

    Args:
        recognizer (nn.Module): In eval mode; of one on a GPU a copy on the CPU is written.
        path (Path): The file.
        kind (str): Its format, one of :data:`~.loading.ENDINGS`.
        shape (sequence): Shape of a clip, ``(1, 3, T, H, W)``.
        dtype (str): What it computes in. Defaults to ``'float32'``.
        preprocessing (bool): Whether uint8 pixels go in, and probabilities come out beside logits. Defaults to False.
        dynamic (sequence): Axes of any length. Defaults to ``('batch', )``.
        calibration (iterable, optional): Clips of pixels ``[1, 3, T, H, W]``, for int8; they are gone through several
            times. Defaults to None.
        threads (int): Of the runtime that checks it; 0 for its choice. Defaults to 0.
        check (callable): Gets the loaded file, and raises what ends the export. Defaults to none.

    Returns:
        ModelDescription: What the file says of itself.

    Raises:
        UserError: The recognizer cannot be exported so, a package is missing, or int8 lacks clips.
    """
    check_choice(kind, dtype)
    if dtype == 'int8' and calibration is None:
        raise UserError('--dtype int8 needs clips that show the ranges: give --calibrate FOLDER')
    if next(recognizer.parameters()).device.type != 'cpu':
        recognizer = copy.deepcopy(recognizer).cpu()
    description = describe_model(recognizer, shape, dtype, preprocessing, dynamic)
    model = ExportedRecognizer(recognizer, description, computed_dtype(dtype)).eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{path.name}.', dir=path.parent) as folder:
        target = Path(folder, path.name)
        example = torch.zeros(
            [2 if axis == 0 and 'batch' in dynamic else length for axis, length in enumerate(shape)],
            dtype=torch.uint8 if preprocessing else torch.float32,
        )
        _write(model, example, target, kind, description, calibration)
        check(load_exported(target, threads, trust=True))
        weights = target.with_suffix('.bin')
        for written in ([weights] if kind == 'openvino' else []) + [target]:  # a graph comes after its weights
            with write_atomically(path.with_name(written.name)) as partial:
                written.replace(partial)
    return description


def other_shapes(description: ModelDescription) -> list[tuple[int, ...]]:
    """Shapes other than the described one that a file with dynamic axes must take: shorter, longer, and not square."""
    shape = description.clip_shape
    others = []
    for changes in ((3, 1, 32, 0), (1, -2, 0, 32)):
        deltas = (0, 0, *changes[1:])
        lengths = [
            max(length + delta, 1) if _is_free(axis, description) else length
            for axis, (length, delta) in enumerate(zip(shape, deltas))
        ]
        lengths[0] = changes[0] if _is_free(0, description) else shape[0]
        others.append(tuple(lengths))
    return [other for other in dict.fromkeys(others) if other != shape]


def _is_free(axis: int, description: ModelDescription) -> bool:
    return any(axis in AXES[name] for name in description.dynamic)


def _write(
    module: nn.Module,
    example: Tensor,
    target: Path,
    kind: str,
    description: ModelDescription,
    calibration: Iterable[Tensor] | None,
) -> None:
    """Write a module as a file of its format."""
    pixels = ExportedModel(description, lambda clip: (), str(target))  # for what a file takes
    ranges = (calibration or (), pixels.as_input)
    is_int8 = description.dtype == 'int8'
    if kind == 'openvino':
        graph = convert_openvino(module, example, description)
        write_openvino(quantize_openvino(graph, *ranges) if is_int8 else graph, target, description)
    elif kind == 'torchscript':
        write_torchscript(module, example, target, description)
    elif kind == 'torch_export':
        write_torch_export(export_program(module, example, description.dynamic), target, description)
    else:
        outputs = ('logits', 'probabilities')[: 1 + description.preprocessing]
        source = target.with_name('float32.onnx') if is_int8 else target
        program = export_program(module, example, description.dynamic)
        write_onnx(program, source, {KEY: description.to_json()}, outputs)
        if is_int8:
            quantize_onnx(source, target, *ranges)
