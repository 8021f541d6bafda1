"""From decoded frames to upright RGB, as FFmpeg shows them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import av
import av.filter
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import Interpolation, VideoReformatter

# progressive frames of what swscale converts by tables are the same from a filter graph and without one, which takes
# half the time
BY_TABLE = ('yuv420p', 'yuvj420p')


class Turn(NamedTuple):
    """How stored pixels become upright: rows and columns are swapped, then mirrored."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Turn pixels ``[H, W, 3]``."""
        if self.transpose:
            pixels = pixels.transpose(1, 0, 2)
        return pixels[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]

    def filters(self) -> list[str]:
        """The same as FFmpeg's filters."""
        names = ('transpose=cclock_flip', 'hflip', 'vflip')
        return [name for name, used in zip(names, self) if used]


UPRIGHT = Turn()


def upright(frame: av.VideoFrame) -> Turn:
    """How a frame is turned upright, by its display matrix.

    Phones turn by quarters and mirror; other angles are left alone.
    """
    try:
        side_data: Mapping[Any, Any] = frame.side_data  # PyAV's annotation knows one type of several
        if Type.DISPLAYMATRIX not in side_data:
            return UPRIGHT
        a, b, _, c, d = np.frombuffer(side_data[Type.DISPLAYMATRIX], np.int32)[:5].tolist()
    except ValueError:  # side data that PyAV does not know, such as that of spatial videos
        quarters = frame.rotation // 90 % 4  # counterclockwise
        return Turn(quarters % 2 == 1, quarters in (2, 3), quarters in (1, 2))
    # a point (x, y) goes to (a x + c y, b x + d y)
    if a == d == 0 and b and c:
        return Turn(True, c < 0, b < 0)
    return Turn(False, a < 0, d < 0) if b == c == 0 else UPRIGHT


class Converter:
    """Turns the frames of one video into upright RGB images of one size.

    The pixels are those of ``ffmpeg -i FILE -pix_fmt rgb24``: colour space and range are the frame's, alpha is left
    out, and frames of another size than the video's are scaled to it.

    Args:
        stream (av.VideoStream): The video, before it is decoded.

    Attributes:
        size (tuple): Width and height before frames are turned.
    """

    def __init__(self, stream: av.VideoStream) -> None:
        self._time_base = stream.time_base
        self.size = stream.codec_context.width, stream.codec_context.height
        self._reformatter = VideoReformatter()  # one for all frames: it keeps its tables
        self._graph: av.filter.Graph | None = None
        self._graph_key: tuple | None = None

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """Convert a frame to ``[H, W, 3]``, uint8, in one piece."""
        turn = upright(frame)
        by_table = frame.format.name in BY_TABLE and frame.height % 2 == 0 and not frame.interlaced_frame
        if by_table and self.size == (frame.width, frame.height):
            # frames are decoded in parallel, so that swscale needs no threads of its own
            rgb = self._reformatter.reformat(frame, format='rgb24', interpolation=Interpolation.BICUBIC, threads=1)
            return np.ascontiguousarray(turn.apply(_pixels(rgb)))
        key = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range, turn, self.size)
        graph = self._graph
        if graph is None or key != self._graph_key:
            graph = self._make_graph(frame, turn)
            self._graph, self._graph_key = graph, key
        graph.push(frame)
        return _pixels(graph.vpull()).copy()

    def _make_graph(self, frame: av.VideoFrame, turn: Turn) -> av.filter.Graph:
        """FFmpeg's filters from a frame's format to RGB; it also turns before it converts."""
        graph = av.filter.Graph()
        graph.threads = 1
        filters = turn.filters()
        if self.size != (frame.width, frame.height):
            width, height = reversed(self.size) if turn.transpose else self.size
            filters.append(f'scale={width}:{height}:flags=bicubic')
        nodes = [
            graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=self._time_base)
        ]
        for text in (*filters, 'format=pix_fmts=rgb24', 'buffersink'):
            name, _, arguments = text.partition('=')
            nodes.append(graph.add(name, arguments or None))
        graph.link_nodes(*nodes).configure()
        return graph


def _pixels(rgb: av.VideoFrame) -> np.ndarray:
    """The pixels ``[H, W, 3]`` of a frame in rgb24, where they are."""
    plane = rgb.planes[0]
    return np.ndarray((rgb.height, rgb.width, 3), np.uint8, memoryview(plane), strides=(plane.line_size, 3, 1))
