"""Exact frames from video files and frame folders, with their times: no torch, no registry."""

from .base import Video
from .errors import VideoError
from .frame_array import FrameArray
from .frame_folder import FrameFolder
from .reader import VideoFile, open_video

__all__ = ['FrameArray', 'FrameFolder', 'Video', 'VideoError', 'VideoFile', 'open_video']
