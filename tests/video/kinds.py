"""The table of files that the exact reader is tested with: one line a kind."""

from collections.abc import Iterable
from fractions import Fraction
from functools import partial

from av.video.reformatter import ColorRange, Colorspace

from tests.video.make_files import (
    Edit,
    Kind,
    blank,
    cut,
    drop,
    flip,
    flip_packets,
    join,
    keep,
    offset,
    remove,
    retime,
    truncate,
)
from tests.video.odd_files import edit_list, field_pictures, fields_in, mark_keys, pack_b_frames, split_superframes

BT709 = dict(colorspace=Colorspace.ITU709, color_primaries=1, color_trc=1)
BT2020 = dict(colorspace=Colorspace.BT2020, color_primaries=9, color_trc=16)
FULL = dict(color_range=ColorRange.JPEG)
OPEN_GOP = 'x264-params=keyint=8:min-keyint=4:bframes=3:b-adapt=0:open-gop=1'
REFRESH = 'x264-params=intra-refresh=1:keyint=10'
HEVC = 'x265-params=keyint=12:log-level=none'  # with open groups of pictures, as it is by default
AV1 = 'g=16 preset=12 svtav1-params=lp=1'
HIDDEN = 'auto-alt-ref=1 lag-in-frames=20 g=30'  # frames that are only referred to
TURNED = dict(suffix='mp4', options='g=12', size=(64, 96))


def irregular(index: int) -> int:
    """Times of a variable frame rate, in milliseconds."""
    return 40 * index + (index * 7919) % 23 + 500 * (index > 20)


def joined(suffix: str, codec: str = 'libx264', **second) -> Kind:
    """A file of the bytes of two, of which the second may have another size or pixel format."""
    return Kind(
        suffix, codec, 'g=12', edits=(join(Kind(suffix, codec, 'g=12', first=100, **second)),), shown=None, whole=False
    )


def cut_kind(suffix: str, codec: str = 'libx264', options: str = 'g=25', **others) -> Kind:
    """A file cut without encoding between key frames."""
    return Kind(suffix, codec, options, frames=100, edits=(cut(1.4, 2.6),), shown=None, **others)


def headless(suffix: str, codec: str = 'libx264', options: str = 'g=25') -> Kind:
    """A file of which the first packets are missing."""
    return Kind(suffix, codec, options, frames=60, edits=(keep(10),), shown=None, whole=False)


def damaged(suffix: str, edit: Edit, codec: str = 'libx264', options: str = 'g=12', **others) -> Kind:
    """A file that something has happened to."""
    return Kind(suffix, codec, options, frames=60, edits=(edit,), shown=None, **others)


def by_hand(suffix: str, write: Edit, shown: Iterable[int] = range(24)) -> Kind:
    """A file that a function writes."""
    return Kind(suffix, frames=1, edits=(write,), shown=shown)


def edited(*segments: tuple, shown: Iterable[int] | None) -> Kind:
    """An mp4 file with an edit list."""
    return Kind('mp4', options='g=16', edits=(edit_list(*segments),), shown=shown)


