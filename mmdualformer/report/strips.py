"""Film strips: some frames of a clip, as small JPEG images within the page."""

import base64
import time
from dataclasses import dataclass, field

import cv2
import numpy as np

from mmdualformer.errors import printable
from mmdualformer.video import VideoError, open_video

FRAMES = 6
HEIGHT = 116  # pixels
WIDEST = 208  # pixels, of panoramas
QUALITY = 72  # of the JPEG images
CLIP_LIMIT = 20.0  # seconds to read a clip
TOTAL_LIMIT = 180.0  # seconds to read all clips
BUDGET = 1_600_000  # characters of all images


@dataclass
class Strip:
    """Some frames of a clip.

    Attributes:
        images (list): Data URIs of JPEG images.
        times (list): When each is shown, in seconds after the first frame of the clip.
        problem (str): Why there are none, ``''`` where there are.
    """

    images: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    problem: str = ''


class StripMaker:
    """Makes film strips, as long as their time and size are within limits."""

    def __init__(self) -> None:
        self.deadline = time.monotonic() + TOTAL_LIMIT
        self.size = 0

    def make(self, file: str | None) -> Strip:
        """Make the strip of a clip.

        Args:
            file (str, optional): A video file, or a folder of images; None where it is not known.
        """
        if file is None:
            return Strip(problem='the predictions do not name its file')
        if self.size > BUDGET:
            return Strip(problem='no frames, which would make the page too large')
        left = min(CLIP_LIMIT, self.deadline - time.monotonic())
        if left <= 0:
            return Strip(problem='no frames, as reading the clips before took too long')
        try:
            with open_video(file, left) as video:
                numbers = spread(len(video), FRAMES)
                frames = video.get_frames(numbers)
                times = [float(video.frame_times[number]) for number in numbers]
        except (VideoError, TimeoutError) as error:
            return Strip(problem=f'its frames cannot be read: {printable(getattr(error, "reason", error))}')
        images = [encode(frame) for frame in frames]
        self.size += sum(map(len, images))
        return Strip(images, times)


def spread(length: int, count: int) -> list[int]:
    """Numbers of frames over a whole clip, from the middles of as many equal parts."""
    return [(2 * i + 1) * length // (2 * count) for i in range(count)] if length > count else list(range(length))


def encode(frame: np.ndarray) -> str:
    """Make the data URI of a small JPEG image of an RGB frame ``[H, W, 3]``."""
    height, width = frame.shape[:2]
    scale = min(HEIGHT / height, WIDEST / width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    _, content = cv2.imencode('.jpg', small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return f'data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}'
