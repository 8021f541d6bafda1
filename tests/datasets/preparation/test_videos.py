"""Checking and encoding whole videos."""

import os
import signal
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from mmaction.datasets.transforms import DecordDecode, DecordInit

from mmdualformer.datasets.motion_clips import draw_clip
from mmdualformer.datasets.preparation import encode
from mmdualformer.datasets.preparation.check import check_video, find_broken
from mmdualformer.datasets.preparation.encode import resize_splits, resize_video, resize_videos
from mmdualformer.datasets.preparation.layout import make_split
from mmdualformer.errors import UserError
from mmdualformer.video import VideoError
from tests.helpers import turn, write_video


def write_scene(path, width=96, height=64, frames=48, codec='libx264', pix_fmt='yuv420p', audio=False, **options):
    """Moving places, one after another."""
    clip = np.concatenate([draw_clip(seed % 8, seed, 128) for seed in range(-(-frames // 18))])[:frames]
    options = {'x264-params': 'cpu-independent=1', **options}  # x264's assembler writes another file now and then
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        sound = container.add_stream('aac', rate=16000) if audio else None
        for image in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image).reformat(width, height, pix_fmt)))
        container.mux(stream.encode(None))
        if audio:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format='fltp', layout='mono')
            silence.rate = 16000
            container.mux(sound.encode(silence))
            container.mux(sound.encode(None))
    return Path(path)


def read_all(path) -> np.ndarray:
    results = DecordInit()(dict(filename=str(path)))
    return np.array(DecordDecode()(dict(results, frame_inds=np.arange(results['total_frames'])))['imgs'])


@pytest.mark.parametrize(
    ('suffix', 'codec'), [('mp4', 'libx264'), ('avi', 'mpeg4'), ('webm', 'libvpx'), ('mkv', 'libx264')]
)
def test_sound_videos_pass(tmp_path, suffix, codec):
    check_video(write_scene(tmp_path / f'a.{suffix}', codec=codec))


