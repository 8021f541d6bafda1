"""What packets say of themselves, where containers say nothing or something else.

Of each bitstream only as much is read as tells how many frames of a packet are shown, and whether decoding can begin at
it.
"""

import re
from collections.abc import Callable, Iterator
from itertools import chain, islice, repeat
from typing import NamedTuple

import av

TINY = 64  # bytes; a packet of more has a picture
HIGH_PROFILES = (44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244)  # of H.264, Section 7.3.2.1.1


class Picture(NamedTuple):
    """What is in a packet.

    Attributes:
        frames (int): Frames that are shown.
        begins (bool): Whether this frame, and all that are shown after it, can be decoded from here to the last bit.
        closed (bool): Whether, besides, all that comes after it in the file is shown after all that comes before it.
        ahead (bool): Whether it is decoded ahead of frames that are shown before it, where times do not say so.
    """

    frames: int
    begins: bool
    closed: bool
    ahead: bool = False


INNER, KEY, HIDDEN = Picture(1, False, False), Picture(1, True, True), Picture(0, False, False)


class Plain:
    """Codecs of which every packet is a frame that is shown, and key frames are what their containers say: AV1."""

    def __init__(self, extradata: bytes | None) -> None:
        pass

    def __call__(self, packet: av.Packet) -> Picture:
        return KEY if packet.is_keyframe else INNER


class Vp8(Plain):
    """VP8, which has frames that are only referred to (RFC 6386, Section 9.1)."""

    def __call__(self, packet: av.Packet) -> Picture:
        show_frame = memoryview(packet)[0] >> 4 & 1
        return super().__call__(packet) if show_frame else HIDDEN


class Vp9(Plain):
    """VP9, which has them too; where they travel with one that is shown, FFmpeg parts them (Section 6.2, Annex B)."""

    def __call__(self, packet: av.Packet) -> Picture:
        data = memoryview(packet)
        superframe = data[-1] >> 5 == 0b110
        header = data[0] >> (0 if data[0] >> 4 & 3 == 3 else 1)  # profile 3 has a reserved bit before these
        show_existing_frame, show_frame = header >> 2 & 1, header & 1
        return super().__call__(packet) if superframe or show_existing_frame or show_frame else HIDDEN


class H264:
    """H.264, whose access units consist of NAL units."""

    SLICES, IDR, SEI = range(1, 6), range(5, 6), 6  # nal_unit_type, Table 7-1
    LENGTH_SIZE = 4  # where its configuration record, avcC, holds lengthSizeMinusOne
    RECOVERY_POINT = 6  # payloadType, Section D.1.1

    def __init__(self, extradata: bytes | None) -> None:
        self.length_size = 0  # start codes
        if extradata and extradata[0] == 1 and len(extradata) > self.LENGTH_SIZE:
            self.length_size = (extradata[self.LENGTH_SIZE] & 3) + 1

    def __call__(self, packet: av.Packet) -> Picture:
        if packet.size >= TINY and not packet.is_keyframe:
            return INNER
        for unit in nal_units(memoryview(packet), self.length_size):
            kind = unit[0] & 31
            if kind == self.SEI and packet.is_keyframe and self._recovers_at_once(bytes(unit[1:])):
                return Picture(1, True, False)
            if kind in self.SLICES:
                return KEY if kind in self.IDR else INNER
        return INNER if packet.is_keyframe else HIDDEN  # some cameras wrap the slices of key frames in other units

    def _recovers_at_once(self, sei: bytes) -> bool:
        """Whether messages say that all that is shown from here on is exact (Section D.1.8)."""
        sei = sei.replace(b'\0\0\3', b'\0\0')  # emulation_prevention_three_byte
        place = 0
        while place + 2 < len(sei):
            kind, place = self._read_sum(sei, place)
            size, place = self._read_sum(sei, place)
            if kind == self.RECOVERY_POINT:
                # recovery_frame_cnt = 0, which is the bit 1; exact_match_flag = 1; broken_link_flag = 0
                return place < len(sei) and sei[place] >> 5 == 0b110
            place += size
        return False

    @staticmethod
    def _read_sum(sei: bytes, place: int) -> tuple[int, int]:
        """Read bytes up to one that is not 255, and return their sum and the place after them."""
        total = 0
        while place < len(sei):
            total, place = total + sei[place], place + 1
            if sei[place - 1] != 255:
                break
        return total, place


class Hevc(H264):
    """H.265."""

    SLICES, IRAP, IDR = range(32), range(16, 24), range(19, 21)  # nal_unit_type, Table 7-1
    LENGTH_SIZE = 21  # in hvcC

    def __call__(self, packet: av.Packet) -> Picture:
        if packet.size >= TINY and not packet.is_keyframe:
            return INNER
        for unit in nal_units(memoryview(packet), self.length_size):
            kind = unit[0] >> 1 & 63
            if kind in self.SLICES:
                return Picture(1, kind in self.IRAP, kind in self.IDR)
        return INNER if packet.is_keyframe else HIDDEN


class Mpeg12:
    """MPEG-1 and MPEG-2 video."""

    PICTURE = b'\0\0\1\0'
    INTRA = 1  # picture_coding_type, Table 6-12

    def __init__(self, extradata: bytes | None) -> None:
        pass

    def __call__(self, packet: av.Packet) -> Picture:
        if packet.size >= TINY and not packet.is_keyframe:
            return INNER
        data = bytes(packet)
        start = data.find(self.PICTURE)
        if start < 0:
            return HIDDEN
        kind = int.from_bytes(data[start + 4 : start + 6], 'big') >> 3 & 7  # after temporal_reference
        return Picture(1, kind == self.INTRA and packet.is_keyframe, False)


