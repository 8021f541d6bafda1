"""How time and memory grow: with the size of a clip, with the batch, and with the machines that train."""

from .growth import AXES, Growth, fit_growth, list_points
from .machines import Cluster, Link, Step, all_reduce_time, split_buckets, step_time
from .processes import Rounds, measure_processes

__all__ = [
    'AXES',
    'Cluster',
    'Growth',
    'Link',
    'Rounds',
    'Step',
    'all_reduce_time',
    'fit_growth',
    'list_points',
    'measure_processes',
    'split_buckets',
    'step_time',
]