@pytest.mark.parametrize(
    'kind',
    [
        'missing',
        'empty',
        'text',
        'truncated mp4',
        'truncated avi',
        'truncated webm',
        'damaged mp4',
        'damaged avi',
        'short mp4',
    ],
)
def test_broken_videos_are_found_with_the_reason(tmp_path, kind):
    kind, _, suffix = kind.partition(' ')
    codec = dict(avi='mpeg4', webm='libvpx').get(suffix, 'libx264')
    path = write_scene(tmp_path / f'a.{suffix or "mp4"}', codec=codec, movflags='faststart')
    content = bytearray(path.read_bytes())
    expected = 'Invalid data found|is damaged, after|breaks off|ends after|frames, where its container says 48'
    if kind == 'missing':
        path.unlink()
        expected = 'No such file or directory'
    elif kind == 'empty':
        path.write_bytes(b'')
        expected = 'Invalid data found'
    elif kind == 'text':
        path.write_text('no video')
        expected = 'Invalid data found'
    elif kind == 'truncated':
        path.write_bytes(content[: len(content) * 2 // 3])
    elif kind == 'damaged':  # decord goes over it without a word
        start, size = dict(mp4=(len(content) * 2 // 5, 100), avi=(len(content) * 2 // 3, 300))[suffix]
        content[start : start + size] = bytes(255 - value for value in content[start : start + size])
        path.write_bytes(content)
        assert len(read_all(path)) > 40
    elif kind == 'short':  # the header still counts the frames that are gone
        count = content.index(b'stts') + 12
        path.write_bytes(content[:count] + struct.pack('>I', 48) + content[count + 4 :])
        with av.open(str(path)) as container:
            assert container.streams.video[0].frames == 48
        path.write_bytes(path.read_bytes()[: -len(content) // 4])
    broken = find_broken(check_video, [path], '', workers=1)
    with pytest.raises(VideoError, match=expected):
        check_video(path)
    assert list(broken) == [path]


def test_broken_ones_are_found_among_many(tmp_path):
    videos = [Path(write_video(tmp_path / f'{i}.mp4', frames=4)) for i in range(6)]
    videos[1].write_bytes(b'')
    videos[4].unlink()
    broken = find_broken(check_video, videos, '', workers=2)
    assert sorted(broken) == [videos[1], videos[4]]
    assert 'No such file' in broken[videos[4]]


def test_one_that_crashes_a_decoder_is_broken_and_leaves_nothing(tmp_path, monkeypatch):
    sources = [Path(write_video(tmp_path / f'{i}.mp4', frames=4)) for i in range(4)]

    def crash(source, target, encode=encode._encode):
        encode(source, target)
        if source == sources[2]:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(encode, '_encode', crash)
    broken = resize_videos({source: tmp_path / 'out' / source.name for source in sources}, workers=2)
    assert broken == {sources[2]: 'killed: SIGKILL, mostly for want of memory'}
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['0.mp4', '1.mp4', '3.mp4']


@pytest.mark.parametrize(
    ('size', 'expected'),
    [((854, 480), (456, 256)), ((480, 854), (256, 456)), ((96, 64), (96, 64)), ((101, 75), (100, 76))],
)
def test_the_short_side_is_256_and_no_video_grows(tmp_path, size, expected):
    source = write_scene(tmp_path / 'a.mp4', *size, frames=8, pix_fmt='yuv444p')
    resize_video(source, tmp_path / 'out' / 'b.mp4')
    assert read_all(tmp_path / 'out' / 'b.mp4').shape == (8, *expected[::-1], 3)


@pytest.mark.parametrize(
    ('suffix', 'codec', 'pix_fmt'),
    [
        ('mp4', 'libx264', 'yuv420p'),
        ('avi', 'mpeg4', 'yuv420p'),
        ('webm', 'libvpx', 'yuv420p'),
        ('mp4', 'libx264', 'yuvj420p'),
    ],
)
def test_frames_and_rate_are_kept(tmp_path, suffix, codec, pix_fmt):
    source = write_scene(tmp_path / f'a.{suffix}', codec=codec, pix_fmt=pix_fmt, audio=suffix == 'mp4', g='1')
    target = tmp_path / 'b.mp4'
    resize_video(source, target)
    difference = read_all(target).astype(int) - read_all(source)
    assert len(difference) == 48
    assert abs(difference).mean() < 5 and abs(difference.mean()) < 1
    with av.open(str(target)) as container:
        assert [stream.type for stream in container.streams] == ['video']
        stream = container.streams.video[0]
        assert stream.frames == 48 and stream.average_rate == 25
        keys = [i for i, frame in enumerate(container.decode(stream)) if frame.key_frame]
    assert keys[0] == 0 and max(np.diff([*keys, 48])) <= 16
    assert len(keys) < 12  # at cuts, and where 16 frames have none; not all that are in the source
    assert not list(tmp_path.glob('*.part'))


def test_frames_on_their_side_are_turned_upright(tmp_path):
    source = write_scene(tmp_path / 'a.mp4')
    turn(source)
    resize_video(source, tmp_path / 'b.mp4')
    expected, given = read_all(source), read_all(tmp_path / 'b.mp4')
    assert expected.shape == given.shape == (48, 96, 64, 3)
    assert abs(given.astype(int) - expected).mean() < 5


def test_what_is_complete_stays_and_what_fails_leaves_nothing(tmp_path):
    source, target = write_scene(tmp_path / 'a.mp4'), tmp_path / 'b.mp4'
    target.write_text('complete')
    resize_video(source, target)
    assert target.read_text() == 'complete'
    source.write_bytes(source.read_bytes()[:2000])
    with pytest.raises(VideoError, match='Invalid data'):
        resize_video(source, tmp_path / 'c.mp4')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.mp4', 'b.mp4']


def test_videos_that_would_become_one_are_refused(tmp_path):
    for name in ('a.mp4', 'a.avi'):
        write_scene(tmp_path / name, codec='mpeg4', frames=2)
    split = make_split('train_list', 'videos', tmp_path, [('a.mp4', [0]), ('a.avi', [1])])
    with pytest.raises(UserError, match=r'a\.mp4 and .*a\.avi would both become .*a\.mp4; rename one'):
        resize_splits([split], tmp_path / 'out', workers=1)
