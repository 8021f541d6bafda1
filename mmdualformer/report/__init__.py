"""What a model is worth, on one page: accuracy with intervals, confusions, mistakes and calibration."""

from .predictions import PredictionsKeeper
from .runs import find_work_dirs
from .writing import write_report

__all__ = ['PredictionsKeeper', 'find_work_dirs', 'write_report']
