"""Which packet holds which frame, and where decoding can begin."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import av
import numpy as np

from . import bitstream

NO_TIME = np.iinfo(np.int64).min
TINY = 64  # bytes; a packet of more has a picture
# codecs of which one packet is one frame, and key frames are places to begin at; besides those of key frames alone
TRUSTED = ('h264', 'hevc', 'av1', 'vp8', 'vp9')


@dataclass
class Packets:
    """What is known of the packets of a stream without decoding them, in the order of the file.

    Attributes:
        codec (str): The codec's name, as FFmpeg calls it.
        length_size (int): See :func:`bitstream.length_size`.
        pts (list): When each packet's frame is shown, in units of the stream's time base; ``NO_TIME`` if unknown.
        dts (list): When it is decoded, likewise.
        shown (list): Whether its frame is shown: edit lists and codecs hide frames.
        begins (list): Whether decoding can begin at it.
        closed (list): Whether all packets after it are shown after all packets before it.
        corrupt (bool): Whether the container says that a packet is damaged.
    """

    codec: str
    length_size: int
    intra_only: bool
    pts: list[int] = field(default_factory=list)
    dts: list[int] = field(default_factory=list)
    shown: list[bool] = field(default_factory=list)
    begins: list[bool] = field(default_factory=list)
    closed: list[bool] = field(default_factory=list)
    empty: int = 0
    corrupt: bool = False

    def add(self, packet: av.Packet) -> None:
        """Take in the next packet."""
        self.pts.append(NO_TIME if packet.pts is None else packet.pts)
        self.dts.append(NO_TIME if packet.dts is None else packet.dts)
        self.corrupt |= packet.is_corrupt
        self.empty += packet.size == 0
        self.shown.append(packet.size > 0 and not packet.is_discard and self._shows(packet))
        begins = closed = packet.is_keyframe
        if packet.is_keyframe and self.codec == 'h264':
            begins, closed = bitstream.begins_h264(memoryview(packet), self.length_size)
        elif packet.is_keyframe and self.codec == 'hevc':
            begins, closed = bitstream.begins_hevc(memoryview(packet), self.length_size)
        self.begins.append(begins)
        self.closed.append(closed)

    def _shows(self, packet: av.Packet) -> bool:
        if self.codec == 'vp9':
            return bitstream.shows_vp9(memoryview(packet))
        if self.codec == 'vp8':
            return bitstream.shows_vp8(memoryview(packet))
        if self.codec in ('h264', 'hevc') and packet.size < TINY:
            return bitstream.has_slice(self.codec, memoryview(packet), self.length_size)
        return True


class Index:
    """Which packet holds which frame.

    Attributes:
        total (int): Frames that are shown.
        entries (np.ndarray): Packets at which decoding can begin, in the order of the file.
        firsts (np.ndarray): The first frame that decoding gives from each of them.
        rank (np.ndarray or None): The frame of each packet, -1 if it is not shown. None where times do not tell: then
            frames are counted from the entry on.
    """

    def __init__(self, total: int, entries: Sequence[int], firsts: Sequence[int], rank: np.ndarray | None = None):
        self.total = total
        self.entries = np.asarray(entries)
        self.firsts = np.asarray(firsts)
        self.rank = rank

    def entry(self, frame: int) -> int:
        """The place in ``entries`` from which a frame is decoded."""
        return int(np.searchsorted(self.firsts, frame, 'right')) - 1

    def packet(self, frame: int) -> int:
        """The packet, more or less, that holds a frame."""
        place = self.entry(frame)
        return int(self.entries[place] + frame - self.firsts[place])


def index_by_time(packets: Packets) -> Index | None:
    """Order frames by the times of their packets, or return None where those cannot be trusted."""
    pts, shown = np.array(packets.pts), np.array(packets.shown)
    times = pts[shown]
    if not len(times) or NO_TIME in times or len(np.unique(times)) < len(times):
        return None
    rank = np.full(len(pts), -1)
    rank[np.flatnonzero(shown)[np.argsort(times)]] = np.arange(len(times))
    # an entry whose time comes before that of a packet in front of it is none: frames after it are not all decoded
    before = np.maximum.accumulate(np.where(shown, pts, NO_TIME))
    begins = np.array(packets.begins) & (pts != NO_TIME)
    begins[1:] &= before[:-1] < pts[1:]
    entries = np.flatnonzero(begins)
    firsts = np.searchsorted(np.sort(times), pts[entries])  # of a hidden one, the first that is shown after it
    if not len(entries) or entries[0] > 0:
        entries, firsts = np.r_[0, entries], np.r_[0, firsts]
    else:
        firsts[0] = 0
    return Index(len(times), entries, firsts, rank)


def index_by_count(packets: Packets) -> Index | None:
    """Count the frames before each closed entry, or return None where there is none at the start."""
    entries = np.flatnonzero(packets.closed)
    shown = np.array(packets.shown)
    if not shown.any() or not len(entries) or entries[0] > 0:
        return None
    firsts = (np.cumsum(shown) - shown)[entries]
    return Index(int(shown.sum()), entries, firsts)


def leading_packets(packets: Packets, index: Index) -> np.ndarray:
    """Packets at the start of which only decoding tells whether they are shown.

    They come before the first entry, or are shown before it: what they refer to may have been cut off.
    """
    first = int(np.flatnonzero(packets.begins)[0]) if any(packets.begins) else len(packets.pts)
    rank = index.rank
    if first == len(rank):
        return np.flatnonzero(rank >= 0)
    numbers = np.arange(len(rank))
    border = np.array(packets.pts)[first]
    return np.flatnonzero((rank >= 0) & ((numbers < first) | (np.array(packets.pts) < border)))
