"""mmdualformer: efficient video backbones for MMAction2.

Importing the package mends the installed stack (:mod:`mmdualformer.compat`) and registers everything in
``mmaction.registry``.
"""

from . import compat

compat.apply()

from . import models  # noqa: E402  (registers; needs the mended stack)
from .version import __version__  # noqa: E402

__all__ = ['__version__', 'compat', 'models']
