"""A user's own videos, made into lists to train and test from."""

from .cleaning import leave_out_copies, leave_out_unreadable
from .sources import OwnVideos, find_videos
from .splits import split, write_training_lists

__all__ = ['OwnVideos', 'find_videos', 'leave_out_copies', 'leave_out_unreadable', 'split', 'write_training_lists']
