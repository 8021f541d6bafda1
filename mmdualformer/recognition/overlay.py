"""Pictures of what is recognised: names, bars and the time in the frames of a video."""

import math
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

from mmdualformer.errors import printable
from mmdualformer.files import write_atomically

from .results import Recognition
from .segments import Segment, clock

BARS = 3  # classes that have a bar
LEAST_SIZE = 256  # pixels of a frame's shorter side; smaller ones are enlarged, or no name could be read in them
TICKS = 90_000  # a second; of MPEG, a multiple of all usual rates
ENCODERS = ('libx264', 'libopenh264', 'h264_videotoolbox', 'mpeg4')  # the first that FFmpeg has here
LINE = 24  # lines of text that a frame's shorter side has room for
SHADE, BAR, INK, DIM = (0, 0, 0, 170), (46, 134, 222, 200), (255, 255, 255, 255), (200, 200, 200, 255)


@dataclass(frozen=True)
class Caption:
    """What is written into a frame.

    Attributes:
        shown (str): What is recognised there, ``''`` for nothing.
        names (tuple): The likeliest classes.
        scores (tuple): Their probabilities.
    """

    shown: str = ''
    names: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()

    @classmethod
    def of(cls, result: Recognition, segments: Sequence[Segment]) -> 'Caption':
        """Make a caption of the probabilities of a moment, and the segments that it is in."""
        shown = ', '.join(f'{segment.name} {segment.score * 100:.0f} %' for segment in segments)
        return cls(shown, result.names[:BARS], result.scores[:BARS])


