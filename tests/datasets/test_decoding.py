import multiprocessing
import os
import resource
import shutil
import struct
import threading
import time
import weakref

import av
import numpy as np
import pytest
from mmaction.datasets.transforms import DecordDecode, DecordInit

from mmdualformer.datasets import VideoDecode, VideoError, VideoInit
from mmdualformer.datasets.decoding import call_within
from mmdualformer.errors import UserError
from tests.helpers import break_off, let_go, turn, write_video


def write_audio(path) -> str:
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('aac', rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format='fltp', layout='mono')
        frame.rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return str(path)


def read(filename: str, frame_inds=(0, 8, 16), **kwargs) -> dict:
    results = VideoInit(**kwargs)(dict(filename=filename))
    return VideoDecode(**kwargs)(dict(results, frame_inds=np.array(frame_inds)))


def test_the_same_pixels_as_mmaction2s_decord(clip_file):
    results = DecordInit()(dict(filename=clip_file))
    expected = DecordDecode()(dict(results, frame_inds=np.arange(0, 18, 3)))
    given = read(clip_file, range(0, 18, 3))
    np.testing.assert_array_equal(given['imgs'], expected['imgs'])
    for key in ('total_frames', 'avg_fps', 'img_shape', 'original_shape'):
        assert given[key] == expected[key]
    assert given['decoder'] == 'decord'


@pytest.mark.parametrize('decoder', ['decord', 'pyav'])
def test_each_decoder_gives_the_frames_that_are_asked_for(tmp_path, decoder):
    wanted = (16, 0, 8, 8)
    results = read(write_video(tmp_path / 'a.mp4'), wanted, decoders=(decoder, ))
    assert results['total_frames'] == 24 and results['img_shape'] == (64, 64)
    assert len(results['imgs']) == 4
    for image, index in zip(results['imgs'], wanted):
        assert image.shape == (64, 64, 3) and abs(image.astype(int) - 8 * index).max() < 8


@pytest.mark.parametrize('suffix', ['mp4', 'mkv', 'webm'])
def test_what_decord_cannot_read_another_decoder_does(tmp_path, suffix):
    results = read(write_video(tmp_path / f'av1.{suffix}', 'libsvtav1', preset='12'))
    assert results['decoder'] == 'pyav' and results['total_frames'] == 24
    assert abs(results['imgs'][2].astype(int) - 128).max() < 12


@pytest.mark.parametrize(('suffix', 'codec'), [('mkv', 'libx264'), ('ts', 'libx264'), ('flv', 'flv'),
                                               ('webm', 'libvpx-vp9'), ('wmv', 'wmv2'), ('mpg', 'mpeg2video')])
def test_pyav_counts_where_the_container_does_not(tmp_path, suffix, codec):
    results = read(write_video(tmp_path / f'a.{suffix}', codec), (0, 23), decoders=('pyav', ))
    assert results['total_frames'] == 24
    assert abs(results['imgs'][1].astype(int) - 8 * 23).max() < 12
    with pytest.raises(VideoError, match='pyav: there is no frame 24'):
        read(results['filename'], (0, 24), decoders=('pyav', ))


