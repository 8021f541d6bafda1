"""Which packet holds which frame, and where decoding can begin."""

from collections.abc import Sequence

import av
import numpy as np

from .bitstream import INNER, KEY, READERS, has_fields

NO_TIME = np.iinfo(np.int64).min


class Packets:
    """What is known of the packets of a stream without decoding them, in the order of the file.

    Args:
        codec (str): The codec's name, as FFmpeg calls the format.
        intra_only (bool): Whether each frame can be decoded by itself.
        extradata (bytes, optional): What the container says of the stream to the decoder.

    Attributes:
        known (bool): Whether one packet is one frame, as far as the packets tell.
        pts (list): When each packet's frame is shown, in units of the stream's time base, or None.
        dts (list): When it is decoded, likewise.
        places (list): Where each packet is in the file, see :meth:`place`.
        shown (list): Whether its frame is shown: edit lists and codecs hide frames.
        begins (list): Whether all that is shown from it on can be decoded from it.
        closed (list): Whether, besides, all packets after it are shown after all packets before it.
        ahead (list): Whether it is decoded ahead of frames that are shown before it, where times do not say so.
        timed (bool): Whether ``pts`` are times, and not only an order.
        empty (int): Packets without data, which stand for a frame that stays.
        corrupt (bool): Whether the container says that a packet is damaged.
        cut_off (bool): Whether it says so of the last one.
    """

    def __init__(self, codec: str, intra_only: bool, extradata: bytes | None) -> None:
        self.codec = codec
        reader = READERS.get(codec)
        self._look = reader(extradata) if reader else None
        self.known = bool(reader) or intra_only
        if codec == 'h264' and extradata:
            self.known = not has_fields(extradata)  # or each of two packets would be half a frame
        self.pts: list[int | None] = []
        self.dts: list[int | None] = []
        self.places: list[tuple] = []
        self.shown: list[bool] = []
        self.begins: list[bool] = []
        self.closed: list[bool] = []
        self.ahead: list[bool] = []
        self.timed = True
        self.empty = 0
        self.corrupt = self.cut_off = False

    def __len__(self) -> int:
        return len(self.pts)

    @staticmethod
    def place(packet: av.Packet) -> tuple:
        """What tells a packet from all others of the file."""
        return packet.pos, packet.dts, packet.size

    def add(self, packet: av.Packet) -> None:
        """Take in the next packet."""
        self.pts.append(packet.pts)
        self.dts.append(packet.dts)
        self.places.append(self.place(packet))
        self.cut_off = packet.is_corrupt
        self.corrupt |= packet.is_corrupt
        self.empty += packet.size == 0
        shown = packet.size > 0 and not packet.is_discard
        picture = KEY if packet.is_keyframe else INNER
        if self._look and packet.size:
            picture = self._look(packet)
            self.known &= picture.frames < 2
        self.shown.append(shown and picture.frames > 0)
        self.begins.append(picture.begins)
        self.closed.append(picture.closed)
        self.ahead.append(picture.ahead)


class Index:
    """Where decoding begins for which frame. Frames are counted from there on.

    Attributes:
        total (int): Frames that are shown.
        entries (np.ndarray): Packets at which decoding can begin, in the order of the file.
        firsts (np.ndarray): The first frame that decoding gives from each of them.
    """

    def __init__(self, total: int, entries: Sequence[int] | np.ndarray, firsts: Sequence[int] | np.ndarray) -> None:
        self.total = total
        self.entries = np.asarray(entries)
        self.firsts = np.asarray(firsts)

    def entry(self, frame: int) -> int:
        """The place in ``entries`` from which a frame is decoded."""
        return int(np.searchsorted(self.firsts, frame, 'right')) - 1

    def packet(self, frame: int) -> int:
        """About which packet holds a frame."""
        place = self.entry(frame)
        return int(self.entries[place] + frame - self.firsts[place])

    def covers(self, frame: int, packet: int) -> bool:
        """Whether a packet lies between the entry from which a frame is decoded and the next one."""
        place = self.entry(frame)
        end = self.entries[place + 1] if place + 1 < len(self.entries) else np.inf
        return self.entries[place] <= packet < end


