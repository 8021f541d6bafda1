"""Which files are opened, and reading those that are too large to keep."""

import os
import shutil
import socket

import numpy as np
import pytest

from mmdualformer.video import VideoError, VideoFile, open_video, source
from tests.helpers import write_video


def shown(path) -> list[int]:
    """The numbers that the frames of :func:`write_video` carry."""
    with open_video(str(path)) as video:
        return [round(image.mean() / 8) for image in video.get_frames(range(len(video)))]


@pytest.mark.parametrize(
    'content',
    [
        '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n',
        "ffconcat version 1.0\nfile '{other}'\n",
        'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n'
        'a=rtpmap:96 H264/90000\n',
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
        '<Representation id="0"><BaseURL>{other}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    ],
    ids=['HLS', 'concat', 'SDP', 'DASH'],
)
@pytest.mark.parametrize('suffix', ['mp4', 'm3u8', 'sdp'])
def test_lists_of_other_files_and_addresses_are_refused(tmp_path, content, suffix):
    other = shutil.copy(write_video(tmp_path / 'other.ts'), tmp_path / 'other')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    path = tmp_path / f'a.{suffix}'
    path.write_text(content.format(other=other, port=port))
    with pytest.raises(VideoError, match='cannot be read: '):
        open_video(str(path), time_limit=20)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', port))  # nothing listens there


def test_devices_are_refused_by_name(tmp_path):
    (tmp_path / 'a.mp4').symlink_to('/dev/zero')
    with pytest.raises(VideoError, match='a device, not a regular file'):
        open_video(str(tmp_path / 'a.mp4'))


@pytest.mark.parametrize('name', ['rtsp:a.mp4', 'concat:b.mp4', '%03d.mp4', '-i.mp4', 'ü ?#.mp4'])
def test_names_are_names_only(tmp_path, name):
    os.rename(write_video(tmp_path / 'a.mp4'), tmp_path / name)
    assert shown(tmp_path / name) == list(range(24))


@pytest.mark.parametrize(
    ('suffix', 'codec'),
    [
        ('mp4', 'libx264'),
        ('mkv', 'libx264'),
        ('avi', 'libx264'),
        ('ts', 'libx264'),
        ('mkv', 'libx265'),
        ('flv', 'libx264'),
    ],
)
@pytest.mark.parametrize('order', ['in order', 'backwards'])
def test_packets_that_are_not_kept_are_read_again(tmp_path, monkeypatch, suffix, codec, order):
    monkeypatch.setattr(source, 'KEPT', 0)
    path = write_video(tmp_path / f'a.{suffix}', codec, g='6')
    wanted = list(range(24)) if order == 'in order' else list(range(24))[::-1]
    with open_video(path) as video:
        given = [round(video.get_frames([number])[0].mean() / 8) for number in wanted]
    assert given == wanted


def test_a_seek_comes_to_the_key_frame_before(tmp_path, monkeypatch):
    monkeypatch.setattr(source, 'KEPT', 0)
    path = write_video(tmp_path / 'a.mp4', g='6')
    packets = source.PacketSource(path)
    numbers = [(number, packet.pts) for number, packet in packets.read(18)]
    assert numbers == [(number, number) for number in range(18, 24)]
    assert packets._seek(18) in range(12, 19)  # and not at the start


def test_a_file_that_is_gone_is_unreadable(tmp_path, monkeypatch):
    monkeypatch.setattr(source, 'KEPT', 0)
    path = write_video(tmp_path / 'a.wmv', 'wmv2')
    monkeypatch.setattr('mmdualformer.video.reader.KEPT', 0)
    with open_video(path) as video:
        os.unlink(path)
        with pytest.raises(VideoError, match='No such file'):
            video.get_frames(np.arange(4))


def test_a_closed_file_says_so(tmp_path):
    with open_video(write_video(tmp_path / 'a.mp4')) as video:
        pass
    video.close()
    with pytest.raises(VideoError, match='it is closed'):
        video.get_frames([0])


def test_large_files_are_checked_as_strictly_as_small_ones(tmp_path, monkeypatch):
    """A file is opened once to be decoded from its start, with the decoder that was told to be strict."""
    opened = []
    monkeypatch.setattr(
        source.av, 'open', lambda *args, open=source.av.open, **kwargs: opened.append(args) or open(*args, **kwargs)
    )
    path = write_video(tmp_path / 'a.mp4')
    for kept in (source.KEPT, 0):
        monkeypatch.setattr(source, 'KEPT', kept)
        opened.clear()
        with VideoFile(path) as video:
            decoder = None
            for _ in video.decode_all():
                decoder = decoder or video._source.decoder
            assert len(opened) == 2  # for its packets, and for its frames
            assert video._source.decoder is decoder
