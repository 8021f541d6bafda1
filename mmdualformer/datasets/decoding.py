"""Decoding that survives: several decoders for a file, and a time limit for what may hang."""

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import NoReturn

import av
import numpy as np
from mmaction.datasets.transforms import DecordDecode, DecordInit
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mmdualformer.errors import UserError
from mmdualformer.video import VideoError

READING_LIMIT = 60.  # seconds
VIDEO_SUFFIXES = ('.3gp', '.avi', '.flv', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.ts', '.webm', '.wmv')
BLANK = np.zeros((256, 340, 3), np.uint8)  # a frame of what cannot be read


class _Caller(threading.Thread):
    """Makes calls one after another, so that who asks for them can stop waiting."""

    def __init__(self) -> None:
        super().__init__(name='decoding', daemon=True)  # one that hangs does not keep the process from ending
        self.calls = SimpleQueue()
        self.start()

    def run(self) -> None:
        """Make calls until None comes."""
        while (call := self.calls.get()) is not None:
            function, args, outcome = call
            try:
                outcome.put((function(*args), None))
            except Exception as error:
                outcome.put((None, error))
            del call, function, args, outcome  # they hold files


_local = threading.local()


def call_within(seconds: float, function: Callable, *args) -> object:
    """Call a function, and give up on it when it takes too long.

    It runs in another thread, which is kept for the next call: a new one each time would be slower. One that does not
    return stays behind, as a decoder that waits in C code cannot be stopped.

    Args:
        seconds (float): Time limit.
        function (Callable): What to call.
        *args: Its arguments.

    Returns:
        object: What it returns; what it raises is raised.

    Raises:
        TimeoutError: It took too long.
    """
    caller = getattr(_local, 'caller', None)
    if caller is None or not caller.is_alive():  # as after a fork
        caller = _local.caller = _Caller()
    outcome = SimpleQueue()
    caller.calls.put((function, args, outcome))
    try:
        result, error = outcome.get(timeout=seconds)
    except Empty:
        caller.calls.put(None)
        _local.caller = None
        raise TimeoutError(f'no answer within {seconds:g} s') from None
    if error is not None:
        raise error
    return result


def _last_line(error: Exception) -> str:
    """What an error says, without the error, whose traceback would hold the file."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip()


def upright_pixels(frame: av.VideoFrame) -> np.ndarray:
    """The RGB pixels ``[H, W, 3]`` of a frame that may be stored lying on its side, as telephones store them."""
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format='rgb24'), frame.rotation // 90))


class _DecordInit(DecordInit):
    """MMAction2's, but for files in which decord takes other frames for those that are asked for.

    Those are mp4 files cut without encoding, with frames before the cut that an edit list hides, and avi files with
    B-frames, whose container has no presentation times.
    """

    def transform(self, results: dict) -> dict:
        """Open the file.

        Raises:
            ValueError: Its first frame has a negative time, as hidden ones do, or none, which decord gives as one.
        """
        results = super().transform(results)
        if results['video_reader'].get_frame_timestamp([0])[0, 0] < 0:
            raise ValueError('its frames are hidden or have no times')
        return results


class _PyAVInit(BaseTransform):
    """Count the frames of a video with PyAV; MMAction2's cannot where the container does not say how many it has."""

    def transform(self, results: dict) -> dict:
        """Add ``total_frames`` and ``video_reader``, which is None: decoding opens the file again."""
        with _open(results['filename']) as container:
            stream = container.streams.video[0]
            # Matroska, MPEG-TS and others say 0
            total = stream.frames or sum(packet.size > 0 for packet in container.demux(stream))
        return dict(results, video_reader=None, total_frames=total)


class _PyAVDecode(BaseTransform):
    """Decode frames with PyAV, upright as decord's, and without others in the place of missing ones.

    Only the last of all is the one before it where encoders have dropped it, and containers count it still.
    """

    def transform(self, results: dict) -> dict:
        """Decode ``results['frame_inds']``.

        Raises:
            av.FFmpegError, ValueError: One is damaged, or not there.
        """
        wanted = np.ravel(results['frame_inds']).tolist()
        last = max(wanted)
        images = {}
        index = -1
        with _open(results['filename']) as container:
            for index, frame in enumerate(container.decode(video=0)):
                if index in wanted:
                    images[index] = upright_pixels(frame)
                if index == last:
                    break
        if index == last - 1 == results['total_frames'] - 2:
            images[last] = upright_pixels(frame)
        if last not in images:
            raise ValueError(f'there is no frame {last}')
        shape = images[wanted[0]].shape[:2]
        return dict(results, imgs=[images[index] for index in wanted], img_shape=shape, original_shape=shape)


def _open(filename: str) -> av.container.InputContainer:
    """Open a video with PyAV; all its frames count, also those that an edit list hides."""
    container = av.open(filename, options={'ignore_editlist': '1'})
    if not container.streams.video:
        raise ValueError('no video stream')
    container.streams.video[0].codec_context.thread_count = 1  # files are decoded in parallel
    return container


# OpenCV is none of them: it reads nothing that these do not, puts earlier frames in the place of missing ones, and on
# some files never ends
DECODERS = {'decord': (_DecordInit, DecordDecode), 'pyav': (_PyAVInit, _PyAVDecode)}


class _Decoding(BaseTransform):
    """What opening and decoding have in common.

    Args:
        decoders (sequence): Names in ``DECODERS``, in the order in which they are tried.

    Raises:
        UserError: A decoder is unknown.
    """

    def __init__(self, decoders: Sequence[str] = tuple(DECODERS)) -> None:
        unknown = [name for name in decoders if name not in DECODERS]
        if unknown or not decoders:
            raise UserError(f'decoders={decoders} must be of {", ".join(DECODERS)}')
        self.decoders = tuple(decoders)
        self.steps = {name: tuple(step() for step in DECODERS[name]) for name in decoders}

    def open(self, results: dict, decoder: str) -> dict:
        """Open a file with one decoder."""
        init, _ = self.steps[decoder]
        results = init(results)
        if results['total_frames'] < 1:
            raise ValueError('no frames')
        return dict(results, decoder=decoder)

    def decode(self, results: dict) -> dict:
        """Decode the frames that are wanted, with the decoder that has opened the file."""
        _, decode = self.steps[results['decoder']]
        return decode(results)

    @staticmethod
    def fail(results: dict, errors: dict[str, str]) -> NoReturn:
        """Raise a VideoError with what each decoder said."""
        reason = '; '.join(f'{name}: {said}' for name, said in errors.items())
        raise VideoError(f'video {results["filename"]!r} cannot be read: {reason}', reason)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(decoders={self.decoders})'


@TRANSFORMS.register_module()
class VideoInit(_Decoding):
    """Open a video with the first decoder that can, as MMAction2's ``DecordInit`` does with decord.

    Required key: ``filename``. Added keys: ``video_reader``, ``total_frames``, ``avg_fps`` (decord only) and
    ``decoder``. A video that the data set marks ``unreadable`` has one blank frame.
    """

    def transform(self, results: dict) -> dict:
        """Open ``results['filename']``.

        Raises:
            VideoError: No decoder can.
        """
        if 'unreadable' in results:
            return dict(results, total_frames=1)
        errors = {}
        for decoder in self.decoders:
            try:
                return self.open(results, decoder)
            except Exception as error:  # decoders raise what they like
                errors[decoder] = _last_line(error)
        self.fail(results, errors)


@TRANSFORMS.register_module()
class VideoDecode(_Decoding):
    """Decode frames, as MMAction2's ``DecordDecode`` does; what one decoder cannot, the next ones try.

    Required keys: those of :class:`VideoInit` and ``frame_inds``. Added keys: ``imgs`` (list of RGB frames
    ``[H, W, 3]``, uint8), ``img_shape`` and ``original_shape``.
    """

    def transform(self, results: dict) -> dict:
        """Decode ``results['frame_inds']``.

        Raises:
            VideoError: No decoder can.
        """
        if 'unreadable' in results:
            frames = [BLANK.copy() for _ in results['frame_inds']]
            return dict(results, imgs=frames, img_shape=BLANK.shape[:2], original_shape=BLANK.shape[:2])
        errors = {}
        opened = results['decoder']
        for decoder in (opened, *(name for name in self.decoders if name != opened)):
            try:
                if decoder != opened:
                    reopened = self.open({'filename': results['filename']}, decoder)
                    results = dict(results, **reopened, frame_inds=results['frame_inds'] % reopened['total_frames'])
                return self.decode(results)
            except Exception as error:
                errors[decoder] = _last_line(error)
        self.fail(results, errors)
