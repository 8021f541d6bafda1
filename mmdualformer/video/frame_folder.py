import os
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from .base import Video
from .errors import VideoError
from .files import check_regular, list_frames, unreadable

Result = TypeVar('Result')

FORMATS = ('BMP', 'JPEG', 'PNG', 'WEBP')  # others start programs, such as EPS


class FrameFolder(Video):
    """A folder of numbered images as a video, decoded as they are asked for.

    Grey images, palettes and 16 bits become 8-bit RGB, alpha is dropped, and images of telephones are turned upright.

    Args:
        path (str): The folder.
        average_fps (float): Frames a second, which images do not tell. Defaults to 25, as FFmpeg takes them.
        filename_tmpl (str, optional): Which images, such as ``img_{:05}.jpg``. Defaults to None, all in the folder.
        offset (int): Images to leave out at the start. Defaults to 0.
        total_frames (int, optional): Frames of the video. Defaults to None, all that are there.

    Raises:
        VideoError: There are no numbered images, or fewer than the video has.

    Example:
        >>> with FrameFolder('frames/jump') as video:
        ...     first, last = video.get_frames([0, len(video) - 1])  # [H, W, 3], uint8
    """

    def __init__(
        self,
        path: str,
        average_fps: float = 25.0,
        filename_tmpl: str | None = None,
        offset: int = 0,
        total_frames: int | None = None,
    ) -> None:
        self.path = str(path)
        names = list_frames(path, filename_tmpl)
        stop = len(names) if total_frames is None else offset + total_frames
        if not offset < stop <= len(names):
            raise unreadable(path, f'{len(names)} images, where frames {offset} to {stop - 1} are wanted')
        self.names = names[offset:stop]
        self.average_fps = average_fps
        self.frame_times = np.arange(len(self.names)) / average_fps
        self._size: tuple[int, int] | None = None  # of the first image

    def get_frames(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Decode frames.

        Args:
            indices (sequence): Numbers of frames, in any order, also repeated.

        Returns:
            list: RGB frames ``[H, W, 3]``, uint8, one for each number, none of which shares memory with another.

        Raises:
            IndexError: There is no such frame.
            VideoError: An image is damaged, or of another size than the first of the folder.
        """
        decoded: dict[int, np.ndarray] = {}
        frames = []
        for index in map(int, indices):
            if not 0 <= index < len(self):
                raise IndexError(f'{self.path!r} has no frame {index}; it has 0 to {len(self) - 1}')
            if index in decoded:
                frames.append(decoded[index].copy())
                continue
            decoded[index] = self._decode(index)
            frames.append(decoded[index])
        return frames

    def close(self) -> None:
        """Do nothing: images are open only while they are read."""

    def _decode(self, index: int) -> np.ndarray:
        if self._size is None:
            self._size = self._read(0, _upright_size)
        pixels = self._read(index, _to_rgb)
        height, width = pixels.shape[:2]
        if (width, height) != self._size:
            raise unreadable(
                self.path,
                f'{self.names[index]} has {width} x {height} pixels, {self.names[0]} {self._size[0]} x {self._size[1]}',
            )
        return pixels

    def _read(self, index: int, function: Callable[[Image.Image], Result]) -> Result:
        """Call a function with an image, whose pixels are not decoded yet."""
        name = self.names[index]
        path = os.path.join(self.path, name)
        try:
            check_regular(path)
            with Image.open(path, formats=FORMATS) as image:
                return function(image)
        except VideoError as error:
            raise unreadable(self.path, f'{name}: {error.reason}') from None
        except UnidentifiedImageError:
            raise unreadable(self.path, f'{name}: no image of {", ".join(FORMATS)}') from None
        except Exception as error:  # decoders raise what they like
            raise unreadable(self.path, f'{name}: {error}') from None


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height as it is shown."""
    lies = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    return image.size[::-1] if lies else image.size


def _to_rgb(image: Image.Image) -> np.ndarray:
    """The pixels ``[H, W, 3]``, uint8, upright, which may be written to."""
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith('I'):  # grey of 16 bits
        return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., None], 3, axis=-1)
    return np.array(image if image.mode == 'RGB' else image.convert('RGB'))
