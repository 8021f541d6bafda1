"""Videos, written as H.264."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_h264(path: str | Path, frames: Sequence[np.ndarray], fps: float, container: str | None = None) -> None:
    """Encode RGB frames as H.264, which wants even sides: of odd ones the last row or column is left out.

    Args:
        path (str or Path): The file.
        frames (sequence): RGB, uint8, ``[H, W, 3]`` each, of one size of at least 2 x 2.
        fps (float): Frames a second.
        container (str, optional): FFmpeg's name of the format, such as ``'mp4'``. Defaults to None, that of the file's
            ending.
    """
    height, width = (side // 2 * 2 for side in frames[0].shape[:2])
    with av.open(str(path), 'w', format=container) as file:
        stream = file.add_stream('libx264', rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        for frame in frames:
            pixels = np.ascontiguousarray(frame[:height, :width])
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        file.mux(stream.encode())