def test_pyav_reads_what_an_edit_list_hides(tmp_path):
    """A list that starts half a second later would leave 12 of 24 frames."""
    path = tmp_path / 'a.mp4'
    content = bytearray(open(write_video(path, bf='0'), 'rb').read())
    scale, = struct.unpack_from('>I', content, content.index(b'mdhd') + 16)
    struct.pack_into('>Ii', content, content.index(b'elst') + 12, 500, scale // 2)
    path.write_bytes(content)
    results = read(str(path), (0, 23), decoders=('pyav', ))
    assert results['total_frames'] == 24
    np.testing.assert_allclose([image.mean() for image in results['imgs']], (0, 8 * 23), atol=8)


def test_a_last_frame_that_the_encoder_dropped_is_the_one_before(tmp_path):
    path = tmp_path / 'a.avi'
    content = bytearray(open(write_video(path, 'mpeg4', bf='0'), 'rb').read())

    def count(frames: int) -> None:
        struct.pack_into('<I', content, content.index(b'strh') + 40, frames)
        path.write_bytes(content)

    count(25)
    results = read(str(path), (8, 24), decoders=('pyav', ))
    assert results['total_frames'] == 25 and abs(results['imgs'][1].astype(int) - 8 * 23).max() < 12
    count(26)
    for missing in (24, 25):
        with pytest.raises(VideoError, match=f'pyav: there is no frame {missing}'):
            read(str(path), (missing, ), decoders=('pyav', ))


def cut(source: str, path, frames: int) -> str:
    """Cut frames off the start of a file without encoding: an edit list hides them, as those after need them."""
    with av.open(source) as given, av.open(str(path), 'w') as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.size:
                packet.pts -= int(frames / 24 / packet.time_base)
                packet.dts -= int(frames / 24 / packet.time_base)
                packet.stream = stream
                container.mux(packet)
    return str(path)


@pytest.mark.parametrize('kind', ['cut', 'avi_of_mpeg4', 'avi_of_h264'])
def test_files_of_which_decord_gives_other_frames(tmp_path, kind):
    """And without an error; where this fails at its end, decord needs no mend any more."""
    if kind == 'cut':
        path = cut(write_video(tmp_path / 'whole.mp4', bf='0', g='16'), tmp_path / 'a.mp4', frames=6)
    else:
        path = write_video(tmp_path / 'a.avi', 'mpeg4' if kind == 'avi_of_mpeg4' else 'libx264', bf='3', g='8')
    wanted = np.array([0, 8, 13, 16, 23])
    results = read(path, wanted)
    assert results['decoder'] == 'pyav' and results['total_frames'] == 24
    np.testing.assert_allclose([image.mean() for image in results['imgs']], 8 * wanted, atol=8)
    reader = DecordInit()(dict(filename=path))
    given = [image.mean() for image in DecordDecode()(dict(reader, frame_inds=wanted))['imgs']]
    assert abs(given - 8 * wanted).max() > 30


def test_every_decoder_turns_videos_upright(motion_root, tmp_path):
    path = tmp_path / 'a.mp4'
    shutil.copy(min(motion_root.glob('videos_val/*.mp4')), path)
    turn(path)
    decord, pyav = (read(str(path), decoders=(decoder, ))['imgs'] for decoder in ('decord', 'pyav'))
    assert abs(decord[0].astype(int) - decord[0].transpose(1, 0, 2)).mean() > 10  # the test can tell
    assert all(image.flags.c_contiguous for image in pyav)
    np.testing.assert_allclose(np.array(pyav, int), np.array(decord, int), atol=3)


def test_a_file_that_breaks_off_has_the_frames_before(tmp_path):
    path = write_video(tmp_path / 'a.mp4', g='1')
    break_off(path)
    results = read(path, (0, 4))
    assert results['total_frames'] == 24 and abs(results['imgs'][1].astype(int) - 32).max() < 8
    with pytest.raises(VideoError, match='pyav: '):
        read(path, (0, 23))


def test_a_decoder_that_fails_while_decoding_is_replaced(tmp_path, monkeypatch):
    def fail(self, results):
        raise RuntimeError('in a function\nbroken packet\n')

    monkeypatch.setattr(DecordDecode, 'transform', fail)
    path = write_video(tmp_path / 'a.mp4')
    results = read(path, (0, 8, 25))  # as of a decoder that counts more frames, which the next one takes in turn
    assert results['decoder'] == 'pyav'
    for image, index in zip(results['imgs'], (0, 8, 1)):
        assert abs(image.astype(int) - 8 * index).max() < 8
    with pytest.raises(VideoError, match=r'cannot be read: decord: broken packet$'):
        read(path, decoders=('decord', ))


def test_a_file_without_frames_is_unreadable(tmp_path):
    with av.open(str(tmp_path / 'a.avi'), 'w') as container:
        stream = container.add_stream('mpeg4', rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 64, 'yuv420p'
        container.start_encoding()
    with pytest.raises(VideoError, match='pyav: no frames'):
        read(str(tmp_path / 'a.avi'))


@pytest.mark.parametrize('kind', ['missing', 'empty', 'text', 'truncated', 'audio', 'folder'])
def test_unreadable_files_are_an_error_with_every_decoders_reason(tmp_path, kind):
    path = tmp_path / f'{kind}.mp4'
    if kind == 'empty':
        path.touch()
    elif kind == 'text':
        path.write_text('no video')
    elif kind == 'truncated':
        whole = write_video(tmp_path / 'whole.mp4')
        path.write_bytes(open(whole, 'rb').read()[:1000])
    elif kind == 'audio':
        write_audio(path)
    elif kind == 'folder':
        path.mkdir()
    with pytest.raises(VideoError) as error:
        read(str(path))
    message = str(error.value)
    assert message.startswith(f'video {str(path)!r} cannot be read: decord: ')
    assert 'pyav: ' in message and '\n' not in message


def test_a_file_that_never_answers_is_given_up(tmp_path):
    """A named pipe to which nobody writes blocks whoever opens it."""
    path = tmp_path / 'pipe.mp4'
    os.mkfifo(path)
    with pytest.raises(TimeoutError, match=r'no answer within 0\.05 s'):
        call_within(0.05, read, str(path))
    assert len(call_within(60, read, write_video(tmp_path / 'a.mp4'))['imgs']) == 3  # while the other still waits
    let_go(path)


def test_a_call_that_is_over_holds_nothing():
    class Argument:
        pass

    argument = Argument()
    reference = weakref.ref(argument)
    assert call_within(60, id, argument) == id(argument)
    del argument
    end = time.monotonic() + 10
    while reference() and time.monotonic() < end:  # the other thread is about to let go
        time.sleep(0.001)
    assert reference() is None


def test_processes_that_are_forked_decode(tmp_path):
    path = write_video(tmp_path / 'a.mp4')
    _read_shape(path)
    with multiprocessing.get_context('fork').Pool(2) as pool:
        shapes = pool.map_async(_read_shape, [path] * 4).get(timeout=60)
    assert shapes == [(64, 64)] * 4


def _read_shape(path):
    return call_within(60, read, path)['img_shape']


def test_unknown_decoders_are_refused():
    with pytest.raises(UserError, match=r"decoders=\('gif',\) must be of decord, pyav"):
        VideoInit(decoders=('gif', ))


def test_two_thousand_decodes_leave_nothing_behind(tmp_path):
    path, broken = write_video(tmp_path / 'a.mp4', frames=4), tmp_path / 'b.mp4'
    broken.write_text('no video')

    def decode(times: int) -> None:
        for i in range(times):
            call_within(60, read, path, (0, 2))
            if i % 10 == 0:
                with pytest.raises(VideoError):
                    read(str(broken))

    decode(200)
    handles, memory = len(os.listdir('/proc/self/fd')), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    decode(1800)
    assert len(os.listdir('/proc/self/fd')) <= handles
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 20 * 1024  # KiB
    assert len([thread for thread in threading.enumerate() if thread.name == 'decoding']) <= 1
