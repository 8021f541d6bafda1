import os
import socket
from collections import Counter

import pytest
from PIL import Image

from mmdualformer.errors import UserError
from mmdualformer.video import VideoError
from mmdualformer.video.files import VIDEO_SUFFIXES, check_regular, describe_left_out, find_videos, list_frames
from tests.helpers import write_video

PACKET = b'G' + bytes(187)  # of MPEG-TS


def touch(root, *names) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def names(root) -> list[str]:
    return [path.relative_to(root).as_posix() for path in find_videos(root).videos]


def test_every_ending_in_any_case(tmp_path):
    plain = [suffix for suffix in VIDEO_SUFFIXES if suffix not in ('.m2t', '.m2ts', '.mts', '.ts', '.ogg')]
    touch(tmp_path, *(f'a{suffix}' for suffix in plain), *(f'B{suffix.upper()}' for suffix in plain))
    found = find_videos(tmp_path)
    assert len(found.videos) == 2 * len(plain) > 70 and not found.left_out
    assert describe_left_out(found.left_out) == ''


def test_the_order_is_that_of_numbers(tmp_path):
    touch(tmp_path, 'b/1.mp4', '10.mp4', '9.mp4', 'a 2.mp4', 'a10/x.mp4', 'a9/x.mp4', 'a.mp4', 'a1.mp4')
    assert names(tmp_path) == ['9.mp4', '10.mp4', 'a1.mp4', 'a 2.mp4', 'a.mp4', 'a9/x.mp4', 'a10/x.mp4', 'b/1.mp4']


def test_what_is_left_out_is_counted(tmp_path):
    touch(
        tmp_path,
        'a.mp4',
        '._a.mp4',
        '.a.mp4',
        '.git/b.mp4',
        '__MACOSX/._a.mp4',
        '.DS_Store',
        'Thumbs.db',
        'x/README',
        'x/1.txt',
        '2.TXT',
        '3.srt',
        'x.mp4/deep.mkv',
    )
    os.mkfifo(tmp_path / 'pipe.mp4')
    (tmp_path / 'gone.mp4').symlink_to('nowhere.mp4')
    (tmp_path / 'again.mp4').symlink_to('a.mp4')
    assert names(tmp_path) == ['a.mp4', 'again.mp4', 'x.mp4/deep.mkv']
    assert describe_left_out(find_videos(tmp_path).left_out) == (
        'left out: 2 .mp4 that are no regular files, 2 .txt, 1 .srt, 1 AppleDouble files ._*, 1 hidden files, '
        '1 without an ending'
    )


@pytest.mark.parametrize(
    ('content', 'is_video'),
    [
        (5 * PACKET, True),
        (100 * b'x' + 5 * PACKET, True),
        (5 * (bytes(4) + PACKET), True),
        (5 * (PACKET + bytes(16)), True),
        (PACKET + bytes(188) + 3 * PACKET, False),
        (b'Given: number = 1;\n' * 50, False),
        (b'', False),
    ],
)
@pytest.mark.parametrize('suffix', ['.ts', '.MTS', '.m2ts'])
def test_transport_streams_are_told_from_typescript(tmp_path, content, is_video, suffix):
    (tmp_path / f'a{suffix}').write_bytes(content)
    found = find_videos(tmp_path)
    assert bool(found.videos) is is_video
    assert found.left_out == Counter({} if is_video else {f'{suffix.lower()} that are no MPEG-TS': 1})


def test_a_transport_stream_of_an_encoder(tmp_path):
    write_video(tmp_path / 'a.ts')
    write_video(tmp_path / 'b.m2ts')
    assert names(tmp_path) == ['a.ts', 'b.m2ts']


def test_ogg_is_a_video_if_it_has_one(tmp_path):
    (tmp_path / 'a.ogg').write_bytes(b'OggS' + bytes(24) + b'\x80theora')
    (tmp_path / 'b.ogg').write_bytes(b'OggS' + bytes(24) + b'\x01vorbis')
    assert names(tmp_path) == ['a.ogg']


