"""Makes small videos of every kind with PyAV, whose frames say their own numbers in black and white squares."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from tests.helpers import leave_real_time

NUMBER_BITS = 8
Edit = Callable[[Path], None]  # changes a finished file


@lru_cache(1024)
def numbered_image(number: int, width: int = 64, height: int = 64) -> np.ndarray:
    """An RGB image ``[H, W, 3]`` with a number: 4 x 2 squares in its upper half are its bits, the rest is a texture.

    The texture moves and changes, so that a frame decoded from a wrong reference differs.
    """
    rows, columns = np.mgrid[:height, :width]
    bits = number >> np.arange(NUMBER_BITS) & 1
    squares = bits[np.minimum(4 * rows // height, 1) * 4 + 4 * columns // width]
    waves = [np.sin((rows * (k + 1) + (columns + 3 * number) * (3 - k)) / 5 + number * k) for k in range(3)]
    texture = 128 + 100 * np.stack(waves, -1)
    return np.where((rows < height // 2)[..., None], 255 * squares[..., None], texture).astype(np.uint8)


def read_number(image: np.ndarray) -> int:
    """The number that an image of :func:`numbered_image` says, also after lossy coding."""
    height, width, _ = image.shape
    rows = (np.arange(2) * height // 4 + height // 8)[:, None]
    bits = image[rows, np.arange(4) * width // 4 + width // 8].mean(-1).ravel() > 127
    return int((bits << np.arange(NUMBER_BITS)).sum())


def untwist(image: np.ndarray, degrees: float = 0, mirrored: bool = False, flipped: bool = False) -> np.ndarray:
    """Undo the turn of a :class:`Kind`."""
    image = image[:: -1 if flipped else 1, :: -1 if mirrored else 1]
    return np.rot90(image, -degrees // 90)


def options_of(text: str) -> dict[str, str]:
    """Options of FFmpeg from ``'name=value name=value'``."""
    return dict(item.split('=', 1) for item in text.split())


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        suffix (str): Ending of its name.
        codec (str): Encoder.
        options (str): Options of the encoder, ``'name=value name=value'``.
        pix_fmt (str): Pixel format.
        size (tuple): Width and height.
        frames (int): How many are encoded.
        first (int): Number of the first one.
        rate (int): Frames a second.
        times (function): Gives the time of a frame in milliseconds from its index; None for a fixed rate.
        color (dict): Attributes of the encoder that describe its colors.
        muxer (str): Options of the container.
        container (str): Its name, where the ending does not tell.
        turn (tuple): Degrees counterclockwise, mirrored horizontally, vertically: how to turn a frame to show it.
        extras (tuple): Other streams, before this one: ``'audio'``, or a video as wide as the number.
        cover (bool): It has a picture attached.
        edits (tuple): What is done to the finished file.
        shown (iterable): Numbers of the frames that it shows; None where it takes FFmpeg to say.
        whole (bool): Nothing is missing from it, and it must not be called damaged.
    """

    suffix: str
    codec: str = 'libx264'
    options: str = ''
    pix_fmt: str = 'yuv420p'
    size: tuple[int, int] = (64, 64)
    frames: int = 40
    first: int = 0
    rate: int | Fraction = 25
    times: Callable[[int], int] | None = None
    color: dict = field(default_factory=dict)
    muxer: str = ''
    container: str | None = None
    turn: tuple = ()
    extras: tuple = ()
    cover: bool = False
    edits: tuple[Edit, ...] = ()
    shown: Iterable[int] | None = ()
    whole: bool = True

    @property
    def numbers(self) -> list[int] | None:
        """Numbers of the frames that are shown."""
        if self.shown is None:
            return None
        return list(self.shown or range(self.first, self.first + self.frames))


def make(kind: Kind, path: Path) -> Path:
    """Write a file of a kind."""
    with av.open(str(path), 'w', format=kind.container, options=options_of(kind.muxer)) as container:
        extras = [_add_extra(container, extra) for extra in kind.extras]
        stream = container.add_stream(kind.codec, rate=kind.rate, options=options_of(kind.options))
        stream.width, stream.height = kind.size
        stream.pix_fmt = kind.pix_fmt
        for name, value in kind.color.items():
            setattr(stream.codec_context, name, value)
        if kind.times:
            stream.codec_context.time_base = Fraction(1, 1000)
        if kind.turn:
            stream.set_display_rotation(*kind.turn)
        if kind.cover:
            extras.append(_add_extra(container, 96))
            extras[-1].disposition = Disposition.attached_pic
        encoded = [packet for frame in _frames(kind, stream) for packet in stream.encode(frame)]
        for extra in extras:
            container.mux(list(_extra_packets(extra)))
        container.mux(encoded)
    leave_real_time()
    for edit in kind.edits:
        edit(path)
    return path


def _frames(kind: Kind, stream: av.VideoStream) -> Iterator[av.VideoFrame | None]:
    for index in range(kind.frames):
        frame = av.VideoFrame.from_ndarray(numbered_image(kind.first + index, *kind.size), format='rgb24')
        frame = frame.reformat(
            format=kind.pix_fmt,
            dst_colorspace=kind.color.get('colorspace'),
            dst_color_range=kind.color.get('color_range'),
        )
        frame.pts = kind.times(index) if kind.times else index
        frame.time_base = Fraction(1, 1000) if kind.times else 1 / Fraction(kind.rate)
        yield frame
    yield None


def _add_extra(container: av.container.OutputContainer, extra: str | int) -> av.stream.Stream:
    """Add another stream: audio, or a video of a width."""
    if extra == 'audio':
        return container.add_stream('mp2', rate=48000, layout='stereo')
    stream = container.add_stream('mjpeg', rate=25)
    stream.width = stream.height = extra
    stream.pix_fmt = 'yuvj420p'
    return stream


