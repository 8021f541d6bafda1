"""Video files whose frames are those that FFmpeg shows in sequence, found without decoding the whole file."""

import time
from collections.abc import Iterator, Sequence

import av
import numpy as np

from . import bitstream
from .base import Video
from .container import open_container
from .errors import VideoError
from .index import NO_TIME, TRUSTED, Index, Packets, index_by_count, index_by_time, leading_packets
from .pixels import Converter

KEPT_PACKETS = 32 << 20  # bytes of packets that are kept; those of larger files are read again
KEPT_FRAMES = 64 << 20  # bytes of frames that are kept where all have to be decoded
REORDERED = 16  # packets by which a codec may put off a frame
SHORT = 0.9  # share of its container's duration that a whole video fills


class _Untrusted(Exception):
    """The frames that were decoded are not those of the index."""


class VideoFile(Video):
    """A video file.

    The frames are those of ``ffmpeg -i FILE``, in its order: of the best video stream, without those that edit lists
    hide or that cannot be decoded, upright and mirrored as the file says. All packets are read first, which is cheap;
    frames are decoded from the nearest key frame. Where packets do not tell the frames, or frames come out of the decoder
    that the packets do not announce, or damaged ones, the file is decoded in sequence.

    Args:
        path (str): The file.
        time_limit (float, optional): Seconds that opening the file and decoding from it may take in all.

    Raises:
        VideoError: It is no video that can be read.
        TimeoutError: The time is over.
    """

    def __init__(self, path: str, time_limit: float | None = None) -> None:
        self.path = str(path)
        self.time_limit = time_limit
        self._deadline = None if time_limit is None else time.monotonic() + time_limit
        self._frames = []  # decoded ones, where all had to be
        self._container = None
        try:
            self._open()
            self._read_packets()
            self._index = self._make_index()
            if self._index is None:
                self._decode_all()
        except (av.FFmpegError, OSError, ValueError) as error:
            self.close()
            if isinstance(error, (VideoError, TimeoutError)):
                raise
            raise self._error(_said(error)) from error
        if len(self) < 1:
            self.close()
            raise self._error(self.damage or 'it has no frames')

    def get_frames(self, indices: Sequence[int]) -> list[np.ndarray]:
        """See :meth:`Video.get_frames`."""
        wanted = sorted({int(index) for index in indices})
        if wanted and not 0 <= wanted[0] <= wanted[-1] < len(self):
            raise IndexError(f'{self.path!r} has frames 0 to {len(self) - 1}, and not {wanted}')
        try:
            images = self._decode(wanted)
        except _Untrusted:
            self._decode_all()
            return self.get_frames(indices)
        return [images[int(index)] for index in indices]

    def close(self) -> None:
        """Close the file."""
        if self._container is not None:
            self._container.close()
        self._container = None
        self._kept = self._frames = None

    def _error(self, reason: str) -> VideoError:
        return VideoError(f'video {self.path!r} cannot be read: {reason}', reason)

    def _check_time(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise TimeoutError(f'no answer within {self.time_limit:g} s')

    def _note(self, damage: str) -> None:
        self.damage = self.damage or damage

    def _open(self) -> None:
        if self._container is not None:
            self._container.close()
        left = None if self._deadline is None else self._deadline - time.monotonic()
        self._container = open_container(self.path, left)
        self._stream = self._container.streams.best('video')
        if self._stream is None:
            raise ValueError('it has no video stream')
        if self._stream.codec_context is None:
            raise ValueError('its codec is unknown')
        self._codec = self._stream.codec_context
        self._codec.thread_count = 1  # files are decoded in parallel
        self._convert = Converter(self._stream.time_base)

    def _demux(self) -> Iterator[av.Packet]:
        """Yield the packets of the stream from the start, up to where the file breaks off."""
        try:
            for packet in self._container.demux(self._stream):
                if packet.buffer_ptr or packet.pts is not None or packet.dts is not None or packet.size:
                    yield packet  # and not the one that ends the stream
                self._check_time()
        except TimeoutError:
            raise
        except av.FFmpegError as error:
            self._note(f'it breaks off: {_said(error)}')

    def _read_packets(self) -> None:
        """Read all packets, and keep them if they are not too large."""
        codec = self._codec
        name = codec.codec.canonical_name  # of the format: decoders have others
        self._packets = Packets(name, bitstream.length_size(name, codec.extradata), bool(codec.codec.intra_only))
        self._kept, size = [], 0
        for number, packet in enumerate(self._demux()):
            self._packets.add(packet)
            size += packet.size
            if self._kept is not None:
                packet.pts = number  # the decoder gives it back with the frame
                self._kept.append(packet)
                if size > KEPT_PACKETS:
                    self._kept = None
        if self._packets.corrupt:
            self._note('its container says that a part is damaged')

    def _packets_from(self, start: int) -> Iterator[tuple[int, av.Packet]]:
        """Yield the packets from one on, with their numbers, which are also their times."""
        if self._kept is not None:
            yield from enumerate(self._kept[start:], start)
            return
        self._open()
        for number, packet in enumerate(self._demux()):
            if number >= start:
                packet.pts = number
                yield number, packet

    def _make_index(self) -> Index | None:
        """Index the file by its packets, or return None where they do not tell the frames."""
        packets = self._packets
        if not (packets.codec in TRUSTED or packets.intra_only) or self.damage:
            return None
        if packets.codec in ('h264', 'hevc') and self._codec.field_order > 1:  # interlaced: a packet may be a field
            return None
        index = index_by_time(packets)
        if index is None:
            index = index_by_count(packets)
        elif len(leading := leading_packets(packets, index)):
            try:
                self._hide(leading)
            except _Untrusted:
                return None
            index = index_by_time(packets)
        if index is None:
            return None
        if index.rank is not None:
            times = np.sort(np.array(packets.pts)[index.rank >= 0])
        else:
            times = np.array(packets.dts)[packets.shown]
        self._set_times(times)
        promised = self._stream.frames - packets.empty
        if len(packets.pts) - packets.empty < promised - 1:  # encoders that drop the last frame still count it
            self._note(f'it has {len(self)} frames, where its container says {promised}')
        return index

    def _hide(self, leading: np.ndarray) -> None:
        """Decode the start of the file to see which leading packets are shown."""
        unknown, shown = set(leading.tolist()), set()
        border = max((self._packets.pts[number] for number in unknown))
        self._begin()
        for _, frames in self._decode_from(0, skip=None):
            numbers = [frame.pts for frame in frames]
            shown.update(numbers)
            if any(self._packets.pts[number] > border for number in numbers):
                break
        for number in unknown - shown:
            self._packets.shown[number] = False

    def _set_times(self, times: np.ndarray) -> None:
        """Keep the times of the frames, and their mean rate, which is the container's if that agrees with them."""
        rate = self._stream.average_rate or self._stream.guessed_rate
        told = float(rate) if rate else 25.
        if NO_TIME in times or len(times) > 1 and np.diff(times).min() <= 0:
            self.average_fps = told
            self.frame_times = np.arange(len(times)) / told
            return
        seconds = float(self._stream.time_base) * (times - times[:1]).astype(float)
        span = seconds[-1] if len(seconds) else 0.
        measured = (len(seconds) - 1) / span if span > 0 else told
        # containers round times, some to thousandths of a second
        self.average_fps = told if abs(measured / told - 1) < 0.01 else measured
        self.frame_times = seconds

    def _begin(self) -> None:
        self._codec.flush_buffers()

    def _decode_from(self, start: int, skip: Sequence[bool] | None) -> Iterator[tuple[int, list[av.VideoFrame]]]:
        """Decode packets from one on.

        Args:
            start (int): The first packet.
            skip (sequence, optional): Whether each packet's frame may be left out if no other refers to it.

        Yields:
            tuple: Packet number and the frames that came out of the decoder after it, whose ``pts`` are the numbers of
            the packets that they come from.
        """
        codec = None
        for number, packet in self._packets_from(start):
            if codec is not self._codec:  # opened again
                codec = self._codec
                skipping = None
            if skip is not None and skip[number] != skipping:
                skipping = skip[number]
                codec.skip_frame = 'NONREF' if skipping else 'DEFAULT'
            yield number, self._send(packet)
            self._check_time()
        yield len(self._packets.pts), self._send(None)

    def _send(self, packet: av.Packet | None) -> list[av.VideoFrame]:
        try:
            frames = self._codec.decode(packet)
        except av.EOFError:
            return []
        except av.FFmpegError as error:
            self._found_damage(f'a part cannot be decoded: {_said(error)}')
            return []
        if any(frame.is_corrupt for frame in frames):
            self._found_damage('a part is damaged')
        return frames

    def _found_damage(self, damage: str) -> None:
        self._note(damage)
        if not self._in_sequence:  # what stands in for damaged parts depends on all that came before
            raise _Untrusted

    _in_sequence = False
    _index = None

    def _decode_all(self) -> None:
        """Decode the file from its start to its end to learn its frames."""
        self._in_sequence = True
        packets = self._packets
        self._frames, size, sources = [], 0, []
        self._restart()
        for _, frames in self._decode_from(0, skip=None):
            for frame in frames:
                sources.append(frame.pts)
                if self._frames is not None:
                    size += sum(plane.buffer_size for plane in frame.planes)
                    self._frames.append(frame)
                    if size > KEPT_FRAMES:
                        self._frames = None
        times = [NO_TIME if number is None else packets.pts[number] for number in sources]
        if NO_TIME in times:
            times = [NO_TIME if number is None else packets.dts[number] for number in sources]
        self._set_times(np.array(times, np.int64))
        self._index = Index(len(sources), [0], [0])

    def _restart(self) -> None:
        """A decoder as it is at the start of a file, with nothing that it has learnt from other parts."""
        self._open()

    def _decode(self, wanted: Sequence[int]) -> dict[int, np.ndarray]:
        """Decode frames in the order in which they are shown."""
        if self._in_sequence and self._frames is not None:
            return {number: self._convert(self._frames[number]) for number in wanted}
        images = {}
        for entry, numbers in self._runs(wanted):
            self._decode_run(entry, numbers, images)
        return images

    def _runs(self, wanted: Sequence[int]) -> list[tuple[int, list[int]]]:
        """Part frames in runs, in each of which the decoder goes on."""
        runs = []
        reached = -1
        for number in wanted:
            entry = self._index.entry(number)
            if not runs or self._index.entries[entry] > reached + REORDERED:
                runs.append((entry, []))
            runs[-1][1].append(number)
            reached = self._index.packet(number)
        return runs

    def _decode_run(self, entry: int, wanted: list[int], images: dict[int, np.ndarray]) -> None:
        index = self._index
        start, first = int(index.entries[entry]), int(index.firsts[entry])
        skip = None
        if index.rank is not None and self._packets.codec == 'h264':
            skip = np.isin(index.rank, wanted, invert=True).tolist()
        if self._in_sequence:
            self._restart()
        else:
            self._begin()
        missing = iter(wanted)
        expected = next(missing)
        count, last = first, -1
        for _, frames in self._decode_from(start, skip):
            for frame in frames:
                if index.rank is None:
                    number, count = count, count + 1
                    if not self._in_sequence and self._wrong_count(number, frame.pts):
                        raise _Untrusted
                else:
                    number = int(index.rank[frame.pts])
                    if number < first and frame.pts >= start and number >= 0:
                        continue  # shown before the key frame: decoded from another one
                    if number <= last:
                        raise _Untrusted
                    last = number
                if number == expected:
                    images[number] = self._convert(frame)
                    expected = next(missing, None)
                    if expected is None:
                        return
                elif number > expected:
                    raise _Untrusted
        if self._in_sequence:
            raise self._error(f'frame {expected} cannot be decoded again')
        raise _Untrusted

    def _wrong_count(self, number: int, packet: int) -> bool:
        """Whether a frame that was counted is not of the closed group of packets that has it."""
        entry = self._index.entry(number)
        entries = self._index.entries
        end = entries[entry + 1] if entry + 1 < len(entries) else len(self._packets.pts)
        return not entries[entry] <= packet < end


def _said(error: Exception) -> str:
    """What an error says, in one line."""
    said = getattr(error, 'strerror', None) or str(error) or type(error).__name__
    return said.strip().splitlines()[-1]


def open_video(path: str, time_limit: float | None = None) -> Video:
    """Open a video.

    Args:
        path (str): A video file.
        time_limit (float, optional): Seconds that opening it and decoding from it may take in all. Defaults to None, no
            limit.

    Returns:
        Video: Its frames.

    Raises:
        VideoError: It cannot be read.
        TimeoutError: The time is over.

    Example:
        >>> with open_video('clip.mp4') as video:
        ...     first, last = video.get_frames([0, len(video) - 1])
    """
    return VideoFile(path, time_limit)