class Mpeg4:
    """MPEG-4 part 2, such as DivX and Xvid, which avi files hold without the times at which frames are shown."""

    VOP = b'\0\0\1\xb6'
    INTRA, BIDIRECTIONAL = 0, 2  # vop_coding_type, Table 6-20

    def __init__(self, extradata: bytes | None) -> None:
        self.time_bits = vop_time_bits(extradata or b'')

    def __call__(self, packet: av.Packet) -> Picture:
        data = bytes(packet)
        start = data.find(self.VOP) + len(self.VOP)
        if start < len(self.VOP):
            return HIDDEN
        if self.time_bits is None or self.VOP in data[start:]:
            return Picture(2, False, False)  # as in DivX's packed files, whose frames are in other packets
        bits = int.from_bytes(data[start : start + 16].ljust(16, b'\0'), 'big')
        kind, place = bits >> 126, 125  # the next bit
        while bits >> place & 1 and place > 100:  # modulo_time_base
            place -= 1
        # that sequence's 0, a marker, vop_time_increment, a marker and vop_coded
        coded = bits >> (place - 3 - self.time_bits) & 1
        begins = kind == self.INTRA
        return Picture(int(coded), begins, False, kind != self.BIDIRECTIONAL)


READERS: dict[str, Callable[[bytes | None], Callable[[av.Packet], Picture]]] = {
    'h264': H264,
    'hevc': Hevc,
    'av1': Plain,
    'vp8': Vp8,
    'vp9': Vp9,
    'mpeg4': Mpeg4,
    'mpeg1video': Mpeg12,
    'mpeg2video': Mpeg12,
}


def nal_units(data: memoryview, length_size: int) -> Iterator[memoryview]:
    """Yield the NAL units of an access unit.

    Args:
        data (memoryview): The packet.
        length_size (int): Bytes of the length before each unit, as in mp4 and Matroska; 0 where start codes part them,
            as in MPEG-TS and avi.
    """
    if length_size:
        start = 0
        while start + length_size < len(data):
            end = start + length_size + int.from_bytes(data[start : start + length_size], 'big')
            if unit := data[start + length_size : end]:
                yield unit
            start = end
        return
    content = bytes(data)
    start = content.find(b'\0\0\1')
    while start >= 0:
        end = content.find(b'\0\0\1', start + 3)
        if unit := data[start + 3 : end if end >= 0 else len(data)]:
            yield unit
        start = end


class Bits:
    """Reads a header bit by bit; after its end come zeros."""

    def __init__(self, data: bytes) -> None:
        self._bits = chain(f'{int.from_bytes(data, "big"):0{8 * len(data)}b}', repeat('0'))

    def take(self, count: int) -> int:
        """u(n), an unsigned number of some bits."""
        return int('0' + ''.join(islice(self._bits, count)), 2)

    def take_golomb(self) -> int:
        """ue(v), an unsigned Exp-Golomb code (H.264, Section 9.1)."""
        zeros = 0
        while not self.take(1) and zeros < 32:
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def has_fields(headers: bytes) -> bool:
    """Whether H.264 pictures may be fields, by ``frame_mbs_only_flag`` of the first sequence parameter set in headers.

    Args:
        headers (bytes): Extradata, a configuration record or units after start codes.
    """
    start = 8 if headers[:1] == b'\1' else headers.find(b'\0\0\1') + 3  # the first unit is the parameter set
    bits = Bits(headers[start + 1 : start + 64].replace(b'\0\0\3', b'\0\0'))
    profile = bits.take(8)
    bits.take(16)
    bits.take_golomb()  # seq_parameter_set_id
    if profile in HIGH_PROFILES:
        if bits.take_golomb() == 3:  # chroma_format_idc
            bits.take(1)
        bits.take_golomb(), bits.take_golomb()  # bit depths
        bits.take(1)
        if bits.take(1):  # scaling matrices, which hardly a file has, are not read
            return False
    bits.take_golomb()  # log2_max_frame_num_minus4
    order_type = bits.take_golomb()  # pic_order_cnt_type
    if order_type == 0:
        bits.take_golomb()
    elif order_type == 1:
        bits.take(1)
        bits.take_golomb(), bits.take_golomb()
        for _ in range(min(bits.take_golomb(), 255)):
            bits.take_golomb()
    bits.take_golomb()  # max_num_ref_frames
    bits.take(1)
    bits.take_golomb(), bits.take_golomb()  # width and height in macroblocks
    return not bits.take(1)


def vop_time_bits(headers: bytes) -> int | None:
    """Bits of ``vop_time_increment``, by the header of the video object layer (ISO/IEC 14496-2, Section 6.2.3).

    Returns:
        int or None: None if there is no header, or one of a shape that is not rectangular.
    """
    header = re.search(rb'\x00\x00\x01[\x20-\x2f](.{1,32})', headers, re.DOTALL)
    if not header:
        return None
    take = Bits(header[1]).take
    take(1 + 8)  # random_accessible_vol, video_object_type_indication
    if take(1):  # is_object_layer_identifier
        take(4 + 3)
    if take(4) == 15:  # aspect_ratio_info
        take(16)
    if take(1):  # vol_control_parameters
        take(2 + 1)
        if take(1):  # vbv_parameters
            take(79)
    if take(2) != 0:  # video_object_layer_shape
        return None
    take(1)
    return max((take(16) - 1).bit_length(), 1)  # vop_time_increment_resolution
