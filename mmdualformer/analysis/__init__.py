from .classes import compare_classes
from .cost import Cost, count_cost, split_cost
from .ensemble import average_scores, evaluate_scores, load_predictions
from .memory import PeakMemory
from .scorer import as_scorer, build_scorer, clip_shape, find_test_pipeline
from .speed import median_times

__all__ = [
    'Cost',
    'PeakMemory',
    'as_scorer',
    'average_scores',
    'build_scorer',
    'clip_shape',
    'compare_classes',
    'count_cost',
    'evaluate_scores',
    'find_test_pipeline',
    'load_predictions',
    'median_times',
    'split_cost',
]
