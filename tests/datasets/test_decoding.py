import multiprocessing
import os
import resource
import shutil
import threading
import time
from fractions import Fraction
from functools import partial

import av
import numpy as np
import pytest
from mmaction.datasets.transforms import DecordDecode, DecordInit, SampleFrames
from PIL import Image

from mmdualformer.datasets import VideoDecode, VideoError, VideoInit
from mmdualformer.errors import UserError
from mmdualformer.video import decord_video
from mmdualformer.video.isolation import frozen_garbage
from tests.helpers import break_off, turn, write_video


@pytest.fixture(autouse=True)
def end_of_decord():
    """End the process that decord runs in."""
    yield
    decord_video._process().close()
    decord_video._process.cache_clear()


def write_audio(path) -> str:
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('aac', rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format='fltp', layout='mono')
        frame.rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return str(path)


def read(filename: str, frame_inds=(0, 8, 16), decoder: str = 'pyav', **kwargs) -> dict:
    results = VideoInit(decoder)(dict(filename=filename, **kwargs))
    return VideoDecode()(dict(results, frame_inds=np.array(frame_inds)))


@pytest.mark.parametrize('decoder', ['pyav', 'decord'])
def test_the_same_pixels_as_mmaction2s_decord(clip_file, decoder):
    results = DecordInit()(dict(filename=clip_file))
    expected = DecordDecode()(dict(results, frame_inds=np.arange(0, 18, 3)))
    given = read(clip_file, range(0, 18, 3), decoder)
    np.testing.assert_array_equal(given['imgs'], expected['imgs'])
    for key in ('total_frames', 'avg_fps', 'img_shape', 'original_shape'):
        assert given[key] == expected[key]
    np.testing.assert_allclose(given['frame_times'], np.arange(given['total_frames']) / given['avg_fps'], atol=1e-3)


@pytest.mark.parametrize('decoder', ['pyav', 'decord'])
def test_each_decoder_gives_the_frames_that_are_asked_for(tmp_path, decoder):
    wanted = (16, 0, 8, 8)
    results = read(write_video(tmp_path / 'a.mp4'), wanted, decoder)
    assert results['total_frames'] == 24 and results['img_shape'] == (64, 64)
    assert len(results['imgs']) == 4
    for image, index in zip(results['imgs'], wanted):
        assert image.shape == (64, 64, 3) and abs(image.astype(int) - 8 * index).max() < 8


def test_every_decoder_turns_videos_upright(motion_root, tmp_path):
    path = tmp_path / 'a.mp4'
    shutil.copy(min(motion_root.glob('videos_val/*.mp4')), path)
    turn(path)
    decord, pyav = (read(str(path), decoder=decoder)['imgs'] for decoder in ('decord', 'pyav'))
    assert abs(decord[0].astype(int) - decord[0].transpose(1, 0, 2)).mean() > 10  # the test can tell
    np.testing.assert_array_equal(pyav, decord)


@pytest.mark.parametrize('failure', [RuntimeError, None], ids=['fails', 'crashes'])
def test_what_decord_cannot_open_or_decode_pyav_does(tmp_path, monkeypatch, failure):
    """The other process is forked at its first call, and so has what is patched."""
    path = write_video(tmp_path / 'a.mp4')
    run = decord_video._run

    def fail(failing: str, path: str, task: str, indices=()) -> object:
        if task == failing:
            if failure is None:
                os._exit(3)
            raise failure('broken packet')
        return run(path, task, indices)

    for failing in ('open', 'decode'):
        monkeypatch.setattr(decord_video, '_run', partial(fail, failing))
        decord_video._process().close()
        decord_video._process.cache_clear()
        results = read(path, (0, 8, 23), 'decord')
        np.testing.assert_allclose([image.mean() for image in results['imgs']], (0, 64, 184), atol=8)


def test_what_hangs_in_decord_leaves_pyav_half_of_the_time(tmp_path, monkeypatch):
    monkeypatch.setattr(decord_video, '_run', lambda *args: threading.Event().wait())
    path = write_video(tmp_path / 'a.mp4')
    results = read(path, (0, 8), 'decord', deadline=time.monotonic() + 4)
    assert abs(results['imgs'][1].astype(int) - 64).max() < 8


def test_av1_needs_no_decord(tmp_path):
    results = read(write_video(tmp_path / 'av1.mp4', 'libsvtav1', preset='12'), decoder='decord')
    assert results['total_frames'] == 24
    assert abs(results['imgs'][2].astype(int) - 128).max() < 12


def test_a_folder_of_images_is_a_video(tmp_path):
    for number in range(12):
        Image.new('RGB', (40, 30), (20 * number, 0, 0)).save(tmp_path / f'img_{number:05}.png')
    results = read(str(tmp_path), (11, 3))
    assert results['total_frames'] == 12 and results['img_shape'] == (30, 40)
    assert [int(image[0, 0, 0]) for image in results['imgs']] == [220, 60]
    results = read(str(tmp_path), (1,), frame_folder=dict(offset=4, total_frames=5))
    assert results['total_frames'] == 5 and results['imgs'][0][0, 0, 0] == 100