SOUND = {
    # containers
    'mp4': Kind('mp4'),
    'mp4 index first': Kind('mp4', muxer='movflags=faststart'),
    'mov': Kind('mov', extras=('audio',)),
    'mp4 fragments': Kind('mp4', options='g=8', muxer='movflags=frag_keyframe+empty_moov'),
    'mp4 a fragment a frame': Kind('mp4', options='g=12', muxer='movflags=frag_every_frame+empty_moov'),
    'ismv': Kind('ismv', options='g=12'),
    'mkv': Kind('mkv', options='g=12'),
    'mkv no cues': Kind('mkv', options='g=12', muxer='live=1'),
    'nut': Kind('nut', options='g=12'),
    '3gp': Kind('3gp', 'mpeg4', 'g=12'),
    'flv': Kind('flv', options='g=12 bf=2'),
    'f4v': Kind('f4v', options='g=12'),
    'avi': Kind('avi', options='g=12 bf=0'),
    'avi B-frames': Kind('avi', options='g=12 bf=2'),
    'ts': Kind('ts', options='g=12', extras=('audio',)),
    'm2ts': Kind('m2ts', options='g=12'),
    'ts default GOP': Kind('ts', frames=60),
    'mpg': Kind('mpg', 'mpeg2video', 'g=12 bf=2', extras=('audio',)),
    'mpg mpeg1': Kind('mpg', 'mpeg1video', 'g=12 bf=2'),
    'mpg h264': Kind('mpg', options='g=12'),
    'vob': Kind('vob', 'mpeg2video', 'g=8 bf=2'),
    'mxf': Kind('mxf', 'mpeg2video', 'g=12 bf=2'),
    'wmv': Kind('wmv', 'wmv2', 'g=12'),
    'asf wmv1': Kind('asf', 'wmv1', 'g=12'),
    'asf msmpeg4': Kind('asf', 'msmpeg4', 'g=12', extras=('audio',)),
    'asf h264': Kind('asf', options='g=12'),
    'wtv': Kind('wtv', 'mpeg2video', 'g=12'),
    'ogv vp8': Kind('ogv', 'libvpx', 'g=12'),
    'rm': Kind('rm', 'rv20', 'g=12', size=(176, 144)),
    'swf': Kind('swf', 'flv', 'g=12'),
    'gif': Kind('gif', 'gif', pix_fmt='rgb8'),
    'apng': Kind('apng', 'apng', pix_fmt='rgba'),
    'dv': Kind('dv', 'dvvideo', size=(720, 576), frames=8),
    'gxf': Kind('gxf', 'mpeg2video', 'g=6 bf=0', pix_fmt='yuv422p', size=(720, 576), frames=8),
    'roq': Kind('roq', 'roq', pix_fmt='yuvj444p', rate=30),
    # streams without a container
    'h264': Kind('h264', options='g=12'),
    'h264 no B-frames': Kind('h264', options='g=12 bf=0'),
    'hevc': Kind('hevc', 'libx265', HEVC),
    'm4v': Kind('m4v', 'mpeg4', 'g=12'),
    'm4v B-frames': Kind('m4v', 'mpeg4', 'g=12 bf=2'),
    'm2v': Kind('m2v', 'mpeg2video', 'g=12 bf=2', container='mpeg2video'),
    'm1v': Kind('m1v', 'mpeg1video', 'g=12 bf=2', container='mpeg1video'),
    'mjpeg': Kind('mjpeg', 'mjpeg', pix_fmt='yuvj420p'),
    'ivf': Kind('ivf', 'libvpx-vp9', 'g=12'),
    'obu': Kind('obu', 'libsvtav1', AV1),
    'y4m': Kind('y4m', 'rawvideo'),
    # groups of pictures
    'one key frame': Kind('mp4', options='g=250', frames=100),
    'all key frames': Kind('mp4', options='g=1'),
    'closed GOP': Kind('mp4', options='x264-params=keyint=8:min-keyint=8:bframes=3:b-adapt=0'),
    'open GOP': Kind('mp4', options=OPEN_GOP, frames=60),
    'open GOP mkv': Kind('mkv', options=OPEN_GOP, frames=60),
    'open GOP ts': Kind('ts', options=OPEN_GOP, frames=60),
    'B-pyramid': Kind('mp4', options='x264-params=keyint=24:bframes=7:b-adapt=0:b-pyramid=normal', frames=60),
    'strict B-pyramid': Kind('mkv', options='x264-params=keyint=24:bframes=7:b-adapt=0:b-pyramid=strict', frames=60),
    'no B-frames': Kind('mp4', options='g=12 bf=0'),
    'scene cuts': Kind('mp4', options='x264-params=keyint=250:min-keyint=1:scenecut=400', frames=60),
    'many references': Kind('mkv', options='x264-params=keyint=20:ref=8:bframes=5:weightp=2', frames=60),
    'intra refresh': Kind('mp4', options=REFRESH + ':bframes=0', frames=60),
    'intra refresh mkv': Kind('mkv', options=REFRESH, frames=60),
    'intra refresh ts': Kind('ts', options=REFRESH, frames=60),
    'hevc open GOP mp4': Kind('mp4', 'libx265', HEVC, frames=60),
    'hevc open GOP mkv': Kind('mkv', 'libx265', HEVC, frames=60),
    'hevc open GOP ts': Kind('ts', 'libx265', HEVC, frames=60),
    'hevc closed GOP': Kind('mp4', 'libx265', HEVC + ':open-gop=0'),
    'hevc hev1 RADL': Kind('mp4', 'libx265', HEVC + ':open-gop=0:radl=2:bframes=4'),
    'mpeg4 B-frames mp4': Kind('mp4', 'mpeg4', 'g=12 bf=2'),
    'mpeg4 B-frames mkv': Kind('mkv', 'mpeg4', 'g=12 bf=2'),
    'mpeg4 B-frames avi': Kind('avi', 'mpeg4', 'g=12 bf=2'),
    'mpeg4 avi': Kind('avi', 'mpeg4', 'g=12', frames=60),
    'mpeg4 one key frame avi': Kind('avi', 'mpeg4', 'g=250', frames=60),
    'mpeg4 qpel': Kind('mp4', 'mpeg4', 'g=12 bf=1 flags=+qpel+mv4'),
    'mpeg2 B-frames mkv': Kind('mkv', 'mpeg2video', 'g=12 bf=2', frames=60),
    'mpeg2 closed GOP mkv': Kind('mkv', 'mpeg2video', 'g=12 bf=2 flags=+cgop sc_threshold=1000000000'),
    'mpeg2 ts': Kind('ts', 'mpeg2video', 'g=12 bf=2', frames=60),
    'mpeg2 mov': Kind('mov', 'mpeg2video', 'g=12 bf=2'),
    # interlaced
    'interlaced h264': Kind('mp4', options='g=12 flags=+ildct+ilme x264-params=tff=1'),
    'interlaced h264 ts': Kind('ts', options='g=12 flags=+ildct+ilme x264-params=bff=1:keyint=12'),
    'fake interlaced h264': Kind('mkv', options='x264-params=fake-interlaced=1:keyint=12'),
    'interlaced mpeg2': Kind('mpg', 'mpeg2video', 'g=12 bf=2 flags=+ildct+ilme top=1'),
    'interlaced mpeg4': Kind('avi', 'mpeg4', 'g=12 flags=+ildct+ilme'),
    'interlaced dv': Kind('avi', 'dvvideo', pix_fmt='yuv411p', size=(720, 480), frames=8, rate=Fraction(30000, 1001)),
    # codecs
    'vp8': Kind('webm', 'libvpx', 'g=12'),
    'vp8 hidden frames': Kind('webm', 'libvpx', HIDDEN, frames=60),
    'vp9': Kind('webm', 'libvpx-vp9', 'g=12'),
    'vp9 hidden frames': Kind('webm', 'libvpx-vp9', HIDDEN, frames=60),
    'vp9 mp4': Kind('mp4', 'libvpx-vp9', 'lag-in-frames=16 g=20'),
    'av1': Kind('mp4', 'libsvtav1', AV1),
    'av1 mkv': Kind('mkv', 'libsvtav1', AV1, frames=60),
    'av1 10 bit': Kind('webm', 'libsvtav1', AV1, pix_fmt='yuv420p10le'),
    'mjpeg avi': Kind('avi', 'mjpeg', pix_fmt='yuvj420p'),
    'mjpeg mov': Kind('mov', 'mjpeg', pix_fmt='yuvj422p'),
    'ljpeg': Kind('avi', 'ljpeg', pix_fmt='yuvj420p'),
    'prores': Kind('mov', 'prores_ks', pix_fmt='yuv422p10le', frames=16),
    'prores alpha': Kind('mov', 'prores_ks', 'profile=4', pix_fmt='yuva444p10le', frames=16),
    'ffv1': Kind('mkv', 'ffv1', 'g=12'),
    'ffv1 16 bit': Kind('mkv', 'ffv1', pix_fmt='yuv420p16le', frames=16),
    'ffv1 grey 16 bit': Kind('mkv', 'ffv1', pix_fmt='gray16le', frames=16),
    'huffyuv': Kind('avi', 'huffyuv', pix_fmt='yuv422p'),
    'huffyuv rgb': Kind('avi', 'huffyuv', pix_fmt='rgb24'),
    'ffvhuff': Kind('avi', 'ffvhuff'),
    'utvideo': Kind('avi', 'utvideo'),
    'magicyuv': Kind('avi', 'magicyuv'),
    'png alpha': Kind('mov', 'png', pix_fmt='rgba'),
    'qtrle': Kind('mov', 'qtrle', 'g=12', pix_fmt='rgb24'),
    'qtrle alpha': Kind('mov', 'qtrle', 'g=12', pix_fmt='argb'),
    'raw avi': Kind('avi', 'rawvideo'),
    'raw bgr avi': Kind('avi', 'rawvideo', pix_fmt='bgr24'),
    'raw uyvy avi': Kind('avi', 'rawvideo', pix_fmt='uyvy422'),
    'raw mkv': Kind('mkv', 'rawvideo'),
    'h263': Kind('3gp', 'h263', 'g=12', size=(176, 144)),
    'flv1': Kind('flv', 'flv', 'g=12'),
    'flashsv': Kind('flv', 'flashsv', 'g=12', pix_fmt='bgr24'),
    'dnxhd': Kind('mov', 'dnxhd', 'profile=dnxhr_hq', pix_fmt='yuv422p', size=(256, 128), frames=16),
    'dnxhd mxf': Kind('mxf', 'dnxhd', 'profile=dnxhr_hq', pix_fmt='yuv422p', size=(256, 128), frames=16),
    'msmpeg4v2 avi': Kind('avi', 'msmpeg4v2', 'g=12'),
    'cinepak': Kind('avi', 'cinepak', 'g=12', pix_fmt='rgb24', frames=16),
    'zmbv': Kind('avi', 'zmbv', 'g=12', pix_fmt='bgr0'),
    'svq1': Kind('mov', 'svq1', 'g=12', pix_fmt='yuv410p'),
    'cfhd': Kind('mov', 'cfhd', pix_fmt='yuv422p10le', frames=16),
    'v210': Kind('mov', 'v210', pix_fmt='yuv422p10le', frames=16),
    'snow': Kind('avi', 'snow', 'g=12 strict=-2', frames=16),
    'jpeg2000': Kind('mkv', 'jpeg2000', frames=16),
    'tiff': Kind('mov', 'tiff', pix_fmt='rgb24', frames=16),
    'hevc 12 bit 4:4:4': Kind('mkv', 'libx265', HEVC, pix_fmt='yuv444p12le'),
    'hevc flv': Kind('flv', 'libx265', HEVC),
    # pixels
    'hevc 10 bit': Kind('mp4', 'libx265', HEVC, pix_fmt='yuv420p10le'),
    'h264 10 bit': Kind('mp4', options='g=12', pix_fmt='yuv420p10le'),
    'h264 4:2:2': Kind('mp4', options='g=12', pix_fmt='yuv422p'),
    'h264 4:4:4': Kind('mp4', options='g=12', pix_fmt='yuv444p'),
    'h264 rgb': Kind('mp4', 'libx264rgb', 'g=12', pix_fmt='rgb24'),
    'h264 grey': Kind('mp4', options='g=12', pix_fmt='gray'),
    'full range': Kind('mp4', options='g=12', pix_fmt='yuvj420p'),
    'full range tag': Kind('mkv', options='g=12', color=FULL),
    'BT.709': Kind('mp4', options='g=12', color=BT709),
    'BT.709 full range': Kind('mkv', options='g=12', color={**BT709, **FULL}),
    'BT.2020 10 bit': Kind('mp4', options='g=12', pix_fmt='yuv420p10le', color=BT2020),
    'BT.2020 8 bit': Kind('mkv', options='g=12', color=BT2020),
    'vp9 alpha': Kind('webm', 'libvpx-vp9', 'g=12', pix_fmt='yuva420p'),
    'vp9 4:4:4': Kind('webm', 'libvpx-vp9', 'g=12', pix_fmt='yuv444p'),
    'odd size': Kind('mkv', 'libvpx-vp9', 'g=12', size=(67, 65)),
    'odd size h264': Kind('mp4', options='g=12', size=(65, 63), pix_fmt='yuv444p'),
    'odd size mpeg4': Kind('avi', 'mpeg4', 'g=12', size=(67, 69)),
    'cropped': Kind('mp4', options='g=12', size=(66, 62)),
    'narrow': Kind('mp4', options='g=12', size=(16, 130)),
    'large': Kind('mp4', options='g=12 preset=ultrafast', size=(642, 362), frames=20),
    # turned
    'turned 90': Kind(**TURNED, turn=(90,)),
    'turned 180': Kind('mov', options='g=12', size=(64, 96), turn=(180,)),
    'turned 270': Kind(**TURNED, turn=(270,)),
    'mirrored': Kind(**TURNED, turn=(0, True, False)),
    'upside down': Kind(**TURNED, turn=(0, False, True)),
    'mirrored and turned 90': Kind(**TURNED, turn=(90, True, False)),
    'mirrored and turned 270': Kind(**TURNED, turn=(270, True, False)),
    'turned mkv': Kind('mkv', options='g=12', size=(64, 96), turn=(90,)),
    'turned 10 bit': Kind(**TURNED, pix_fmt='yuv420p10le', turn=(90,)),
    'turned 4:2:2': Kind(**TURNED, pix_fmt='yuv422p', turn=(270,)),
    'turned odd size': Kind('mov', 'png', size=(67, 65), pix_fmt='rgb24', turn=(90, True, False)),
    # times
    'variable rate mp4': Kind('mp4', options='g=12', times=irregular),
    'variable rate mkv': Kind('mkv', options='g=12', times=irregular),
    'variable rate ts': Kind('ts', options='g=12', times=irregular),
    'variable rate webm': Kind('webm', 'libvpx-vp9', 'lag-in-frames=16 g=20', times=irregular),
    'variable rate gif': Kind('gif', 'gif', pix_fmt='rgb8', times=lambda i: 10 * (4 * i + i % 3)),
    'gap in avi': Kind('avi', 'mpeg4', 'g=12', times=lambda i: 40 * (i + 7 * (i > 15)), whole=False),
    'one frame a minute': Kind('mkv', options='g=12', times=lambda i: 60000 * i),
    '1000 frames a second': Kind('mp4', options='g=12', rate=1000),
    '0.1 frames a second': Kind('mp4', options='g=12', rate=Fraction(1, 10)),
    '29.97 frames a second': Kind('mp4', options='g=12', rate=Fraction(30000, 1001)),
    'late start': Kind('mp4', options='g=12', times=lambda i: 40 * i + 5000),
    'late start ts': Kind('ts', options='g=12', times=lambda i: 40 * i + 5000000),
    'negative start mkv': Kind('mkv', options='g=12', edits=(offset(-0.4, 'avoid_negative_ts=disabled'),)),
    'negative start mp4': Kind('mp4', options='g=12', edits=(offset(-0.4),), shown=range(8, 40)),
    'clock of ts turns over': Kind('ts', options='g=12', edits=(offset(95443.2, 'mpegts_copyts=1'),)),
    'same time twice': Kind('mkv', options='g=12 bf=0', edits=(retime(lambda i: i - i % 2),)),
    'same time mp4': Kind('mp4', 'mjpeg', pix_fmt='yuvj420p', edits=(retime(lambda i: i - i % 3),), shown=None),
    'all at one time': Kind('mkv', 'mjpeg', pix_fmt='yuvj420p', edits=(retime(lambda i: 0),), whole=False),
    'broken order': Kind('mp4', 'mjpeg', pix_fmt='yuvj420p', edits=(retime(lambda i: i * 7 % 40),)),
    'broken order h264': Kind('mp4', options='g=12 bf=0', edits=(retime(lambda i: i ^ 3),), shown=None),
    'broken order mkv': Kind('mkv', options='g=12 bf=0', edits=(retime(lambda i: i ^ 1),)),
    # streams
    'audio first': Kind('mp4', options='g=12', extras=('audio',)),
    'audio mkv': Kind('mkv', options='g=12', extras=('audio',)),
    'small video first': Kind('mkv', options='g=12', extras=(32,)),
    'small video first mp4': Kind('mp4', options='g=12', extras=(32, 'audio'), shown=None),
    'large video first': Kind('mp4', options='g=12', extras=(128,), shown=None),
    'small video first ts': Kind('ts', 'mpeg2video', 'g=12', extras=(32,)),
    'large video first ts': Kind('ts', 'mpeg2video', 'g=12', extras=(128,), shown=None),
    'small video first avi': Kind('avi', 'mpeg4', 'g=12', extras=(32,), shown=None),
    'cover': Kind('mp4', options='g=12', cover=True),
    # several files in one
    'joined ts': joined('ts'),
    'joined mpg': joined('mpg', 'mpeg2video'),
    'joined h264': joined('h264'),
    'joined vob': joined('vob', 'mpeg2video'),
    'size changes ts': joined('ts', size=(96, 80)),
    'size changes mpg': joined('mpg', 'mpeg2video', size=(96, 80)),
    'size changes h264': joined('h264', size=(96, 80)),
    'pixels change h264': joined('h264', pix_fmt='yuv444p'),
    'depth changes ts': joined('ts', pix_fmt='yuv420p10le'),
    # cut without encoding, between key frames
    'cut mp4': Kind('mp4', options='g=25', frames=100, edits=(cut(1.4, 2.6),), shown=range(35, 67)),
    'cut mp4 at a key frame': Kind('mp4', options='g=25', frames=100, edits=(cut(1, 2.6),), shown=range(25, 67)),
    'cut mov': Kind('mov', options='g=25', frames=100, edits=(cut(0.76, 2.6),), shown=range(19, 67)),
    'cut mp4 all key frames': Kind('mp4', options='g=1', frames=100, edits=(cut(1.4, 2.6),), shown=range(35, 65)),
    'cut mov mjpeg': cut_kind('mov', 'mjpeg', pix_fmt='yuvj420p'),
    'cut mov prores': cut_kind('mov', 'prores_ks', '', pix_fmt='yuv422p10le'),
    'cut mp4 open GOP': cut_kind('mp4', options=OPEN_GOP),
    'cut mp4 hevc': cut_kind('mp4', 'libx265', HEVC),
    'cut mp4 mpeg4': cut_kind('mp4', 'mpeg4', 'g=25 bf=2'),
    'cut mp4 vp9': cut_kind('mp4', 'libvpx-vp9', HIDDEN),
    'cut mp4 av1': cut_kind('mp4', 'libsvtav1', AV1),
    'cut mp4 intra refresh': cut_kind('mp4', options=REFRESH),
    'cut mkv': cut_kind('mkv'),
    'cut mkv open GOP': cut_kind('mkv', options=OPEN_GOP),
    'cut mkv hevc': cut_kind('mkv', 'libx265', HEVC),
    'cut ts': cut_kind('ts'),
    'cut ts open GOP': cut_kind('ts', options=OPEN_GOP),
    'cut ts hevc': cut_kind('ts', 'libx265', HEVC),
    'cut avi': cut_kind('avi', 'mpeg4'),
    'cut flv': cut_kind('flv'),
    'cut mpg': cut_kind('mpg', 'mpeg2video', 'g=12 bf=2'),
    'cut webm': cut_kind('webm', 'libvpx-vp9', HIDDEN),
    'cut webm vp8': cut_kind('webm', 'libvpx', HIDDEN),
    'no key frame first mkv': headless('mkv'),
    'no key frame first ts': headless('ts'),
    'no key frame first mp4': headless('mp4'),
    'no key frame first flv': headless('flv', options='g=25 bf=0'),
    'no key frame first avi': headless('avi', 'mpeg4'),
    'no key frame first mpg': headless('mpg', 'mpeg2video', 'g=25 bf=2'),
    'no key frame first hevc': headless('mkv', 'libx265', HEVC),
    'no key frame first vp8': headless('webm', 'libvpx'),
    'no key frame first vp9': headless('webm', 'libvpx-vp9'),
    'no key frame first av1': headless('mkv', 'libsvtav1', AV1),
    'no key frame first mpeg4': headless('mp4', 'mpeg4', 'g=25 bf=2'),
    'no key frame first wmv': headless('wmv', 'wmv2'),
    'no key frame first open GOP': headless('mkv', options=OPEN_GOP),
    'no key frame first refresh': headless('mkv', options=REFRESH),
    # written by hand
    'fields': by_hand('h264', field_pictures),
    'fields ts': by_hand('ts', fields_in),
    'fields m2ts': by_hand('m2ts', fields_in),
    'fields mkv': by_hand('mkv', partial(fields_in, paired=True)),
    'fields mp4': by_hand('mp4', partial(fields_in, paired=True), shown=range(23)),
    'fields avi': by_hand('avi', partial(fields_in, paired=True)),
    'fields apart mkv': by_hand('mkv', fields_in),
    'fields apart mp4': by_hand('mp4', fields_in),
    'fields apart avi': by_hand('avi', fields_in),
    'packed B-frames': Kind('avi', 'mpeg4', 'g=12 bf=1', edits=(pack_b_frames(),)),
    'all marked key h264': Kind('mkv', options='g=12', edits=(mark_keys(lambda i: True),)),
    'all marked key hevc': Kind('mkv', 'libx265', HEVC, edits=(mark_keys(lambda i: True),)),
    'all marked key vp8': Kind('mkv', 'libvpx', 'g=12', edits=(mark_keys(lambda i: True),)),
    'all marked key vp9': Kind('mkv', 'libvpx-vp9', 'g=12', edits=(mark_keys(lambda i: True),)),
    'all marked key av1': Kind('mkv', 'libsvtav1', AV1, edits=(mark_keys(lambda i: True),)),
    'all marked key mpeg4': Kind('mkv', 'mpeg4', 'g=12 bf=2', edits=(mark_keys(lambda i: True),)),
    'some marked key h264': Kind('mp4', options='g=12', edits=(mark_keys(lambda i: i % 5 == 0),)),
    'some marked key vp9': Kind('mp4', 'libvpx-vp9', 'g=12', edits=(mark_keys(lambda i: i % 5 == 0),)),
    'first marked key': Kind('mkv', options='g=12', edits=(mark_keys(lambda i: i == 0),)),
    'none marked key': Kind('mkv', options='g=12', edits=(mark_keys(lambda i: False),)),
    'vp9 hidden frames apart': Kind('webm', 'libvpx-vp9', HIDDEN, edits=(split_superframes(),)),
    'edit list swaps': edited((0.8, 0.4, 1), (0, 0.4, 1), shown=[*range(18, 28), *range(8)]),
    'edit list repeats': edited((0.2, 0.4, 1), (0.2, 0.4, 1), shown=[*range(3, 13)] * 2),
    'edit list leaves out': edited((0.2, 0.4, 1), (1.2, 0.4, 1), shown=None),
    'edit list pauses': edited((None, 0.4, 1), (0.2, 0.4, 1), shown=range(3, 13)),
    'edit list ends early': edited((0, 0.4, 1), shown=None),
    'edit list slows down': edited((0.2, 0.4, 0.5), shown=None),
    'edit list of another time': edited((0.21, 0.39, 1), shown=None),
    # lengths
    'one frame': Kind('mp4', frames=1),
    'one frame avi': Kind('avi', 'mpeg4', frames=1),
    'one frame ts': Kind('ts', frames=1),
    'two frames mkv': Kind('mkv', frames=2),
}

