from collections.abc import Sequence

import numpy as np

from .base import Video


class FrameArray(Video):
    """Frames that are in memory already, as of a camera, an array or a part of a longer video.

    Args:
        frames (sequence): RGB frames ``[H, W, 3]``, uint8, all of one size; or an array ``[T, H, W, 3]``.
        average_fps (float): Frames a second. Defaults to 25.
        times (sequence, optional): When each frame is shown ``[T]``, in seconds. Defaults to None, at equal distances.
        name (str): What messages call it. Defaults to ``'frames'``.

    Raises:
        ValueError: There is no frame, or they are no such frames; the message says what they are.
    """

    def __init__(
        self,
        frames: Sequence[np.ndarray] | np.ndarray,
        average_fps: float = 25.0,
        times: Sequence[float] | np.ndarray | None = None,
        name: str = 'frames',
    ) -> None:
        if not len(frames):
            raise ValueError('there are no frames')
        if not average_fps > 0:
            raise ValueError(f'fps={average_fps!r} must be positive')
        for i, frame in enumerate(frames):
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
                raise ValueError(
                    f'frame {i} is {frame.dtype} of shape {list(frame.shape)}; it must be RGB [H, W, 3] in uint8'
                )
            if frame.shape != frames[0].shape:
                raise ValueError(f'frame {i} is of shape {list(frame.shape)}, the first of {list(frames[0].shape)}')
        self.path = name
        self._frames = frames
        self.average_fps = float(average_fps)
        moments = np.arange(len(frames)) / self.average_fps if times is None else np.asarray(times, float)
        if moments.shape != (len(frames),):
            raise ValueError(f'times of shape {list(moments.shape)} must be one for each of the {len(frames)} frames')
        self.frame_times = moments - moments[0]

    def get_frames(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """See :meth:`Video.get_frames`. The frames are copies: transforms change them in place."""
        indices = [int(index) for index in indices]
        if indices and not 0 <= min(indices) <= max(indices) < len(self):
            raise IndexError(f'{self.path!r} has the frames 0 to {len(self) - 1}, and not all of {indices}')
        return [np.array(self._frames[index]) for index in indices]

    def close(self) -> None:
        """Do nothing: the frames are the caller's."""
