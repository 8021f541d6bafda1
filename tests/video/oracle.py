"""What FFmpeg shows of a video in sequence, and how: slow, simple, and written apart from the reader it judges."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import av
import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import Type

# filters that undo a display matrix, as FFmpeg's programs do: by the signs of its corner (a, b, c, d)
TURNS = {
    (1, 0, 0, 1): [],
    (0, 1, -1, 0): [('transpose', 'clock')],
    (-1, 0, 0, -1): [('hflip', ''), ('vflip', '')],
    (0, -1, 1, 0): [('transpose', 'cclock')],
    (-1, 0, 0, 1): [('hflip', '')],
    (1, 0, 0, -1): [('vflip', '')],
    (0, 1, 1, 0): [('transpose', 'cclock_flip')],
    (0, -1, -1, 0): [('transpose', 'clock_flip')],
}


@dataclass
class Shown:
    """The frames of a video.

    Attributes:
        images (list): RGB pixels ``[H, W, 3]``.
        times (list): Seconds, or None where the file does not say.
        errors (list): What the demuxer and the decoder complained about.
        undetermined (set): Frames of a damaged file of which parts are whatever was in memory before.
    """

    images: list[np.ndarray] = field(default_factory=list)
    times: list[float | None] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    undetermined: set[int] = field(default_factory=set)

    def at(self, time: float) -> int | None:
        """The frame that is shown at a time, in seconds after the first one."""
        if None in self.times:
            return None
        return max(int(np.searchsorted(np.maximum.accumulate(self.times), self.times[0] + time + 5e-3, 'right')) - 1, 0)


class Screen:
    """Turns decoded frames into RGB pixels with the filters of FFmpeg's programs, all in the first one's size."""

    def __init__(self) -> None:
        self.graphs = {}
        self.size = None

    def show(self, frame: av.VideoFrame) -> np.ndarray:
        """The pixels ``[H, W, 3]`` of a frame."""
        key = frame.format.name, frame.width, frame.height, frame.colorspace, frame.color_range, _corner(frame)
        if key not in self.graphs:
            self.graphs[key] = self._build(frame)
        graph = self.graphs[key]
        frame.pts = None  # no matter to the filters
        graph.push(frame)
        image = graph.pull().to_ndarray()
        self.size = self.size or (image.shape[1], image.shape[0])
        return image

    def _build(self, frame: av.VideoFrame) -> Graph:
        graph = Graph()
        scale = [('scale', '{}:{}'.format(*self.size))] if self.size else []
        chain = [*TURNS[_corner(frame)], *scale, ('format', 'pix_fmts=rgb24')]  # also converts, where it is best
        previous = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or 1
        )
        for name, options in (*chain, ('buffersink', '')):
            current = graph.add(name, options)
            previous.link_to(current)
            previous = current
        graph.configure()
        return graph


def _corner(frame: av.VideoFrame) -> tuple[int, ...]:
    """The signs of the display matrix's corner, which says how to turn and mirror a frame."""
    try:
        matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    except ValueError:  # PyAV does not know another kind of side data that the frame has
        matrix = None
    if matrix is None:
        return 1, 0, 0, 1
    return tuple(np.sign(np.frombuffer(bytes(matrix), np.int32)[[0, 1, 3, 4]]).tolist())


def show(path: str, hold: bool = False) -> Shown:
    """Decode a file from its start to its end with one thread.

    Args:
        path (str): The file.
        hold (bool): Keep all decoded frames until the end, so that the decoder gets fresh memory for each.

    Raises:
        av.FFmpegError: It cannot be opened.
        ValueError: It has no video stream, or one of an unknown codec.
    """
    shown = Shown()
    screen = Screen()
    held = []
    with av.open(path) as container:
        stream = _chosen(container.streams.video)
        if stream is None or stream.codec_context is None:
            raise ValueError('no video stream that can be decoded')
        stream.codec_context.thread_count = 1
        for packet in _packets(container, stream, shown.errors):
            try:
                frames = stream.codec_context.decode(packet)
            except av.FFmpegError as error:
                shown.errors.append(str(error))
                continue
            for frame in frames:
                if frame.is_corrupt:
                    shown.errors.append('a damaged frame')
                shown.times.append(None if frame.pts is None else float(frame.pts * stream.time_base))
                shown.images.append(screen.show(frame))
                held += [frame] if hold else []
    return shown


def _chosen(streams: tuple[av.VideoStream, ...]) -> av.VideoStream | None:
    """The stream that the ``ffmpeg`` program takes: the largest, unless another is marked; covers come last."""
    covers = [stream for stream in streams if stream.disposition & av.stream.Disposition.attached_pic]
    videos = [stream for stream in streams if stream not in covers] or covers
    default = [stream for stream in videos if stream.disposition & av.stream.Disposition.default]
    return max(default or videos, key=lambda stream: stream.width * stream.height, default=None)


def show_damaged(path: str) -> Shown:
    """Decode a damaged file twice to see which frames depend on what was in memory before."""
    shown = show(path)
    for index, (image, again) in enumerate(zip(shown.images, show(path, hold=True).images, strict=True)):
        if not np.array_equal(image, again):
            shown.undetermined.add(index)
    return shown


def _packets(
    container: av.container.InputContainer, stream: av.VideoStream, errors: list[str]
) -> Iterator[av.Packet | None]:
    """The packets of a stream, and None at their end, however it comes."""
    try:
        for packet in container.demux(stream):
            if packet.size or packet.pts is not None or packet.dts is not None:
                yield packet
    except av.FFmpegError as error:
        errors.append(str(error))
    yield None
