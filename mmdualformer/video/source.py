"""The packets of a video file, by their numbers."""

import math
import os
import time
from collections.abc import Iterator

import av
from av.stream import Disposition

from mmdualformer.errors import describe

from .files import check_regular
from .index import Packets
from .isolation import report_progress

# Demuxers of files that are videos themselves. Those that are not here are lists of other files or addresses, such as
# HLS, DASH, SDP and concat scripts, devices, audio, subtitles and single images. One name of each will do.
DEMUXERS = (
    'mov',
    'matroska',
    'avi',
    'mpegts',
    'mpeg',
    'mpegvideo',
    'flv',
    'live_flv',
    'kux',
    'asf',
    'ogg',
    'gif',
    'apng',
    'rm',
    'mxf',
    'mxf_opatom',
    'gxf',
    'dv',
    'nut',
    'nuv',
    'nsv',
    'ivf',
    'obu',
    'av1',
    'h261',
    'h263',
    'h264',
    'hevc',
    'vvc',
    'm4v',
    'mjpeg',
    'dirac',
    'vc1',
    'vc1test',
    'cavsvideo',
    'wtv',
    'yuv4mpegpipe',
    'swf',
    'bink',
    'smk',
    'roq',
    'flic',
    '4xm',
    'film_cpk',
    'avs',
    'avs2',
    'avs3',
    'rpl',
    'pva',
    'mtv',
    'lxf',
)
OPTIONS = {'protocol_whitelist': 'file', 'format_whitelist': ','.join(DEMUXERS)}
KEPT = 32 << 20  # bytes of packets that are kept; those of larger files are read again


class PacketSource:
    """Packets of a file's video stream, and the decoder for them.

    Nothing but the file is read, whatever is in it. ``pts`` of the packets that :meth:`read` gives is their number,
    which the decoder hands on to the frame.

    Args:
        path (str): A regular file.
        time_limit (float, optional): Seconds until all that is asked of it must be done.

    Attributes:
        container (av.container.InputContainer): The open file.
        stream (av.VideoStream): The stream.
        time_base (Fraction): The unit of its times, in seconds.
        decoder (av.VideoCodecContext): Its decoder, another one after :meth:`reopen`.
        packets (Packets): What is known of each packet.
        broken_off (str): Why the file could not be read to its end, ``''`` if it could.

    Raises:
        VideoError: It is no regular file.
        TimeoutError: The time is over.
        av.FFmpegError, ValueError: It is no video that FFmpeg can read.
    """

    def __init__(self, path: str, time_limit: float | None = None) -> None:
        self.path = path
        self.time_limit = math.inf if time_limit is None else time_limit
        self.broken_off = ''
        self._deadline = time.monotonic() + self.time_limit
        self._kept: list[av.Packet] | None = None
        self._numbers: dict[tuple, int] | None = None  # of the packets, by their places
        check_regular(path)
        self._open()
        self._read_all()

    def reopen(self) -> None:
        """Go back to the start, with a decoder that knows nothing yet."""
        self.close()
        self._open()

    def _open(self) -> None:
        self.check_time()
        left = None if math.isinf(self._deadline) else self._deadline - time.monotonic()
        # with the protocol, a colon in the name is no protocol
        self.container = av.open(f'file:{os.path.abspath(self.path)}', options=OPTIONS, timeout=left)
        if not self.container.streams.video:
            raise ValueError('it has no video stream')
        self.stream = max(self.container.streams.video, key=_preference)
        if self.stream.codec_context is None:
            raise ValueError('its codec is unknown')
        if self.stream.time_base is None:
            raise ValueError('its times have no unit')
        self.time_base = self.stream.time_base
        self.decoder = self.stream.codec_context
        self.decoder.thread_count = 1  # files are read in parallel
        self._at_start = True

    def close(self) -> None:
        """Close the file; the packets that are kept stay. Calling it again does nothing."""
        self.container.close()

    def check_time(self) -> None:
        """Raise TimeoutError if the time is over."""
        report_progress()  # a child process that reads a long file does not hang
        if time.monotonic() > self._deadline:
            # what is left of a longer time has moments less
            raise TimeoutError(f'no answer within {max(0, round(self.time_limit, 1)):g} s')

    def read(self, start: int) -> Iterator[tuple[int, av.Packet]]:
        """Yield packets from a number on, each after its number."""
        if self._kept is not None:
            yield from enumerate(self._kept[start:], start)
            return
        number = self._seek(start)
        for packet in self._demux():
            if number >= start:
                packet.pts = number
                yield number, packet
            number += 1

    def _demux(self) -> Iterator[av.Packet]:
        """Yield packets up to the end of the file, or to where it breaks off."""
        self._at_start = False
        try:
            for packet in self.container.demux(self.stream):
                if packet.size or packet.pts is not None or packet.dts is not None:
                    yield packet  # and not the one that ends the stream
                self.check_time()
        except TimeoutError:
            raise
        except (av.FFmpegError, OSError) as error:
            self.broken_off = describe(error, with_file=False)

    def _read_all(self) -> None:
        """Note all packets, and keep them if they are not too large."""
        codec = self.decoder.codec
        name = codec.canonical_name  # of the format: decoders have others
        self.packets = Packets(name, bool(codec.intra_only), self.decoder.extradata)
        self._kept = []
        size = 0
        for number, packet in enumerate(self._demux()):
            self.packets.add(packet)
            size += packet.size
            if self._kept is not None:
                packet.pts = number
                self._kept.append(packet)
                if size > KEPT:
                    self._kept = None

    def _seek(self, start: int) -> int:
        """Go to a packet or some way before it, and return the number of the next one.

        Demuxers are often somewhere else than where they were sent, so that the packet there has to be one that is
        known by its place in the file.
        """
        if start == 0:
            if not self._at_start:
                self.reopen()
            return 0
        times = [time for time in (self.packets.dts[start], self.packets.pts[start]) if time is not None]
        if self._numbers is None:
            self._numbers = {place: number for number, place in enumerate(self.packets.places)}
        if len(times) == 2 and len(self._numbers) == len(self.packets):
            try:
                self.container.seek(min(times), stream=self.stream)
                packet = next(self._demux(), None)
                number = None if packet is None else self._numbers.get(self.packets.place(packet))
                if number is not None and number <= start:
                    self.container.seek(min(times), stream=self.stream)
                    return number
            except av.FFmpegError:
                pass
        self.reopen()
        return 0


def _preference(stream: av.VideoStream) -> int:
    """What the ``ffmpeg`` program takes the greatest of: pixels, unless another stream is marked or it is a cover."""
    if Disposition.attached_pic in stream.disposition:
        return 0
    codec = stream.codec_context
    pixels = codec.width * codec.height if codec is not None else 0
    return 1 + pixels + 5_000_000 * (Disposition.default in stream.disposition)
