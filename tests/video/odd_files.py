"""Files that no encoder here makes, written by hand: field pictures, packed B-frames, edit lists, false key frames."""

import struct
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from tests.video.make_files import Edit, numbered_image, rewrite


class _Bits:
    """Writes a H.264 bitstream (ITU-T H.264, 7.2 and 9.1)."""

    def __init__(self) -> None:
        self.bits = []

    def u(self, count: int, value: int) -> '_Bits':
        self.bits += [value >> i & 1 for i in reversed(range(count))]
        return self

    def ue(self, *values: int) -> '_Bits':
        for value in values:
            count = (value + 1).bit_length()
            self.u(2 * count - 1, value + 1)
        return self

    def align(self) -> '_Bits':
        return self.u(-len(self.bits) % 8, 0)

    def unit(self, header: int) -> bytes:
        """The NAL unit, with a start code, stop bit and emulation prevention."""
        payload = bytes(np.packbits(self.u(1, 1).align().bits))
        escaped, zeros = bytearray(), 0
        for byte in payload:
            if zeros == 2 and byte <= 3:
                escaped.append(3)
                zeros = 0
            escaped.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return b'\0\0\0\1' + bytes([header]) + bytes(escaped)


def _picture(bits: _Bits, planes: list[np.ndarray], rows: range, skipped: int, first_type: int) -> None:
    """Append macroblocks as raw samples (I_PCM), and skip those below."""
    for row in rows:
        for column in range(planes[0].shape[1] // 16):
            if first_type:  # in P slices
                bits.ue(0)  # mb_skip_run
            bits.ue(25 + first_type).align()
            for plane, size in zip(planes, (16, 8, 8)):
                block = plane[row * size : (row + 1) * size, column * size : (column + 1) * size]
                bits.bits += np.unpackbits(np.ascontiguousarray(block)).tolist()
    if skipped:
        bits.ue(skipped)


def field_pictures(path: Path, frames: int = 24, group: int = 8) -> None:
    """Write H.264 of which each picture is one field: the first of a group an I field, the others P fields.

    P fields have the upper half of the picture, where the number is, and take the lower one from the field before.
    """
    stream = [
        _Bits().u(8, 77).u(8, 0).u(8, 20).ue(0, 4, 2, 2).u(1, 0).ue(3, 1).u(1, 0).u(3, 0b100).u(1, 0).unit(0x67),
        _Bits().ue(0, 0).u(1, 0).u(1, 0).ue(0, 0, 0).u(1, 0).u(2, 0).ue(0, 0, 0).u(3, 0).unit(0x68),
    ]
    for number in range(frames):
        image = av.VideoFrame.from_ndarray(numbered_image(number), format='rgb24').to_ndarray(format='yuv420p')
        luma, chroma = image[:64], image[64:].reshape(2, 32, 32)
        place = number % group
        for bottom in (0, 1):
            planes = [plane[bottom::2] for plane in (luma, *chroma)]
            key = place == 0 and not bottom
            bits = _Bits().ue(0, 7 if key else 5, 0).u(8, place).u(1, 1).u(1, bottom)  # frame_num, field_pic_flag
            if key:
                bits.ue(number // group)  # idr_pic_id
            else:
                bits.u(1, 0).u(1, 0)  # num_ref_idx_active_override_flag, ref_pic_list_modification_flag
            bits.u(2 if key else 1, 0).ue(0)  # reference marking, slice_qp_delta
            _picture(bits, planes, range(2 if key else 1), 0 if key else 4, 0 if key else 5)
            stream.append(bits.unit(0x65 if key else 0x61))
    path.write_bytes(b''.join(stream))


def fields_in(path: Path, paired: bool = False) -> None:
    """Put field pictures into a container.

    Args:
        path (Path): With the container's ending.
        paired (bool): Both fields of a frame are in one packet, as Matroska wants it.
    """
    raw = path.with_suffix('.h264')
    field_pictures(raw)
    content = raw.read_bytes()
    starts = [
        i for i in range(len(content) - 4) if content[i : i + 4] == b'\0\0\0\1' and content[i + 4] in (0x65, 0x61)
    ]
    bounds = [0, *starts[1:], len(content)]
    fields = [content[start:stop] for start, stop in pairwise(bounds)]
    if paired:
        fields = [first + second for first, second in zip(fields[::2], fields[1::2])]
    with av.open(str(raw)) as source, av.open(str(path), 'w') as target:
        copy = target.add_stream_from_template(source.streams.video[0], opaque=True)
        copy.time_base = Fraction(1, 25 if paired else 50)
        for i, payload in enumerate(fields):
            packet = av.Packet(payload)
            packet.time_base = Fraction(1, 50)
            packet.pts = packet.dts = 2 * i if paired else i
            packet.is_keyframe = payload.find(b'\0\0\0\1\x65') >= 0
            packet.stream = copy
            target.mux(packet)


def pack_b_frames() -> Edit:
    """Put each B-frame of MPEG-4 into the packet before it, and an empty one in its place, as DivX 5 does in avi."""
    marker = b'\0\0\1\xb2DivX503b1393p'

    def change(packets: list[av.Packet]) -> Iterator[av.Packet]:
        payloads = [bytes(packet) for packet in packets]
        kinds = [payload[payload.index(b'\0\0\1\xb6') + 4] >> 6 for payload in payloads]
        packed, place = [], 0
        while place < len(payloads):
            if place + 1 < len(payloads) and kinds[place + 1] == 2:
                packed += [payloads[place] + payloads[place + 1], b'\0\0\1\xb6\x50\x00\x7f']
                place += 2
            else:
                packed.append(payloads[place])
                place += 1
        for i, payload in enumerate(packed):
            start = payload.index(b'\0\0\1\xb6')
            packet = av.Packet(payload[:start] + marker + payload[start:] if i == 0 else payload)
            packet.time_base = packets[0].time_base
            packet.pts = packet.dts = i
            packet.is_keyframe = payload[start + 4] >> 6 == 0
            yield packet

    return rewrite(change)


def mark_keys(is_key: Callable[[int], bool]) -> Edit:
    """Tell the container other key frames than there are."""

    def change(packets: list[av.Packet]) -> Iterable[av.Packet]:
        for i, packet in enumerate(packets):
            packet.is_keyframe = is_key(i)
        return packets

    return rewrite(change)


def split_superframes() -> Edit:
    """Put hidden frames of VP9 into packets of their own."""

    def edit(path: Path) -> None:
        def change(packets: list[av.Packet]) -> Iterator[av.Packet]:
            split = av.bitstream.BitStreamFilterContext('vp9_superframe_split', packets[0].stream)
            for packet in packets:
                yield from split.filter(packet)

        rewrite(change)(path)

    return edit


def edit_list(*segments: tuple[float | None, float, float]) -> Edit:
    """Give an mp4 file another edit list.

    Args:
        *segments (tuple): Where a segment begins in the track in seconds, None for a pause; how long it is shown, in
            seconds; and how fast.
    """

    def edit(path: Path) -> None:
        content = bytearray(path.read_bytes())
        movie = content.index(b'moov') - 4
        assert movie > content.index(b'mdat')  # so that nothing refers to what moves
        (movie_scale,) = struct.unpack_from('>I', content, content.index(b'mvhd') + 16)
        (scale,) = struct.unpack_from('>I', content, content.index(b'mdhd') + 16)
        entries = b''.join(
            struct.pack(
                '>IiI',
                round(duration * movie_scale),
                -1 if start is None else round(start * scale),
                round(speed * 65536),
            )
            for start, duration, speed in segments
        )
        box = b'elst' + struct.pack('>II', 0, len(segments)) + entries
        box = b'edts' + struct.pack('>I', len(box) + 4) + box
        box = struct.pack('>I', len(box) + 4) + box
        start = content.find(b'edts', movie) - 4
        if start < 0:
            start = stop = content.index(b'mdia', movie) - 4
        else:
            stop = start + struct.unpack_from('>I', content, start)[0]
        for name in (b'moov', b'trak'):
            place = content.index(name, movie - 1 if name == b'moov' else movie) - 4
            (size,) = struct.unpack_from('>I', content, place)
            struct.pack_into('>I', content, place, size + len(box) - (stop - start))
        content[start:stop] = box
        path.write_bytes(content)

    return edit