def test_links_are_followed_and_none_twice(tmp_path):
    touch(tmp_path, 'root/a/1.mp4', 'elsewhere/2.mp4')
    for place, goal in (('a/loop', '..'), ('a/self', '.'), ('b', 'a'), ('c', '../elsewhere'), ('d', '../elsewhere')):
        (tmp_path / 'root' / place).symlink_to(goal)
    assert names(tmp_path / 'root') == ['a/1.mp4', 'c/2.mp4']


def test_folders_of_numbered_images_are_videos(tmp_path):
    touch(
        tmp_path,
        'run/img_00001.jpg',
        'run/img_00003.JPG',
        'run/.DS_Store',
        'run/._img_00001.jpg',
        'run/Thumbs.db',
        'few/1.png',
        'two/img_1.jpg',
        'two/flow_1.jpg',
        'same/1.jpg',
        'same/01.jpg',
        'clip.avi/9.png',
        'clip.avi/10.png',
        'posters/1.jpg',
        'posters/2.jpg',
        'posters/1.mp4',
        'names/x.jpg',
        'names/y.jpg',
    )
    found = find_videos(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found.videos] == ['clip.avi', 'posters/1.mp4', 'run']
    assert found.left_out == Counter({'.jpg': 8, '.png': 1})
    assert find_videos(tmp_path / 'run').videos == [tmp_path / 'run']


def test_images_in_the_order_of_their_last_number(tmp_path):
    touch(tmp_path, *(f's2e{i}x.png' for i in (2, 10, 1)), 'notes.txt', 'cover.png')
    assert list_frames(tmp_path) == ['s2e1x.png', 's2e2x.png', 's2e10x.png']
    touch(tmp_path, 'img_00002.jpg', 'img_00001.jpg', 'flow_00001.jpg')
    with pytest.raises(VideoError, match=r'several series of images, such as flow_\* and img_\*; filename_tmpl says'):
        list_frames(tmp_path)
    assert list_frames(tmp_path, 'img_{:05}.jpg') == ['img_00001.jpg', 'img_00002.jpg']
    with pytest.raises(VideoError, match=r'without numbered images frame_\{\}\.jpg'):
        list_frames(tmp_path, 'frame_{}.jpg')
    touch(tmp_path, 'img_1.jpg')
    with pytest.raises(VideoError, match='2 images of number 1'):
        list_frames(tmp_path, 'img_{:05}.jpg')
    for template in ('img.jpg', '{}_{}.jpg'):
        with pytest.raises(UserError, match=r'must have one number, as img_\{:05\}\.jpg has'):
            list_frames(tmp_path, template)


def test_only_files_and_folders_of_images_are_opened(tmp_path, monkeypatch):
    touch(tmp_path, 'a.mp4', 'empty/notes.txt')
    (tmp_path / 'link.mp4').symlink_to('a.mp4')
    (tmp_path / 'frames').mkdir()
    for i in (1, 2):
        Image.new('RGB', (8, 8)).save(tmp_path / f'frames/{i}.png')
    for name in ('a.mp4', 'link.mp4', 'frames'):
        check_regular(tmp_path / name)

    os.mkfifo(tmp_path / 'pipe.mp4')
    (tmp_path / 'zero.mp4').symlink_to('/dev/zero')
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # addresses are short
        server.bind('socket.mp4')
    for name, reason in (
        ('pipe.mp4', 'a named pipe, not a regular file'),
        ('zero.mp4', 'a device, not a regular file'),
        ('socket.mp4', 'a socket, not a regular file'),
        ('no.mp4', 'No such file or directory'),
        ('a\0.mp4', 'embedded null byte'),
        ('empty', 'a folder without numbered images .bmp'),
        ('a.mp4/b.mp4', 'Not a directory'),
    ):
        with pytest.raises(VideoError) as error:
            check_regular(tmp_path / name)
        assert error.value.reason.startswith(reason)
        assert str(error.value).startswith(f'video {str(tmp_path / name)!r} cannot be read: {reason}')