def _extra_packets(stream: av.stream.Stream) -> Iterator[av.Packet]:
    if stream.type == 'audio':
        for start in range(0, 48000, 1152):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 2304), np.int16), format='s16', layout='stereo')
            frame.sample_rate = 48000
            frame.pts = start
            yield from stream.encode(frame)
    else:
        for index in range(1 if stream.disposition == Disposition.attached_pic else 30):
            image = numbered_image(200 + index, stream.width, stream.height)
            yield from stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24'))
    yield from stream.encode(None)


def rewrite(change: Callable[[list[av.Packet]], Iterable[av.Packet]], muxer: str = '') -> Edit:
    """Copy the packets of a file without encoding, changed by a function of all of them in the order of the file."""

    def edit(path: Path) -> None:
        old = path.with_name(f'old-{path.name}')
        path.rename(old)
        with (
            av.open(str(old), options={'ignore_editlist': '1'} if path.suffix in ('.mp4', '.mov') else {}) as source,
            av.open(str(path), 'w', options=options_of(muxer)) as target,
        ):
            stream = source.streams.video[0]
            copy = target.add_stream_from_template(stream, opaque=True)
            packets = [packet for packet in source.demux(stream) if packet.size]
            for packet in change(packets):
                packet.stream = copy
                target.mux(packet)
        old.unlink()

    return edit


def cut(start: float, stop: float, muxer: str = '') -> Edit:
    """Cut without encoding, from the key frame before ``start`` seconds, which then has a negative time."""

    def change(packets: list[av.Packet]) -> Iterator[av.Packet]:
        base = packets[0].time_base
        times = [packet.dts if packet.pts is None else packet.pts for packet in packets]
        begin = min(times) + round(start / base)
        keys = [i for i, packet in enumerate(packets) if packet.is_keyframe and times[i] <= begin]
        for packet in packets[keys[-1] :]:
            if packet.dts is not None and packet.dts >= begin + round((stop - start) / base):
                break
            yield _shifted(packet, -begin)

    return rewrite(change, muxer)


def keep(first: int, last: int | None = None) -> Edit:
    """Copy some packets, of which the first may be no key frame."""

    def change(packets: list[av.Packet]) -> Iterator[av.Packet]:
        kept = packets[first:last]
        begin = min((packet.dts for packet in kept if packet.dts is not None), default=0)
        for packet in kept:
            yield _shifted(packet, -begin)

    return rewrite(change)


def drop(*indices: int) -> Edit:
    """Leave packets out."""
    return rewrite(lambda packets: [packet for i, packet in enumerate(packets) if i not in indices])


def retime(times: Callable[[int], int], muxer: str = '') -> Edit:
    """Give packet ``i`` the presentation time ``times(i)`` in frames; decoding times count up."""

    def change(packets: list[av.Packet]) -> Iterator[av.Packet]:
        step = packets[1].dts - packets[0].dts
        late = max(i - times(i) for i in range(len(packets)))
        for i, packet in enumerate(packets):
            packet.dts = i * step
            packet.pts = (times(i) + late) * step
            yield packet

    return rewrite(change, muxer)


def offset(seconds: float, muxer: str = '') -> Edit:
    """Move all times."""
    return rewrite(lambda packets: (_shifted(packet, round(seconds / packet.time_base)) for packet in packets), muxer)


def _shifted(packet: av.Packet, ticks: int) -> av.Packet:
    if packet.pts is not None:
        packet.pts += ticks
    if packet.dts is not None:
        packet.dts += ticks
    return packet


def join(*kinds: Kind) -> Edit:
    """Append the bytes of other files."""

    def edit(path: Path) -> None:
        content = path.read_bytes()
        for i, kind in enumerate(kinds):
            content += make(kind, path.with_name(f'part{i}-{path.name}')).read_bytes()
        path.write_bytes(content)

    return edit


def damage(change: Callable[[bytearray, np.random.Generator], bytes]) -> Edit:
    """Change the bytes of a file."""

    def edit(path: Path) -> None:
        path.write_bytes(change(bytearray(path.read_bytes()), np.random.default_rng(0)))

    return edit


def truncate(share: float) -> Edit:
    """Keep a share of the bytes."""
    return damage(lambda content, _: content[: int(share * len(content))])


def blank(start: float, stop: float) -> Edit:
    """Fill a share of the bytes with zeros."""

    def change(content: bytearray, _) -> bytes:
        begin, end = int(start * len(content)), int(stop * len(content))
        content[begin:end] = bytes(end - begin)
        return content

    return damage(change)


def remove(start: float, stop: float) -> Edit:
    """Take a share of the bytes out, as a lost stretch of a broadcast."""
    return damage(lambda content, _: content[: int(start * len(content))] + content[int(stop * len(content)) :])


def flip(count: int, start: float = 0.3, stop: float = 0.7) -> Edit:
    """Change single bytes."""

    def change(content: bytearray, generator: np.random.Generator) -> bytes:
        for place in generator.integers(int(start * len(content)), int(stop * len(content)), count):
            content[place] ^= int(generator.integers(1, 256))
        return content

    return damage(change)


def flip_packets(*indices: int, skip: int = 40) -> Edit:
    """Change bytes within packets, but not the file's structure; the first ``skip`` bytes of each stay."""

    def edit(path: Path) -> None:
        with av.open(str(path)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            places = [(packets[i].pos, packets[i].size, bytes(packets[i])) for i in indices]
        content = bytearray(path.read_bytes())
        for position, size, payload in places:
            start = content.index(payload[:16], max(position, 0))
            for place in range(start + min(skip, size // 2), start + size, 3):
                content[place] ^= 0x55
        path.write_bytes(content)

    return edit
