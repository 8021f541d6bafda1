"""mmdualformer: efficient video backbones for MMAction2.

Importing the package mends the installed stack (:mod:`mmdualformer.compat`) and registers everything in
``mmaction.registry``.
"""

import importlib.util
import sys

if importlib.util.find_spec('mmcv') is None:  # none of the requirements, as setup.py says
    _missing = ImportError("mmcv is missing; pip install 'mmcv-lite>=2.1.0,<2.2', or a full mmcv below 2.2")
    _hook = sys.excepthook
    # where nobody catches it, as in a tool, the line and no traceback
    sys.excepthook = lambda kind, error, trace: (
        print(f'error: {error}', file=sys.stderr) if error is _missing else _hook(kind, error, trace)
    )
    raise _missing

_hook = sys.excepthook
# Ctrl-C while this imports, which takes seconds: no traceback through the libraries
sys.excepthook = lambda kind, error, trace: (
    print('stopped by SIGINT (Ctrl-C)', file=sys.stderr) if kind is KeyboardInterrupt else _hook(kind, error, trace)
)

from . import compat  # noqa: E402

compat.apply()

from . import checkpoints, datasets, engine, evaluation, models  # noqa: E402  (they register; need the mended stack)
from .datasets.surviving_loader import SurvivingDataLoader  # noqa: E402
from .recognition import Recognizer  # noqa: E402
from .resuming import find_newest  # noqa: E402
from .version import __version__  # noqa: E402
from .weights import check_read, read_file  # noqa: E402

compat.read_checkpoints_with(read_file, check_read)
compat.resume_from_what_loads(find_newest)
compat.survive_dead_data_workers(SurvivingDataLoader)
sys.excepthook = _hook

__all__ = ['Recognizer', '__version__', 'checkpoints', 'compat', 'datasets', 'engine', 'evaluation', 'models']
