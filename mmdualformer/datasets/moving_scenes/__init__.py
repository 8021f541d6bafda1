"""Scenes in motion, drawn without end and without a file, to learn motion from before there are videos."""

from .dataset import MovingScenesDataset
from .filming import MOTIONS, OBJECT, film_scene

__all__ = ['MOTIONS', 'OBJECT', 'MovingScenesDataset', 'film_scene']