class TimedIndex(Index):
    """Which packet holds which frame, where the times of packets tell.

    Attributes:
        rank (np.ndarray): The frame of each packet, -1 if it is not shown.
    """

    def __init__(self, total: int, entries: np.ndarray, firsts: np.ndarray, rank: np.ndarray) -> None:
        super().__init__(total, entries, firsts)
        self.rank = rank


def make_index(packets: Packets, delay: int) -> Index | None:
    """Index the frames of packets, or return None where these do not tell them.

    Args:
        packets (Packets): All packets of a stream.
        delay (int): Frames that the codec may decode before one that is shown earlier.
    """
    if not packets.known or packets.corrupt or all(time is None for time in packets.dts):
        return None
    if any(packets.ahead):
        order = _order_by_type(packets)
        if all(time is None for time, shown in zip(packets.pts, packets.shown) if shown):
            packets.pts, packets.timed = order.tolist(), False
        index = index_by_time(packets)
        return index if index and np.array_equal(index.rank, order) else None
    index = index_by_time(packets)
    if index is None or (delay and _are_guessed(packets)):
        return index_by_count(packets)
    order = index.rank[index.rank >= 0]
    late = (np.arange(len(order)) - order).max()  # how many are decoded before one that is shown before them
    return index if late <= delay else None


def index_by_time(packets: Packets) -> TimedIndex | None:
    """Order frames by the times of their packets, or return None where those do not tell."""
    shown = np.array(packets.shown, bool)
    pts = as_array(packets.pts)
    times = np.sort(pts[shown])
    if not len(times) or times[0] == NO_TIME or (np.diff(times) == 0).any():
        return None
    rank = np.where(shown, np.searchsorted(times, pts), -1)
    # an entry before which a frame is decoded that is shown after it is none
    latest = np.maximum.accumulate(np.where(shown, pts, NO_TIME))
    begins = np.array(packets.begins, bool) & (pts != NO_TIME)
    begins[1:] &= latest[:-1] < pts[1:]
    begins[0] = True
    entries = np.flatnonzero(begins)
    firsts = np.searchsorted(times, pts[entries])  # of a hidden one, the first that is shown after it
    firsts[0] = 0
    return TimedIndex(len(times), entries, firsts, rank)


def index_by_count(packets: Packets) -> Index | None:
    """Count the frames before each closed entry, or return None where the first packet is none."""
    shown = np.array(packets.shown, bool)
    entries = np.flatnonzero(packets.closed)
    if not shown.any() or not len(entries) or entries[0] > 0:
        return None
    return Index(int(shown.sum()), entries, (np.cumsum(shown) - shown)[entries])


def _are_guessed(packets: Packets) -> bool:
    """Whether times are those of decoding, put off: FFmpeg's guess where a container has no others, as that of avi."""
    delays = {
        None if pts is None or dts is None else pts - dts
        for pts, dts, shown in zip(packets.pts, packets.dts, packets.shown)
        if shown
    }
    return len(delays) == 1 and None not in delays


def _order_by_type(packets: Packets) -> np.ndarray:
    """The order in which frames are shown where those decoded ahead wait for the next of them, -1 for others."""
    order = np.full(len(packets), -1)
    count = 0
    number: int | None
    waiting: int | None = None
    for number in np.flatnonzero(packets.shown).tolist():
        if packets.ahead[number]:
            number, waiting = waiting, number
        if number is not None:
            order[number], count = count, count + 1
    if waiting is not None:
        order[waiting] = count
    return order


def unsure_packets(packets: Packets, index: TimedIndex) -> list[int]:
    """Packets of which only decoding tells whether they are shown, as what they refer to may have been cut off.

    They come before the first entry of the file, or after it and are shown before it.
    """
    numbers = np.flatnonzero(index.rank >= 0)
    if not any(packets.begins):
        return numbers.tolist()
    first = packets.begins.index(True)
    start = packets.pts[first]
    early = as_array(packets.pts)[numbers] < start if start is not None else False
    return numbers[(numbers < first) | early].tolist()


def as_array(times: Sequence[int | None]) -> np.ndarray:
    """Times as integers, of which ``NO_TIME`` is none."""
    return np.array([NO_TIME if time is None else time for time in times], np.int64)
