"""A user's own videos, made into lists to train and test from."""

from .balancing import count_repeats, repeat
from .cleaning import leave_out_copies, leave_out_unreadable
from .fingerprints import find_near_duplicates
from .grouping import join_groups, name_groups
from .lists import count_classes, write_data_json, write_training_lists
from .sources import OwnVideos, find_videos, order_videos
from .splits import deal_folds, split
from .videos import Video

__all__ = [
    'OwnVideos',
    'Video',
    'count_classes',
    'count_repeats',
    'deal_folds',
    'find_near_duplicates',
    'find_videos',
    'join_groups',
    'leave_out_copies',
    'leave_out_unreadable',
    'name_groups',
    'order_videos',
    'repeat',
    'split',
    'write_data_json',
    'write_training_lists',
]
