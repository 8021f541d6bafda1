"""Exact frames from video files and frame folders, with their times: no torch, no registry."""

from .base import Video
from .errors import VideoError
from .reader import open_video

__all__ = ['Video', 'VideoError', 'open_video']
