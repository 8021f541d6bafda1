"""From data sets as their owners distribute them to what MMAction2's configs expect."""

from .charades import read_charades
from .check import check_videos
from .counts import CLASSES, VIDEOS, compare_with_published
from .diving48 import read_diving48
from .encode import resize_splits, resize_videos
from .hmdb51 import read_hmdb51
from .kinetics import read_kinetics
from .layout import Split, check_targets, link_folders
from .lists import write_lists
from .something_something import read_something_something
from .ucf101 import read_ucf101

READERS = {
    'kinetics400': read_kinetics,
    'kinetics600': read_kinetics,
    'kinetics700': read_kinetics,
    'diving48': read_diving48,
    'hmdb51': read_hmdb51,
    'ucf101': read_ucf101,
    'sthv2': read_something_something,
    'charades': read_charades,
}

__all__ = [
    'CLASSES',
    'READERS',
    'VIDEOS',
    'Split',
    'check_targets',
    'check_videos',
    'compare_with_published',
    'link_folders',
    'resize_splits',
    'resize_videos',
    'write_lists',
]
