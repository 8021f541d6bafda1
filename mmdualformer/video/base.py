from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

Opened = TypeVar('Opened', bound='Video')
AT_ONCE = 16  # frames that are read together where frames are read one after the other


class Video(ABC):
    """Frames that are asked for by their numbers, from 0 in the order in which they are shown.

    Attributes:
        path (str): The file or folder.
        frame_times (np.ndarray): When each frame is shown ``[N]``, in seconds after the first one.
        average_fps (float): Frames a second.
        damage (str): What was found to be damaged so far, ``''`` while nothing was.
    """

    path: str
    frame_times: np.ndarray
    average_fps: float
    damage: str = ''

    def __len__(self) -> int:
        return len(self.frame_times)

    @property
    def duration(self) -> float:
        """Seconds that the frames are shown, the last one as long as those before it."""
        count, last = len(self), float(self.frame_times[-1])
        return last * count / (count - 1) if count > 1 and last > 0 else count / self.average_fps

    @abstractmethod
    def get_frames(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Decode frames.

        Args:
            indices (sequence): Numbers of frames, in any order, also repeated.

        Returns:
            list: RGB frames ``[H, W, 3]``, uint8, one for each number.

        Raises:
            IndexError: There is no such frame.
            VideoError: It cannot be decoded.
            TimeoutError: The time is over.
        """

    def iterate_frames(self) -> Iterator[np.ndarray]:
        """Yield all frames, one after the other, and keep none of them.

        Raises:
            VideoError: One cannot be decoded.
            TimeoutError: The time is over.
        """
        for start in range(0, len(self), AT_ONCE):
            yield from self.get_frames(range(start, min(start + AT_ONCE, len(self))))

    @abstractmethod
    def close(self) -> None:
        """Close what is open. Calling it again does nothing."""

    def __enter__(self: Opened) -> Opened:
        return self

    def __exit__(self, *_) -> None:
        self.close()
