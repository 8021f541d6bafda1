"""Recognizers as files for other runtimes: ONNX, OpenVINO, torch.export and TorchScript."""

from .checking import TOLERANCES, as_reference, check_parity, compare_speed, measure_accuracy, random_clips
from .clips import VideoClips, find_clips
from .description import AXES, DTYPES, ModelDescription, describe_model, shape_of_clips
from .loading import ENDINGS, RUNTIMES, ExportedModel, find_format, load_exported, write_shape
from .onnx import export_onnx, load_onnx
from .packages import check_installed
from .writing import check_choice, export_model

__all__ = [
    'AXES',
    'DTYPES',
    'ENDINGS',
    'RUNTIMES',
    'TOLERANCES',
    'ExportedModel',
    'ModelDescription',
    'VideoClips',
    'as_reference',
    'check_choice',
    'check_installed',
    'check_parity',
    'compare_speed',
    'describe_model',
    'export_model',
    'export_onnx',
    'find_clips',
    'find_format',
    'load_exported',
    'load_onnx',
    'measure_accuracy',
    'random_clips',
    'shape_of_clips',
    'write_shape',
]