def test_frames_that_are_there_pass_through():
    results = dict(imgs=[np.zeros((8, 8, 3), np.uint8)], frame_inds=np.array([0]), total_frames=1)
    assert VideoDecode()(VideoInit()(dict(results))) == results


def write_uneven(path) -> str:
    """Frame i is shown at second i / 30 up to frame 30, and from there at 1 + (i - 30) / 10; 60 frames, 4 seconds."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=30)
        stream.width = stream.height = 64
        stream.pix_fmt = 'yuv420p'
        stream.codec_context.time_base = Fraction(1, 30)
        for i in range(60):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 4 * i, np.uint8), format='rgb24')
            frame.pts = i if i < 30 else 30 + 3 * (i - 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return str(path)


def test_target_fps_counts_time_where_the_rate_varies(tmp_path):
    results = VideoInit()(dict(filename=write_uneven(tmp_path / 'a.mp4'), start_index=0))
    times = results['frame_times']
    np.testing.assert_allclose(times[[0, 15, 30, 45]], (0, 0.5, 1, 2.5), atol=0.01)
    sampled = SampleFrames(clip_len=8, frame_interval=1, target_fps=2, test_mode=True)(dict(results, modality='RGB'))
    gaps = np.diff(times[sampled['frame_inds']])
    assert len(gaps) == 7 and abs(gaps - 0.5).max() < 0.11, gaps
    counted = SampleFrames(clip_len=8, frame_interval=4, test_mode=True)(dict(results, modality='RGB'))
    assert (np.diff(counted['frame_inds']) == 4).all()


def test_a_file_that_breaks_off_is_read_as_far_as_it_goes_and_said_to_be_damaged(tmp_path):
    path = write_video(tmp_path / 'a.mp4', g='1')
    break_off(path)
    damage = []
    results = VideoInit()(dict(filename=path, damage=damage))
    total = results['total_frames']
    assert 12 <= total < 24
    results = VideoDecode()(dict(results, frame_inds=np.array([0, 4, total - 1])))
    np.testing.assert_allclose([image.mean() for image in results['imgs'][:2]], (0, 32), atol=8)
    assert len(damage) == 1


@pytest.mark.parametrize('kind', ['missing', 'empty', 'text', 'truncated', 'audio', 'folder', 'pipe'])
def test_unreadable_files_are_an_error_with_the_reason(tmp_path, kind):
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
    elif kind == 'pipe':
        os.mkfifo(path)
    for decoder in ('pyav', 'decord'):
        with pytest.raises(VideoError) as error:
            read(str(path), decoder=decoder)
        message = str(error.value)
        assert message.startswith(f'video {str(path)!r} cannot be read: ') and '\n' not in message
        assert message.endswith(error.value.reason)


def test_a_deadline_that_has_passed_is_a_timeout(tmp_path):
    path = write_video(tmp_path / 'a.mp4')
    with pytest.raises(TimeoutError, match='no answer within'):
        read(path, deadline=time.monotonic() - 1)
    results = VideoInit()(dict(filename=path, deadline=time.monotonic() + 60))
    results['video_reader']._source._deadline = time.monotonic() - 1
    with pytest.raises(TimeoutError, match='no answer within'):
        VideoDecode()(dict(results, frame_inds=np.array([23])))


def test_processes_that_are_forked_decode(tmp_path):
    path = write_video(tmp_path / 'a.mp4')
    _read_in_process(path)
    context = multiprocessing.get_context('fork')
    children = [context.Process(target=_read_in_process, args=(path,), daemon=True) for _ in range(2)]
    with frozen_garbage():
        for child in children:
            child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0]


def _read_in_process(path):
    assert read(path)['img_shape'] == (64, 64)


def test_unknown_decoders_are_refused():
    with pytest.raises(UserError, match="decoder='gif' must be one of pyav, decord"):
        VideoInit(decoder='gif')


def test_three_thousand_reads_leave_nothing_behind(tmp_path):
    path, broken = write_video(tmp_path / 'a.mp4', frames=4), tmp_path / 'b.mp4'
    broken.write_text('no video')

    def decode(times: int) -> None:
        for i in range(times):
            read(path, (0, 2))
            if i % 10 == 0:
                with pytest.raises(VideoError):
                    read(str(broken))

    decode(300)
    handles, memory = len(os.listdir('/proc/self/fd')), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    threads = threading.active_count()
    decode(2700)
    assert len(os.listdir('/proc/self/fd')) <= handles
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 20 * 1024  # KiB
    assert threading.active_count() <= threads
