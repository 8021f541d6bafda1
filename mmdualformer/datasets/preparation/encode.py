"""Videos encoded again, to be read fast in training."""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType

from mmdualformer.errors import UserError
from mmdualformer.files import partial_path, write_atomically
from mmdualformer.video import VideoFile
from mmdualformer.video.pixels import UPRIGHT, upright

from .check import find_broken
from .layout import Split

SHORT_SIDE = 256
CLOCK = Fraction(1, 90_000)  # seconds; the unit of frames' times where their rate varies
# A clip is decoded from the key frame before it, so key frames are frequent; fastdecode leaves out of H.264 what costs
# most to decode, CABAC and the deblocking filter. Both cost size: about a quarter more than x264's ordinary settings.
OPTIONS = {'preset': 'medium', 'crf': '24', 'g': '16', 'tune': 'fastdecode'}


def resize_video(source: Path, target: Path) -> None:
    """Encode a video in H.264 for training: all its frames, at their times, without audio.

    The short side becomes 256 pixels, or stays if it is shorter; the sides are even, as H.264 wants them. Frames that
    are stored lying on their side are turned upright.

    Args:
        source (Path): The video.
        target (Path): The mp4 file to write, which appears when it is complete. If it is there, it stays.

    Raises:
        VideoError: It cannot be opened, or something in it is damaged.
    """
    if target.exists():
        return
    with write_atomically(target) as partial:
        _encode(source, partial)


def resize_videos(targets: dict[Path, Path], workers: int) -> dict[Path, str]:
    """Encode videos with :func:`resize_video`, in parallel.

    Args:
        targets (dict): The file to write for each video.
        workers (int): Processes.

    Returns:
        dict: The broken videos, and what is wrong with each.
    """
    try:
        broken = find_broken(_resize_pair, list(targets.items()), 'resizing', workers)
    finally:  # a process that is killed leaves its file
        for target in targets.values():
            partial_path(target).unlink(missing_ok=True)
    return {source: reason for (source, _), reason in broken.items()}


def resize_splits(splits: Iterable[Split], out: Path, workers: int) -> tuple[list[Split], dict[Path, str]]:
    """Encode all videos of a data set with :func:`resize_videos`.

    Args:
        splits (iterable): What to encode.
        out (Path): The folder to write to, in the same layout. What is complete there stays.
        workers (int): Processes.

    Returns:
        tuple: The splits of the new data set, and the broken videos, which it lacks, with what is wrong with each.

    Raises:
        UserError: Two videos differ in their ending only, and so would become one.
    """
    targets = {
        split.source / video: out / split.folder / _resized(video) for split in splits for video, _ in split.samples
    }
    sources = {target: source for source, target in targets.items()}
    for source, target in targets.items():
        if sources[target] != source:
            raise UserError(f'{source} and {sources[target]} would both become {target}; rename one')
    broken = resize_videos(targets, workers)
    resized = []
    for split in splits:
        samples = [(_resized(video), labels) for video, labels in split.samples if split.source / video not in broken]
        resized.append(replace(split, source=out / split.folder, samples=samples))
    return resized, broken


def _resize_pair(pair: tuple[Path, Path]) -> None:
    resize_video(*pair)


def _resized(video: str) -> str:
    return Path(video).with_suffix('.mp4').as_posix()


def _encode(source: Path, target: Path) -> None:
    with (
        VideoFile(str(source)) as video,
        av.open(str(target), 'w', format='mp4', options={'movflags': 'faststart'}) as container,
    ):
        rate = Fraction(video.average_fps).limit_denominator(1001)
        steady = np.abs(np.diff(video.frame_times) * video.average_fps - 1).max(initial=0) < 0.1
        stream = container.add_stream('libx264', rate=rate, options=OPTIONS)
        stream.codec_context.thread_count = 1  # files are encoded in parallel
        for index, frame in enumerate(video.decode_all()):
            turn = upright(frame)
            if turn != UPRIGHT:
                pixels = turn.apply(frame.to_ndarray(format='rgb24'))
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format='rgb24')
            if index == 0:
                scale = min(SHORT_SIDE / min(frame.width, frame.height), 1)
                stream.width, stream.height = (2 * round(side * scale / 2) for side in (frame.width, frame.height))
                stream.pix_fmt = 'yuvj420p' if frame.format.name.startswith('yuvj') else 'yuv420p'  # j: full range
                stream.codec_context.colorspace = frame.colorspace
                if not steady:
                    stream.codec_context.time_base = CLOCK
            frame = frame.reformat(stream.width, stream.height, stream.pix_fmt, interpolation='BICUBIC')
            frame.pts, frame.time_base = (
                (index, 1 / rate) if steady else (round(video.frame_times[index] / CLOCK), CLOCK)
            )
            frame.pict_type = PictureType.NONE  # or the encoder would keep the key frames of the source
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
