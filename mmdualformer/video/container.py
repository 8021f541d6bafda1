"""Opening a file with FFmpeg such that nothing but this file is read."""

import os
from pathlib import Path

import av

from .files import check_regular

# Demuxers of files that are videos themselves. Those that are not here are lists of other files or addresses, such as
# HLS, DASH, SDP and concat scripts, devices, audio, subtitles and single images. FFmpeg takes an alias for the demuxer.
DEMUXERS = ('mov', 'matroska', 'avi', 'mpegts', 'mpeg', 'mpegvideo', 'flv', 'live_flv', 'kux', 'asf', 'ogg', 'gif',
            'apng', 'rm', 'mxf', 'mxf_opatom', 'gxf', 'dv', 'nut', 'nuv', 'nsv', 'ivf', 'obu', 'av1', 'h261', 'h263',
            'h264', 'hevc', 'vvc', 'm4v', 'mjpeg', 'dirac', 'vc1', 'vc1test', 'cavsvideo', 'wtv', 'yuv4mpegpipe',
            'swf', 'bink', 'smk', 'roq', 'flic', '4xm', 'film_cpk', 'avs', 'avs2', 'avs3', 'rpl', 'pva', 'mtv', 'lxf')
OPTIONS = {'protocol_whitelist': 'file', 'format_whitelist': ','.join(DEMUXERS)}


def open_container(path: str, time_limit: float | None = None) -> av.container.InputContainer:
    """Open a video file.

    Args:
        path (str): A regular file.
        time_limit (float, optional): Seconds that opening it, and each later read, may take.

    Raises:
        av.FFmpegError: It is no video that FFmpeg knows.
        VideoError: It is no regular file, or has no video stream that can be decoded.
    """
    check_regular(path)
    timeout = None if time_limit is None else max(time_limit, 1e-3)
    # with the protocol, a colon in the name is no protocol
    return av.open(f'file:{os.path.abspath(path)}', options=OPTIONS, timeout=timeout)
