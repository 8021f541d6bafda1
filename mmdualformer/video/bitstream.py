"""What packets say of themselves, where containers say nothing or something else.

Only as much of each bitstream is read as tells whether decoding can begin at a packet, and whether a packet is shown.
"""

from collections.abc import Iterator

# nal_unit_type (H.264, Table 7-1; H.265, Table 7-1)
H264_SLICES, H264_IDR, H264_SEI = range(1, 6), 5, 6
HEVC_SLICES, HEVC_IRAP, HEVC_IDR = range(32), range(16, 24), (19, 20)
RECOVERY_POINT = 6  # payloadType (H.264, D.1)


def nal_units(data: memoryview, length_size: int) -> Iterator[memoryview]:
    """Yield the NAL units of an access unit.

    Args:
        data (memoryview): The packet.
        length_size (int): Bytes of the length before each unit (mp4, Matroska); 0 for start codes (MPEG-TS, avi).
    """
    if length_size:
        start = 0
        while start + length_size < len(data):
            end = start + length_size + int.from_bytes(data[start:start + length_size], 'big')
            yield data[start + length_size:end]
            start = end
        return
    content = bytes(data)
    start = content.find(b'\0\0\1')
    while start >= 0:
        end = content.find(b'\0\0\1', start + 3)
        if unit := data[start + 3:end if end >= 0 else len(data)]:
            yield unit
        start = end


def length_size(codec: str, extradata: bytes | None) -> int:
    """Bytes of the length before each NAL unit, by the codec's configuration record; 0 for start codes."""
    if not extradata or extradata[0] != 1:
        return 0
    place = 4 if codec == 'h264' else 21  # lengthSizeMinusOne of avcC and hvcC
    return (extradata[place] & 3) + 1 if len(extradata) > place else 0


def begins_h264(data: memoryview, length_size: int) -> tuple[bool, bool]:
    """Tell whether decoding can begin at an H.264 access unit.

    Returns:
        tuple: Whether it and all that is shown after it can be decoded to the last bit, and whether it is closed, which
        means that all that comes after it in the file is shown after all that comes before it.
    """
    for unit in nal_units(data, length_size):
        kind = unit[0] & 31 if unit else 0
        if kind == H264_SEI and _recovers_at_once(bytes(unit[1:])):
            return True, False
        if kind in H264_SLICES:
            return kind == H264_IDR, kind == H264_IDR
    return False, False


def begins_hevc(data: memoryview, length_size: int) -> tuple[bool, bool]:
    """Tell the same as :func:`begins_h264` of an H.265 access unit."""
    for unit in nal_units(data, length_size):
        kind = unit[0] >> 1 & 63 if unit else 63
        if kind in HEVC_SLICES:
            return kind in HEVC_IRAP, kind in HEVC_IDR
    return False, False


def has_slice(codec: str, data: memoryview, length_size: int) -> bool:
    """Whether an access unit of H.264 or H.265 has a picture in it, and not only parameters or messages."""
    if codec == 'h264':
        return any(unit and unit[0] & 31 in H264_SLICES for unit in nal_units(data, length_size))
    return any(unit and unit[0] >> 1 & 63 in HEVC_SLICES for unit in nal_units(data, length_size))


def shows_vp8(data: memoryview) -> bool:
    """Whether a VP8 frame is shown, and not only referred to (RFC 6386, 9.1)."""
    return bool(data[0] >> 4 & 1)


def shows_vp9(data: memoryview) -> bool:
    """Whether a VP9 packet has a frame that is shown (VP9 bitstream, 6.2 and Annex B)."""
    if data[-1] >> 5 == 0b110:  # a superframe: hidden frames travel with the one that is shown
        return True
    header = data[0] >> (0 if data[0] >> 4 & 3 == 3 else 1)  # profile 3 has a reserved bit more
    show_existing_frame, show_frame = header >> 2 & 1, header & 1
    return bool(show_existing_frame or show_frame)


def _recovers_at_once(sei: bytes) -> bool:
    """Whether an SEI message says that all that is shown from here on is exact (H.264, D.1.8)."""
    sei = sei.replace(b'\0\0\3', b'\0\0')  # emulation prevention
    place = 0
    while place + 2 < len(sei):
        kind = size = 0
        while sei[place] == 255 and place + 2 < len(sei):
            kind, place = kind + 255, place + 1
        kind, place = kind + sei[place], place + 1
        while sei[place] == 255 and place + 1 < len(sei):
            size, place = size + 255, place + 1
        size, place = size + sei[place], place + 1
        if kind == RECOVERY_POINT:
            # recovery_frame_cnt ue(v) = 0 is a bit of 1; then exact_match_flag = 1, broken_link_flag = 0
            return place < len(sei) and sei[place] >> 5 == 0b110
        place += size
    return False
