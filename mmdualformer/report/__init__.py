"""What a model is worth, on one page: accuracy with intervals, confusions, mistakes, calibration, and how it was made."""

from .predictions import PredictionsKeeper
from .writing import write_report

__all__ = ['PredictionsKeeper', 'write_report']
