"""Video files whose frames are those that FFmpeg shows in sequence, found without decoding the whole file."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

import av
import numpy as np

from mmdualformer.errors import describe

from .base import Video
from .errors import VideoError
from .frame_folder import FrameFolder
from .index import NO_TIME, Index, TimedIndex, as_array, make_index, unsure_packets
from .pixels import Converter
from .source import PacketSource

LEAST, MARGIN = 0.9, 0.5  # a whole video fills this share of its container's duration, or lacks so many seconds
KEPT = 64 << 20  # bytes of decoded frames that are kept where all have to be decoded
REORDERED = 16  # packets by which a codec may put off a frame


class _Untrusted(Exception):
    """What comes out of the decoder is not what the index says, or is damaged."""


class VideoFile(Video):
    """A video file.

    The frames are those of ``ffmpeg -i FILE``, in its order: of the best video stream, without those that edit lists
    hide or that cannot be decoded, upright and mirrored as the file says, in RGB. All packets are read first, which is
    cheap, and tell which frame is where; frames are then decoded from the key frame before them. Where packets do not
    tell, where frames come out of the decoder that they do not announce, and where something is damaged, so that frames
    depend on all that came before, the file is decoded from its start.

    Args:
        path (str): The file.
        time_limit (float, optional): Seconds until all that is asked of it must be done. Defaults to None, no limit.

    Raises:
        VideoError: It is no video that can be read.
        TimeoutError: The time is over.
    """

    def __init__(self, path: str, time_limit: float | None = None) -> None:
        self.path = str(path)
        self._opened: PacketSource | None = None
        self._sequential = False  # whether the file is decoded from its start
        self._frames: list[av.VideoFrame] | None = None  # decoded ones, where all have to be
        self._knows_size = False
        self._timed = False  # whether the file says when its frames are shown
        try:
            self._opened = PacketSource(self.path, time_limit)
            self._convert = Converter(self._source.stream)
            index = self._make_index()
            self._index = self._learn_frames() if index is None else index
            if len(self) < 1:
                raise ValueError(self.damage or 'it has no frames')
            self._check_end()
        except (VideoError, TimeoutError):
            self.close()
            raise
        except Exception as error:  # of damaged files PyAV raises what it likes
            self.close()
            raise self._error(describe(error, with_file=False)) from error

    def get_frames(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """See :meth:`Video.get_frames`."""
        indices = [int(index) for index in indices]
        if indices and not 0 <= min(indices) <= max(indices) < len(self):
            raise IndexError(f'{self.path!r} has the frames 0 to {len(self) - 1}, and not all of {indices}')
        try:
            try:
                images = self._decode(indices)
            except _Untrusted:
                self._replace_index()
                images = self._decode(indices)
        except (VideoError, TimeoutError):
            raise
        except Exception as error:  # as of a file that is gone since it was opened
            raise self._error(describe(error, with_file=False)) from error
        # what is asked for twice is two arrays: transforms change them in place
        return [images[index].copy() if index in indices[:i] else images[index] for i, index in enumerate(indices)]

    def iterate_frames(self) -> Iterator[np.ndarray]:
        """See :meth:`Video.iterate_frames`. The file is decoded once, and no packet twice, unless it is damaged."""
        number, image = 0, None
        while number < min(len(self), self._index.total):
            try:
                for _, image in self._images(range(number, min(len(self), self._index.total))):
                    yield image
                    number += 1
            except _Untrusted:
                try:
                    self._replace_index()
                except _Untrusted as error:
                    raise self._error(self.damage or describe(error)) from error
            except (VideoError, TimeoutError):
                raise
            except Exception as error:
                raise self._error(describe(error, with_file=False)) from error
        for _ in range(number, len(self)):  # those that turned out not to be there are the last one
            assert image is not None
            yield image.copy()

    def decode_all(self) -> Iterator[av.VideoFrame]:
        """Decode the file from its start to its end, and stop at what is damaged, which decoders otherwise hide.

        Yields:
            av.VideoFrame: Each frame, as it is stored.

        Raises:
            VideoError: Something is damaged.
        """
        count, known = 0, self.damage
        self._source.reopen()
        self._source.decoder.options = {'err_detect': 'explode'}
        try:
            for _, frame in self._decode_packets(0):
                yield frame
                count += 1
        except _Untrusted:
            pass
        if self.damage:
            raise self._error(known or f'{self.damage}, after {count} frames')

    def close(self) -> None:
        """Close the file, and forget what is kept of it."""
        if self._opened is not None:
            self._opened.close()
        self._opened = self._frames = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a frame as it is stored, in pixels, as the file says."""
        return self._source.decoder.width, self._source.decoder.height

    @property
    def _source(self) -> PacketSource:
        if self._opened is None:
            raise ValueError('it is closed')
        return self._opened

    def _error(self, reason: str) -> VideoError:
        return VideoError(f'video {self.path!r} cannot be read: {reason}', reason)

    def _found(self, damage: str) -> None:
        """Keep what was first found to be damaged."""
        self.damage = self.damage or damage

    def _make_index(self) -> Index | None:
        """Index the file by its packets, or return None where they do not tell the frames."""
        source, packets = self._source, self._source.packets
        if source.broken_off:
            self._found(f'it breaks off: {source.broken_off}')
            return None
        if packets.cut_off:
            self._found('it breaks off in its last packet')
        interlaced = getattr(source.decoder, 'field_order', 0) > 1  # PyAV tells since 18
        if packets.codec == 'hevc' and interlaced:  # a packet may be a field
            return None
        delay = source.decoder.reorder_depth
        index = make_index(packets, delay)
        if isinstance(index, TimedIndex) and (unsure := unsure_packets(packets, index)):
            try:
                self._hide_unseen(unsure)
            except _Untrusted:
                return None
            index = make_index(packets, delay)
        if index is None:
            return None
        times = as_array(packets.pts if isinstance(index, TimedIndex) and packets.timed else packets.dts)
        self._set_times(np.sort(times[packets.shown]))
        return index

    def _hide_unseen(self, unsure: list[int]) -> None:
        """Decode the start of the file to see which packets there are shown."""
        packets = self._source.packets
        times = as_array(packets.pts).tolist()
        seen, latest = set(), None
        for number, _ in self._decode_packets(0):
            seen.add(number)
            if latest is not None and times[number] <= latest:
                raise _Untrusted
            latest = times[number]
            if number > max(unsure) + REORDERED:
                break
        for number in unsure:
            packets.shown[number] &= number in seen

    def _check_end(self) -> None:
        """Find out whether the file ends before its container says."""
        source = self._source
        stream, container, packets = source.stream, source.container, source.packets
        promised, given = stream.frames - packets.empty, len(packets) - packets.empty
        if given < promised - 1:  # the last frame is often dropped, and counted still
            # edit lists hide packets: there, those that are missing lie behind the end of the file
            if 'mov' not in container.format.name or any(
                entry.pos + entry.size > container.size for entry in stream.index_entries
            ):
                self._found(f'it has {given} frames, where its container says {promised}')
        told = _seconds(stream.metadata.get('DURATION'))  # of Matroska
        if stream.duration is not None:
            told = float(stream.duration * source.time_base)
        elif not told and container.duration and len(container.streams) == 1:
            told = container.duration / av.time_base
        if not (told and self._timed and packets.timed) or stream.start_time is None:
            return
        last = max(time for time in packets.pts if time is not None)
        end = float((last - stream.start_time) * source.time_base) + 1 / self.average_fps
        if end < LEAST * told and told - end > MARGIN:
            self._found(f'it ends after {end:.2f} s, where its container says {told:.2f} s')

    def _replace_index(self) -> None:
        """Decode the file from its start, where frames turned out to be others than the index says.

        How many frames there are has been told already. Those beyond the last that can be decoded are the last one.
        """
        announced, times, rate = len(self), self.frame_times, self.average_fps
        self._index = self._learn_frames()
        if not len(self):
            raise self._error(self.damage or 'it has no frames')
        if len(self) != announced:
            self._found(f'{len(self)} of {announced} frames can be decoded')
            self.frame_times, self.average_fps = times, rate

    def _image(self, frame: av.VideoFrame) -> np.ndarray:
        """Convert a frame, in the size of the file's first one, which may be another than the container says."""
        if self._convert.size != (frame.width, frame.height) and not self._knows_size:
            self._convert.size, self._knows_size = self._first_size(), True
        return self._convert(frame)

    def _first_size(self) -> tuple[int, int]:
        source = PacketSource(self.path)
        frames: list[av.VideoFrame] = []
        for _, packet in source.read(0):
            with suppress(av.FFmpegError):
                frames = source.decoder.decode(packet)
            if frames:
                break
        source.close()
        return (frames[0].width, frames[0].height) if frames else self._convert.size

    def _set_times(self, times: np.ndarray) -> None:
        """Keep the times of the frames, and their mean rate: the container's if it agrees with them.

        Args:
            times (np.ndarray): In units of the stream's time base ``[N]``. Where they do not rise, they are no times.
        """
        stream = self._source.stream
        rate = stream.average_rate or stream.guessed_rate
        self.average_fps = float(rate) if rate else 25.0
        if NO_TIME in times or (np.diff(times) <= 0).any():
            self.frame_times, self._timed = np.arange(len(times)) / self.average_fps, False
            return
        self._timed = True
        self.frame_times = float(self._source.time_base) * (times - times[:1]).astype(float)
        if len(times) > 1:
            measured = (len(times) - 1) / self.frame_times[-1]
            if abs(measured / self.average_fps - 1) > 0.01:  # containers round times, some to milliseconds
                self.average_fps = measured

    def _decode_packets(self, start: int, needed: Sequence[bool] | None = None) -> Iterator[tuple[int, av.VideoFrame]]:
        """Decode packets from one on, to the end of the file.

        Args:
            start (int): The first packet.
            needed (sequence, optional): Whether the frame of each packet is needed; others may be left out where no
                other frame refers to them.

        Yields:
            tuple: The number of the next frame's packet, -1 if the decoder does not tell, as may be where the file is
            decoded from its start; and the frame.
        """
        source = self._source
        source.decoder.flush_buffers()
        decoder, skips = None, None
        for number, packet in source.read(start):
            if decoder is not source.decoder:  # reading opens large files again
                decoder, skips = source.decoder, False
                decoder.skip_frame = 'DEFAULT'
            if needed is not None and skips is needed[number]:
                skips = not skips
                decoder.skip_frame = 'NONREF' if skips else 'DEFAULT'
            yield from self._send(packet)
            source.check_time()
        yield from self._send(None)

    def _send(self, packet: av.Packet | None) -> list[tuple[int, av.VideoFrame]]:
        """Give the decoder a packet, or None for the end, and return what comes out, as :meth:`_decode_packets`."""
        try:
            frames = self._source.decoder.decode(packet)
        except av.EOFError:
            return []
        except av.FFmpegError as error:
            self._meet(f'a part cannot be decoded: {describe(error, with_file=False)}')
            return []
        if any(frame.is_corrupt for frame in frames):
            self._meet('a part is damaged')
        if not self._sequential and any(frame.pts is None for frame in frames):
            raise _Untrusted
        return [(-1 if frame.pts is None else frame.pts, frame) for frame in frames]

    def _meet(self, damage: str) -> None:
        self._found(damage)
        if not self._sequential:
            raise _Untrusted

    def _learn_frames(self) -> Index:
        """Decode the file from its start to its end, as what the packets say of the frames is not to be relied on."""
        self._sequential = True
        self._source.reopen()
        self._frames = []
        size, origins = 0, []
        for number, frame in self._decode_packets(0):
            origins.append(number)
            if self._frames is not None:
                size += sum(plane.buffer_size for plane in frame.planes)
                self._frames.append(frame)
                if size > KEPT:
                    self._frames = None
        packets = self._source.packets
        times = [packets.pts[number] for number in origins if number >= 0]
        if None in times:
            times = [packets.dts[number] for number in origins if number >= 0]
        self._set_times(as_array(times + [None] * (len(origins) - len(times))))
        return Index(len(origins), [0], [0])

    def _decode(self, wanted: list[int]) -> dict[int, np.ndarray]:
        """Decode frames, and return them by their numbers."""
        there = {number: min(number, self._index.total - 1) for number in wanted}
        wanted = sorted(set(there.values()))
        images = dict(self._images(wanted))
        return {number: images[there[number]] for number in there}

    def _images(self, wanted: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Decode frames that rise, and yield each after its number."""
        if self._frames is not None:
            yield from ((number, self._image(self._frames[number])) for number in wanted)
            return
        for entry, numbers in self._runs(wanted):
            if self._sequential:
                self._source.reopen()  # for a decoder that has learnt nothing yet
            yield from self._decode_run(entry, numbers)

    def _runs(self, wanted: Sequence[int]) -> list[tuple[int, list[int]]]:
        """Part frames into runs, in each of which the decoder goes on: the entry of each, and its frames."""
        runs: list[tuple[int, list[int]]] = []
        reached = 0
        for number in wanted:
            entry = self._index.entry(number)
            if not runs or self._index.entries[entry] > reached + REORDERED:
                runs.append((entry, []))
            runs[-1][1].append(number)
            reached = self._index.packet(number)
        return runs

    def _decode_run(self, entry: int, wanted: list[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Decode frames from an entry on, and yield each after its number."""
        index, start, first = self._index, int(self._index.entries[entry]), int(self._index.firsts[entry])
        rank = index.rank if isinstance(index, TimedIndex) else None
        reorders = self._source.decoder.reorder_depth > 0
        needed = np.isin(rank, wanted).tolist() if rank is not None and self._source.packets.codec == 'h264' else None
        missing = list(reversed(wanted))
        number = first - 1
        for packet, frame in self._decode_packets(start, needed):
            previous = number
            if rank is None:
                number += 1
                trusted = self._sequential or index.covers(number, packet)
            else:
                number = int(rank[packet])
                if previous < first and 0 <= number < first:  # shown before the entry: what it refers to may lack
                    number = previous
                    continue
                trusted = number > previous
            if not trusted or (missing and number > missing[-1]):
                raise _Untrusted
            if not missing:
                return
            if number == missing[-1]:
                yield missing.pop(), self._image(frame)
            if not missing and (self._sequential or not reorders):
                return  # otherwise the next frame has to be a later one
        if not missing:
            return
        if self._sequential:
            raise self._error(f'frame {missing[-1]} cannot be decoded a second time')
        raise _Untrusted


def _seconds(text: str | None) -> float:
    """Seconds of a time such as 00:00:02.400000000, 0 if it is none."""
    match = re.fullmatch(r'(\d+):(\d+):(\d+(\.\d+)?)', text or '')
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) if match else 0.0


def open_video(path: str, time_limit: float | None = None) -> Video:
    """Open a video.

    Args:
        path (str): A video file, or a folder of numbered images.
        time_limit (float, optional): Seconds until all that is asked of it must be done. Defaults to None, no limit.

    Returns:
        Video: Its frames.

    Raises:
        VideoError: It cannot be read.
        TimeoutError: The time is over.

    Example:
        >>> with open_video('clip.mp4') as video:
        ...     first, last = video.get_frames([0, len(video) - 1])
    """
    return FrameFolder(path) if os.path.isdir(path) else VideoFile(path, time_limit)