class Painter:
    """Writes captions into frames.

    Names are drawn in any script that a font of this machine has. Characters that none has are drawn as escapes, such
    as ``\\u6b63``, and said to be so once.

    Args:
        say (callable): Is given that line. Defaults to nothing.
    """

    def __init__(self, say: Callable[[str], None] = lambda line: None) -> None:
        self._say = say
        self._has_said = False
        self._fonts: dict[str, tuple[str, str]] = {}  # what is drawn of a text, and in which font
        self._panel: tuple[tuple, tuple[np.ndarray, np.ndarray]] | None = None

    def __call__(self, frame: np.ndarray, caption: Caption, seconds: float) -> np.ndarray:
        """Write a caption into a frame.

        Args:
            frame (np.ndarray): RGB ``[H, W, 3]``, uint8.
            caption (Caption): What is written.
            seconds (float): The time that is written.

        Returns:
            np.ndarray: Another frame; a whole number of times larger if the frame is small.
        """
        times = math.ceil(LEAST_SIZE / min(frame.shape[:2]))
        image = frame.repeat(times, 0).repeat(times, 1) if times > 1 else frame.copy()
        key = (image.shape, caption, clock(seconds))
        if self._panel is None or self._panel[0] != key:
            self._panel = key, self._draw(image.shape[1], max(12, min(image.shape[:2]) // LINE), caption, key[2])
        shade, light = (part[: image.shape[0]] for part in self._panel[1])
        under = image[: shade.shape[0], : shade.shape[1]]
        under[:] = (under * shade + light) >> 8
        return image

    def _draw(self, width: int, size: int, caption: Caption, time: str) -> tuple[np.ndarray, np.ndarray]:
        """Draw the panel with text of a size in pixels.

        Returns:
            tuple: How much of a frame is left under it ``[h, w, 1]``, and what is added ``[h, w, 3]``, in 256ths.
        """
        width = min(width, 26 * size)
        line, edge = round(1.4 * size), size // 3
        panel = Image.new('RGBA', (width, line * (1 + len(caption.names)) + edge), SHADE)
        draw = ImageDraw.Draw(panel)
        font = _font(_latin(), size)
        draw.text((edge, line // 2), time, DIM, font, anchor='lm')
        begin = 2 * edge + max(4 * size, math.ceil(draw.textlength(time, font)))
        self._write(draw, (begin, line // 2), caption.shown or '-', width - begin - edge, size)
        for row, (name, score) in enumerate(zip(caption.names, caption.scores), 1):
            top = row * line
            full = width - 5 * size - edge
            draw.rectangle((edge, top + 1, edge + round(full * min(max(score, 0.0), 1.0)), top + line - 2), BAR)
            self._write(draw, (2 * edge, top + line // 2), name, full - 2 * edge, size)
            draw.text((width - edge, top + line // 2), f'{score * 100:.1f} %', INK, font, anchor='rm')
        pixels = np.array(panel).astype(np.uint16)
        share = pixels[..., 3:]
        return 256 - share, pixels[..., :3] * share

    def _write(self, draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, room: int, size: int) -> None:
        """Write a text, or as much of it as there is room for, and then dots."""
        text, path = self._readable(printable(text))
        font = _font(path, size)
        if draw.textlength(text, font) > room:
            while text and draw.textlength(f'{text}…', font) > room:
                text = text[:-1]
            text += '…'
        draw.text(place, text, INK, font, anchor='lm')

    def _readable(self, text: str) -> tuple[str, str]:
        """What can be drawn of a text, and the font that does."""
        if text not in self._fonts:
            missing = set(map(ord, text)) - _characters(_latin())
            drawn, path = text, _find_font(frozenset(map(ord, text))) if missing else _latin()
            if path is None:
                drawn, path = ''.join(_escape(char) if ord(char) in missing else char for char in text), _latin()
                if not self._has_said:
                    self._has_said = True
                    self._say(f'warning: no font here has all characters of {text!r}; those are drawn as escapes')
            self._fonts[text] = drawn, path
        return self._fonts[text]


class OverlayVideo:
    """An H.264 file (mp4) that is written frame by frame, and is there when it is closed.

    Args:
        path (Path): The file.
        rate (float): Frames a second, as far as it is known. Each frame is shown from its own time on.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self._path = path
        self._rate = rate
        self._stack = ExitStack()
        self._container: av.container.OutputContainer | None = None
        self._stream: av.VideoStream
        self._latest = -1
        self._is_closed = False
        self._lock = threading.Lock()  # a stream's frames come from a thread of their own

    def write(self, seconds: float, frame: np.ndarray) -> None:
        """Add a frame ``[H, W, 3]``, RGB, uint8; all have the size of the first one. Does nothing when it is closed."""
        with self._lock:
            if self._is_closed:
                return
            if self._container is None:
                self._open(*frame.shape[:2])
            assert self._container is not None
            rows, columns = frame.shape[0] % 2, frame.shape[1] % 2
            if rows or columns:  # H.264 in its usual form has even sizes
                frame = np.pad(frame, ((0, rows), (0, columns), (0, 0)), 'edge')
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format='rgb24')
            picture.pts = self._latest = max(round(seconds * TICKS), self._latest + 1)
            picture.time_base = Fraction(1, TICKS)
            picture.duration = round(TICKS / self._rate)
            self._container.mux(self._stream.encode(picture))

    def close(self, keep: bool = True) -> bool:
        """Finish the file.

        Args:
            keep (bool): Put it in its place. Defaults to True.

        Returns:
            bool: Whether there is one.
        """
        with self._lock:
            if self._is_closed:
                return False
            self._is_closed = True
            if self._container is None:
                return False
            try:
                if keep:
                    self._container.mux(self._stream.encode(None))
                self._container.close()
            except BaseException as error:
                self._stack.__exit__(type(error), error, error.__traceback__)
                raise
            if keep:
                self._stack.close()
            else:
                self._stack.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
            return keep

    def _open(self, height: int, width: int) -> None:
        partial = self._stack.enter_context(write_atomically(self._path))
        self._container = av.open(str(partial), 'w', format='mp4')
        encoder = next(name for name in ENCODERS if name in av.codecs_available)
        options = dict(crf='23', preset='veryfast') if encoder == 'libx264' else {}
        rate = Fraction(self._rate).limit_denominator(1001)
        stream = self._container.add_stream(encoder, rate=rate, options=options)
        assert isinstance(stream, av.VideoStream)
        self._stream = stream
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = 'yuv420p'
        self._stream.codec_context.time_base = Fraction(1, TICKS)


class Stills:
    """A folder of annotated pictures, one of each segment.

    Args:
        folder (Path): Where they go.
        painter (Painter): What writes into them.
    """

    def __init__(self, folder: Path, painter: Painter) -> None:
        self._folder = folder
        self._painter = painter
        self._names: set[str] = set()

    def write(self, source: str, segment: Segment, seconds: float, frame: np.ndarray) -> Path:
        """Write the picture of a segment.

        Args:
            source (str): The video.
            segment (Segment): What it shows.
            seconds (float): When the frame is shown.
            frame (np.ndarray): RGB ``[H, W, 3]``, uint8.

        Returns:
            Path: The file, such as ``talk-0012.4-square.jpg``.
        """
        caption = Caption(f'{segment.name} {segment.score * 100:.0f} %')
        stem = '-'.join([_safe(Path(source).stem, 80), f'{segment.start:06.1f}', _safe(segment.name, 80)])
        name, count = stem, 1
        while name.casefold() in self._names:
            count += 1
            name = f'{stem}-{count}'
        self._names.add(name.casefold())
        path = self._folder / f'{name}.jpg'
        with write_atomically(path) as partial:
            Image.fromarray(self._painter(frame, caption, seconds)).save(partial, 'jpeg', quality=90)
        return path


def _safe(text: str, most: int) -> str:
    """A part of a file's name: letters and digits of any script, and little else, of so many bytes at most."""
    text = ''.join(char if char.isalnum() or char in '-_.' else '_' for char in text).lstrip('.-')
    return text.encode('utf-8', 'ignore')[:most].decode('utf-8', 'ignore') or '_'


def _escape(char: str) -> str:
    return char.encode('unicode_escape').decode('ascii')


def _latin() -> str:
    """A font for Latin, Greek, Cyrillic, Arabic and more, which comes with matplotlib."""
    return str(Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf'))


@lru_cache(16)
def _font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


@lru_cache(512)
def _characters(path: str) -> set[int]:
    """The characters that a font has."""
    try:
        return set(FT2Font(path).get_charmap())
    except RuntimeError:  # it is damaged, or of a kind that FreeType does not know
        return set()


@lru_cache(512)
def _find_font(text: frozenset[int]) -> str | None:
    """A font of this machine that has all characters of a text, None if there is none."""
    from matplotlib import font_manager  # looks through the machine's fonts when it is first imported

    fonts = sorted({entry.fname for entry in font_manager.fontManager.ttflist})
    # LastResort has a frame for every character
    return next((path for path in fonts if 'LastResort' not in path and text <= _characters(path)), None)
