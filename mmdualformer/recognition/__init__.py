"""From videos to the names of what they show, in one way for all programs: as the test scores them."""

from .live import Stream
from .recognizer import Recognizer
from .results import Failure, Recognition
from .segments import Segment, find_segments

__all__ = ['Failure', 'Recognition', 'Recognizer', 'Segment', 'Stream', 'find_segments']
