"""mmdualformer: efficient video backbones for MMAction2.

Importing the package mends the installed stack (:mod:`mmdualformer.compat`) and registers everything in
``mmaction.registry``.
"""

from . import compat

compat.apply()

from . import checkpoints, datasets, engine, evaluation, models  # noqa: E402  (they register; need the mended stack)
from .version import __version__  # noqa: E402

__all__ = ['__version__', 'checkpoints', 'compat', 'datasets', 'engine', 'evaluation', 'models']