TRUNCATED = {
    'mp4': ('libx264', 'g=12', 'yuv420p', 'movflags=faststart'),
    'mov': ('mjpeg', '', 'yuvj420p', 'movflags=faststart'),
    'mkv': ('libx264', 'g=12', 'yuv420p', ''),
    'webm': ('libvpx-vp9', 'g=12', 'yuv420p', ''),
    'avi': ('mpeg4', 'g=12', 'yuv420p', ''),
    'ts': ('libx264', 'g=12', 'yuv420p', ''),
    'mpg': ('mpeg1video', 'g=12 bf=2', 'yuv420p', ''),
    'flv': ('libx264', 'g=12', 'yuv420p', ''),
    'wmv': ('wmv2', 'g=12', 'yuv420p', ''),
    'gif': ('gif', '', 'rgb8', ''),
}

DAMAGED = {
    'mp4 bytes changed': damaged('mp4', flip(20)),
    'mp4 packets changed': damaged('mp4', flip_packets(17, 18, 30)),
    'mp4 key frame changed': damaged('mp4', flip_packets(24)),
    'mp4 first frame changed': damaged('mp4', flip_packets(0, skip=700)),
    'mkv bytes changed': damaged('mkv', flip(20)),
    'mkv packets changed': damaged('mkv', flip_packets(17, 18, 30)),
    'ts bytes changed': damaged('ts', flip(30)),
    'flv bytes changed': damaged('flv', flip(20)),
    'avi bytes changed': damaged('avi', flip(20), 'mpeg4'),
    'avi packets changed': damaged('avi', flip_packets(17, 18, 30), 'mpeg4'),
    'mpg bytes changed': damaged('mpg', flip(20), 'mpeg2video', 'g=12 bf=2'),
    'wmv packets changed': damaged('wmv', flip_packets(17, 18, 30), 'wmv2'),
    'hevc packets changed': damaged('mp4', flip_packets(17, 18, 30), 'libx265', HEVC),
    'vp8 packets changed': damaged('webm', flip_packets(17, 30), 'libvpx'),
    'vp9 packets changed': damaged('webm', flip_packets(17, 30), 'libvpx-vp9'),
    'av1 packets changed': damaged('mkv', flip_packets(17, 30), 'libsvtav1', AV1),
    'mjpeg packets changed': damaged('avi', flip_packets(17, 30), 'mjpeg', '', pix_fmt='yuvj420p'),
    'ffv1 packets changed': damaged('mkv', flip_packets(17, 30), 'ffv1'),
    'png packets changed': damaged('mov', flip_packets(17, 30), 'png', '', pix_fmt='rgb24'),
    'gif bytes changed': damaged('gif', flip(10), 'gif', '', pix_fmt='rgb8'),
    'mp4 zeros': damaged('mp4', blank(0.4, 0.5)),
    'mkv zeros': damaged('mkv', blank(0.4, 0.5)),
    'ts zeros': damaged('ts', blank(0.4, 0.5)),
    'avi zeros': damaged('avi', blank(0.4, 0.5), 'mpeg4'),
    'mpg zeros': damaged('mpg', blank(0.4, 0.5), 'mpeg2video', 'g=12 bf=2'),
    'webm zeros': damaged('webm', blank(0.4, 0.5), 'libvpx-vp9'),
    'flv zeros': damaged('flv', blank(0.4, 0.5)),
    'wmv zeros': damaged('wmv', blank(0.4, 0.5), 'wmv2'),
    'h264 zeros': damaged('h264', blank(0.4, 0.5)),
    'ts stretch lost': damaged('ts', remove(0.4, 0.5)),
    'mkv stretch lost': damaged('mkv', remove(0.4, 0.5)),
    'mpg stretch lost': damaged('mpg', remove(0.4, 0.5), 'mpeg2video', 'g=12 bf=2'),
    'packets lost mp4': damaged('mp4', drop(16, 17, 31), options='g=12 bf=0'),
    'packets lost mkv': damaged('mkv', drop(16, 17, 31)),
    'key frame lost': damaged('mkv', drop(24)),
    'key frame lost hevc': damaged('mkv', drop(24), 'libx265', HEVC),
    'key frame lost mpeg4': damaged('avi', drop(24), 'mpeg4'),
    'mp4 without an index': damaged('mp4', truncate(0.8)),
    'mp4 fragments truncated': damaged('mp4', truncate(0.7), muxer='movflags=frag_keyframe+empty_moov'),
    **{
        f'{suffix} truncated at {share:.0%}': damaged(suffix, truncate(share), *encoder, pix_fmt=pix_fmt, muxer=muxer)
        for suffix, (*encoder, pix_fmt, muxer) in TRUNCATED.items()
        for share in (0.3, 0.6, 0.9)
    },
}
