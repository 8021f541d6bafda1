"""Videos as transforms: opened, and decoded at the frames that were sampled."""

import time

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mmdualformer.errors import UserError
from mmdualformer.video import FrameFolder, Video, VideoError, open_video
from mmdualformer.video.decord_video import DecordVideo

READING_LIMIT = 60.0  # seconds
BLANK = np.zeros((256, 340, 3), np.uint8)  # a frame of what cannot be read
DECODERS = ('pyav', 'decord')


@TRANSFORMS.register_module()
class VideoInit(BaseTransform):
    """Open a video, as MMAction2's ``DecordInit`` does.

    Required key: ``filename``, a video file or a folder of numbered images, or ``video``, an open one. Added keys:
    ``video_reader`` (Video), ``total_frames``, ``avg_fps`` and ``frame_times`` (seconds after the first frame, of each
    frame). Optional keys: ``deadline`` (by ``time.monotonic``), ``frame_folder`` (arguments of ``FrameFolder``), and
    ``unreadable``, for which there is one blank frame. What has ``imgs`` already passes through, or an ``array`` of
    which they will be made.

    Args:
        decoder (str): ``'pyav'``, which gives the frames that FFmpeg shows, or ``'decord'``, which gives those that
            MMAction2 sees, also where they are others; what decord cannot open is left to PyAV. Defaults to ``'pyav'``.

    Raises:
        UserError: The decoder is unknown.
    """

    def __init__(self, decoder: str = 'pyav') -> None:
        if decoder not in DECODERS:
            raise UserError(f'decoder={decoder!r} must be one of {", ".join(DECODERS)}')
        self.decoder = decoder

    def transform(self, results: dict) -> dict:
        """Open ``results['filename']``, unless ``results['video']`` is open.

        Raises:
            VideoError: It cannot be read.
            TimeoutError: It took too long.
        """
        if 'imgs' in results or 'array' in results:
            return results
        if 'unreadable' in results:
            return dict(results, total_frames=1)
        video = results['video'] if 'video' in results else self._open(results)
        return dict(
            results,
            video_reader=video,
            total_frames=len(video),
            avg_fps=video.average_fps,
            frame_times=video.frame_times,
        )

    def _open(self, results: dict) -> Video:
        path = results['filename']
        if 'frame_folder' in results:
            return FrameFolder(path, **results['frame_folder'])
        left = _time_left(results)
        if self.decoder == 'decord':
            try:
                return DecordVideo(path, left and left / 2)
            except (VideoError, TimeoutError):
                left = _time_left(results)
        return open_video(path, left)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(decoder={self.decoder!r})'


@TRANSFORMS.register_module()
class VideoDecode(BaseTransform):
    """Decode frames, as MMAction2's ``DecordDecode`` does.

    Required keys: those of :class:`VideoInit` and ``frame_inds``. Added keys: ``imgs`` (list of RGB frames
    ``[H, W, 3]``, uint8), ``img_shape`` and ``original_shape``. Optional key: ``damage``, a list to which is added what
    is found to be damaged. What has ``imgs`` already passes through.
    """

    def transform(self, results: dict) -> dict:
        """Decode ``results['frame_inds']``, and close the video.

        Raises:
            VideoError: A frame cannot be decoded.
            TimeoutError: It took too long.
        """
        if 'imgs' in results:
            return results
        if 'unreadable' in results:
            frames = [BLANK.copy() for _ in np.ravel(results['frame_inds'])]
        else:
            frames = self._decode(results)
        shape = frames[0].shape[:2]
        return dict(results, imgs=frames, img_shape=shape, original_shape=shape, video_reader=None)

    @staticmethod
    def _decode(results: dict) -> list[np.ndarray]:
        video, indices = results['video_reader'], np.ravel(results['frame_inds'])
        try:
            with video:
                frames = video.get_frames(indices)
        except (VideoError, TimeoutError):
            if not isinstance(video, DecordVideo):
                raise
            with open_video(video.path, _time_left(results)) as video:
                frames = video.get_frames(np.minimum(indices, len(video) - 1))
        if video.damage and 'damage' in results:
            results['damage'].append(video.damage)
        return frames

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


def _time_left(results: dict) -> float | None:
    """Seconds until the deadline, or None where there is none."""
    return results['deadline'] - time.monotonic() if 'deadline' in results else None
