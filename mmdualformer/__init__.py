"""mmdualformer: efficient video backbones for MMAction2.

Importing the package mends the installed stack (:mod:`mmdualformer.compat`) and registers everything in
``mmaction.registry``.
"""

from . import compat

compat.apply()

from . import checkpoints, datasets, engine, evaluation, models  # noqa: E402  (they register; need the mended stack)
from .datasets.surviving_loader import SurvivingDataLoader  # noqa: E402
from .version import __version__  # noqa: E402

compat.survive_dead_data_workers(SurvivingDataLoader)

__all__ = ['__version__', 'checkpoints', 'compat', 'datasets', 'engine', 'evaluation', 'models']
