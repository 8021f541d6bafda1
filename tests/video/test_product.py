"""All combinations of containers, codecs, groups of pictures, cuts and damage: thousands of files, run by hand.

``pytest -m slow tests/video/test_product.py`` takes some minutes.
"""

from itertools import product

import av
import pytest

from tests.video.kinds import AV1, HEVC, HIDDEN
from tests.video.make_files import Kind, blank, cut, drop, flip, flip_packets, keep, make, remove, truncate
from tests.video.oracle import Shown, show, show_damaged
from tests.video.test_matrix import check_damaged, check_frames

pytestmark = pytest.mark.slow

X264 = 'x264-params=b-adapt=0:min-keyint=1:scenecut=0:'
# codecs and their groups of pictures
CODECS = {
    'libx264': [
        f'{X264}keyint={gop}:bframes={frames}:open-gop={opened}'
        for gop, frames, opened in product((1, 8, 12, 250), (0, 3), (0, 1))
    ]
    + [f'{X264}keyint=16:bframes=7:b-pyramid={pyramid}' for pyramid in ('none', 'strict', 'normal')]
    + [f'{X264}intra-refresh=1:keyint=10:bframes={frames}' for frames in (0, 3)],
    'libx265': [HEVC, *(f'{HEVC}:{more}' for more in ('open-gop=0', 'bframes=0', 'bframes=8:b-adapt=0'))],
    'mpeg4': [f'g={gop} bf={frames}' for gop, frames in product((1, 8, 12, 250), (0, 2))],
    'mpeg2video': [f'g={gop} bf={frames}' for gop, frames in product((1, 8, 12, 250), (0, 2))],
    'mpeg1video': ['g=12 bf=0', 'g=12 bf=2'],
    'libvpx': ['g=12', HIDDEN],
    'libvpx-vp9': ['g=12', HIDDEN],
    'libsvtav1': [AV1],
    'wmv2': ['g=12'],
    'msmpeg4': ['g=12'],
    'flv': ['g=12'],
    'h263p': ['g=12'],
}
CONTAINERS = {
    'mp4': ('libx264', 'libx265', 'mpeg4', 'mpeg2video', 'mpeg1video', 'libvpx-vp9', 'libsvtav1'),
    'mov': ('libx264', 'libx265', 'mpeg4', 'mpeg2video'),
    'mkv': ('libx264', 'libx265', 'mpeg4', 'mpeg2video', 'mpeg1video', 'libvpx', 'libvpx-vp9', 'libsvtav1', 'msmpeg4'),
    'webm': ('libvpx', 'libvpx-vp9', 'libsvtav1'),
    'avi': ('libx264', 'mpeg4', 'mpeg2video', 'libvpx', 'msmpeg4', 'wmv2', 'flv', 'h263p'),
    'ts': ('libx264', 'libx265', 'mpeg4', 'mpeg2video', 'mpeg1video'),
    'mpg': ('libx264', 'mpeg2video', 'mpeg1video'),
    'flv': ('libx264', 'libx265', 'flv'),
    'asf': ('libx264', 'mpeg4', 'msmpeg4', 'wmv2'),
    'nut': ('libx264', 'libx265', 'mpeg4', 'libvpx-vp9'),
    'ogv': ('libvpx',),
    'h264': ('libx264',),
    'hevc': ('libx265',),
    'm4v': ('mpeg4',),
}
CUTS = {
    'whole': (),
    'cut': (cut(1.1, 1.7),),
    'cut twice': (cut(0.3, 1.9), cut(0.5, 1.2)),
    'no key frame first': (keep(5),),
    'no end': (keep(0, -5),),
}
DAMAGES = {
    'truncated': (truncate(0.6),),
    'bytes changed': (flip(15),),
    'packets changed': (flip_packets(14, 30, skip=20),),
    'zeros': (blank(0.5, 0.55),),
    'stretch lost': (remove(0.5, 0.55),),
    'packets lost': (drop(13, 14, 29),),
    'cut and changed': (cut(0.5, 1.8), flip(10)),
}
PAIRS = [(suffix, codec) for suffix, codecs in CONTAINERS.items() for codec in codecs]


def made(tmp_path, suffix: str, codec: str, edits: dict):
    """Make the files of a container and codec, and yield what each is, and its path."""
    for number, (options, name) in enumerate(product(CODECS[codec], edits)):
        path = tmp_path / f'{number}.{suffix}'
        try:
            make(Kind(suffix, codec, options, frames=50, edits=edits[name]), path)
        except (av.FFmpegError, IndexError, TypeError):  # it has no times to cut by, or refuses those of a cut
            continue
        yield f'{suffix}, {codec}, {options}, {name}', path


def check_all(files, check, look) -> None:
    """Check every file, and say all that is wrong."""
    wrong = []
    for name, path in files:
        try:
            expected = look(path)
        except (av.FFmpegError, ValueError):
            expected = Shown()
        try:
            check(path, expected)
        except (Exception, pytest.fail.Exception) as error:
            wrong.append(f'{name}: {str(error).splitlines()[0]}')
    assert not wrong, '\n'.join(wrong)


@pytest.mark.parametrize(('suffix', 'codec'), PAIRS)
def test_sound(tmp_path, suffix, codec):
    check_all(made(tmp_path, suffix, codec, CUTS), check_frames, show)


@pytest.mark.parametrize(('suffix', 'codec'), PAIRS)
def test_damaged(tmp_path, suffix, codec):
    check_all(made(tmp_path, suffix, codec, DAMAGES), check_damaged, show_damaged)
