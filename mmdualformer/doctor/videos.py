"""Decoders, each on clips that are made here: whether the frames that come out are those that went in."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from .running import FAULT, OK, Result, first_line, pip

SIZE, FRAMES = 64, 24
ASKED = (17, 3, 4, 23, 0)  # frames, out of order as training asks for them
TOLERANCE = 12  # levels of 255, by which an encoder changes a plain colour; frames differ by more from each other
# what -> the ending of its files, the encoders that can make it, and their options
FORMATS: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
    'H.264': ('.mp4', ('libx264', 'libopenh264', 'h264'), {}),
    'VP9': ('.webm', ('libvpx-vp9',), {'deadline': 'realtime', 'cpu-used': '8'}),
    'MPEG-4': ('.avi', ('mpeg4',), {'qscale': '2', 'flags': '+qscale'}),
    'AV1': ('.mp4', ('libaom-av1', 'libsvtav1'), {'cpu-used': '8'}),
}


def _colors(number: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """RGB of the left and right half of a frame, both of which change from frame to frame."""
    return (40 + 7 * number, 60, 60), (60, 60, 210 - 7 * number)


def _write(path: Path, encoders: Sequence[str], options: dict[str, str]) -> bool:
    """Encode the frames; tells whether there is an encoder."""
    import av
    import numpy as np

    name = next((name for name in encoders if name in av.codecs_available and _can_write(name)), None)
    if name is None:
        return False
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(name, rate=24, options=options if name != 'libsvtav1' else {})
        stream.width = stream.height = SIZE
        stream.pix_fmt = 'yuv420p'
        for number in range(FRAMES):
            pixels = np.empty((SIZE, SIZE, 3), np.uint8)
            pixels[:, : SIZE // 2], pixels[:, SIZE // 2 :] = _colors(number)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format='rgb24')))
        container.mux(stream.encode(None))
    return True


def _can_write(name: str) -> bool:
    import av

    try:
        av.codec.Codec(name, 'w')
    except ValueError:
        return False
    return True


def _read_pyav(path: Path) -> list:
    import av

    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
    return [frames[number] for number in ASKED]


def _read_ours(path: Path) -> list:
    from mmdualformer.video import open_video

    with open_video(str(path)) as video:
        return video.get_frames(ASKED)


def _read_opencv(path: Path) -> list:
    import cv2

    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    return [frames[number] for number in ASKED]


def _read_decord(path: Path) -> list:
    import decord

    reader = decord.VideoReader(io.BytesIO(path.read_bytes()), num_threads=1)  # from memory, as MMAction2 does
    return list(reader.get_batch(list(ASKED)).asnumpy())


def _check(name: str, read: Callable[[Path], list], must: Sequence[str], mend: str) -> Iterator[Result]:
    right: list[str] = []
    wrong: dict[str, str] = {}
    no_encoder: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, (ending, encoders, options) in FORMATS.items():
            path = Path(folder, f'clip{len(right) + len(wrong)}{ending}')
            if not _write(path, encoders, options):
                no_encoder.append(kind)
                continue
            try:
                error = _compare(read(path))
            except ImportError:
                raise
            except Exception as caught:
                error = first_line(caught) or type(caught).__name__
            if error:
                wrong[kind] = error
            else:
                right.append(kind)
    for kind in wrong:
        if kind in must:
            yield Result(name, FAULT, f'{kind}: {wrong.pop(kind)}', mend)
            return
    text = f'right frames of {", ".join(right)}'
    text += f'; not of {", ".join(wrong)}, as known' if wrong else ''
    text += f'; no encoder to try {", ".join(no_encoder)} with' if no_encoder else ''
    yield Result(name, OK, text)


def _compare(frames: list) -> str:
    """What is wrong with the frames that were asked for, or nothing."""
    for number, frame in zip(ASKED, frames):
        for half, expected in zip((frame[:, 4 : SIZE // 2 - 4], frame[:, SIZE // 2 + 4 : -4]), _colors(number)):
            mean = half.reshape(-1, 3).mean(0)
            if abs(mean - expected).max() > TOLERANCE:
                color = ', '.join(f'{value:.0f}' for value in mean)
                return f'frame {number} has the colour ({color}), and {expected} was encoded'
    return ''


ALL = tuple(FORMATS)
DECODERS = tuple(
    (name, partial(_check, name, read, must, mend), mend)
    for name, read, must, mend in (
        ('PyAV', _read_pyav, ALL, pip("install --force-reinstall 'av>=17.1'")),
        ('mmdualformer.video', _read_ours, ALL, pip("install --force-reinstall 'av>=17.1'")),
        ('OpenCV', _read_opencv, ('H.264',), pip('install --force-reinstall --no-deps opencv-contrib-python-headless')),
        ('decord', _read_decord, ('H.264',), pip('install --force-reinstall --no-deps decord')),
    )
)
