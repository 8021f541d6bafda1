"""Features of videos: what a model makes of them before it names a class."""

from .extraction import LEVELS, Extractor, Features
from .writing import SUFFIXES, FeatureTable, write_features

__all__ = ['LEVELS', 'SUFFIXES', 'Extractor', 'FeatureTable', 'Features', 'write_features']
