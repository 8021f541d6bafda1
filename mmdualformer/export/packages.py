"""What each format needs, and the hint of what to install."""

import importlib.util
import os
import sys
from types import ModuleType

from mmdualformer.errors import UserError

# Format -> its name, the extra that it is installed with, and its packages; PyTorch is always there.
_NEEDS = {
    'onnx': ('ONNX export', 'export', ('onnx', 'onnxscript', 'onnxruntime')),
    'openvino': ('OpenVINO', 'openvino', ('openvino',)),
    'nncf': ('int8 of OpenVINO', 'openvino', ('openvino', 'nncf')),
}


def check_installed(what: str = 'onnx') -> None:
    """Check that what writes and runs files of a format is there, before it is imported; it then reports nothing.

    Args:
        what (str): The format, or ``'nncf'`` for OpenVINO at int8. Defaults to ``'onnx'``.

    Raises:
        UserError: A package is missing; the line says what to install.
    """
    _refuse_telemetry()
    name, extra, packages = _NEEDS.get(what, ('', '', ()))
    missing = [package for package in packages if not _is_there(package)]
    if missing:
        raise UserError(f'{name} needs {", ".join(missing)}: pip install "mmdualformer[{extra}]"')


def import_openvino() -> ModuleType:
    """Import OpenVINO, which then reports nothing to its makers: importing it would, unless told otherwise.

    Raises:
        UserError: It is missing.
    """
    check_installed('openvino')
    import openvino

    return openvino


def import_nncf() -> ModuleType:
    """Import NNCF, which then reports nothing to its makers either.

    Raises:
        UserError: It is missing.
    """
    check_installed('nncf')
    import nncf

    nncf.set_log_level(40)  # errors
    return nncf


def _refuse_telemetry() -> None:
    # OpenVINO and NNCF do without this package, which sends what it is used for to Google Analytics
    sys.modules.setdefault('openvino_telemetry', None)  # type: ignore[arg-type]
    # ONNX Runtime reports to Microsoft from its import on; its disable_telemetry_events comes too late
    os.environ['ORT_DISABLE_TELEMETRY'] = '1'


def _is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
