"""Streams of servers and pipes on this machine. A webcam is nowhere asked for a frame."""

import os
import struct
import sys
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mmdualformer.errors import UserError
from mmdualformer.recognition import Stream, live
from mmdualformer.recognition.live import Ahead, find_opening, is_stream
from mmdualformer.video import VideoError
from tests.recognition.lights import answering, feeding, make_recognizer, serving, speak_rtsp, write_lights

ENDLESS = b'HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\n'
CHUNKED = b'HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nTransfer-Encoding: chunked\r\n\r\n'
BROKEN = b'HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n'  # FFmpeg does not take the end of this for one
FRAMES = 48
LIMIT = 60  # seconds, of a machine that does much else


@pytest.fixture(scope='module')
def ts(tmp_path_factory) -> bytes:
    """Two seconds of MPEG transport stream."""
    path = write_lights(tmp_path_factory.mktemp('ts') / 'a.ts', 2, (1, 2), rate=24)
    return Path(path).read_bytes()


def send(head, parts, connection) -> None:
    connection.recv(4096)
    connection.sendall(head)
    for part in parts:
        connection.sendall(part)


def test_what_is_a_stream(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert all(map(is_stream, ('-', '0', '12', 'rtsp://a/b', 'HTTP://a', 'udp://a')))
    assert not any(map(is_stream, ('a.mp4', '1234', 'clips/*.mp4', 'C:/a.mp4', '0x1', '')))
    Path('0').mkdir()
    assert not is_stream('0')
    os.mkfifo('pipe.mp4')
    assert is_stream('pipe.mp4')


def test_how_a_webcam_is_opened(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'platform', 'linux')
    monkeypatch.setattr(live.Path, 'exists', lambda path: str(path) == '/dev/video7')
    how = find_opening('7')
    assert (how.url, how.format, how.is_live, how.is_network) == ('/dev/video7', 'video4linux2', True, False)
    with pytest.raises(UserError, match="webcam '8' is not there: no /dev/video8"):
        find_opening('8')


def test_of_an_address_only_what_it_needs_is_opened():
    for scheme in ('http', 'https', 'rtsp', 'rtsps'):
        how = find_opening(f'{scheme}://user:secret@host/a')
        allowed = how.options['protocol_whitelist'].split(',')
        assert not set(allowed) & {'file', 'fd', 'pipe', 'data', 'concat', 'subfile'}
        assert 'secret' not in how.name and how.name.endswith('://host/a')
    with pytest.raises(UserError, match=r"'ftp://host/a' must be one of http, https, rtsp, rtsps") as error:
        find_opening('ftp://user:secret@host/a')
    assert 'secret' not in str(error.value)


def test_a_pipe_gives_every_frame(tmp_path, ts):
    with feeding(tmp_path / 'pipe', ts, times=3):
        stream = Stream(str(tmp_path / 'pipe'))
        assert not stream.is_live
        windows = list(make_recognizer().watch(stream, window=1, step=1))
    assert stream.frames == 3 * FRAMES and not stream.dropped
    # the times of a stream that is shown in a loop go on
    assert [(round(window.start, 2), round(window.end, 2)) for window in windows] == [(i, i + 1) for i in range(6)]
    assert [window.name for window in windows] == ['dark', 'light'] * 3


def test_standard_input(tmp_path, ts, monkeypatch):
    kept = os.dup(0)
    with feeding(tmp_path / 'pipe', ts, times=1), open(tmp_path / 'pipe', 'rb') as pipe, open(os.devnull) as nothing:
        monkeypatch.setattr(sys, 'stdin', nothing)
        os.dup2(pipe.fileno(), 0)
        try:
            frames = list(Stream('-'))
        finally:
            os.dup2(kept, 0)
            os.close(kept)
    assert len(frames) == FRAMES
    np.testing.assert_allclose([time for time, _ in frames], np.arange(FRAMES) / 24, atol=1e-4)


def test_what_no_pipe_can_give(tmp_path):
    path = write_lights(tmp_path / 'a.mp4', 1)
    before, moov, after = Path(path).read_bytes().partition(b'moov')
    late = before[:-4] + struct.pack('>I4s', 1 << 20, b'free') + bytes((1 << 20) - 8) + before[-4:] + moov + after
    playlist = f'#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile://{path}\n#EXT-X-ENDLIST\n'
    for number, content in enumerate((late, b'no video' * 1000, playlist.encode())):
        pipe = tmp_path / str(number)
        with feeding(pipe, content, times=1), pytest.raises(VideoError, match='cannot be read') as error:
            list(Stream(str(pipe)))
        assert '\n' not in str(error.value)
        assert ('mp4 files' in str(error.value)) is (number == 0)


def test_frames_are_dropped_where_scoring_is_slower(ts):
    """Each answer takes until 200 more frames have come, which are four windows."""
    recognizer = make_recognizer()

    def look() -> None:
        wanted, deadline = stream.frames + 200, time.monotonic() + LIMIT
        while stream.frames < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    recognizer.scorer.model.look = look

    def endless():
        while True:
            yield ts

    windows = []
    with answering(partial(send, ENDLESS, endless())) as port:
        stream = Stream(f'http://127.0.0.1:{port}/a')
        assert stream.is_live
        for window in recognizer.watch(stream, window=2, step=1):
            windows.append(window)
            if len(windows) == 5:
                break
    lost = [round(24 * (later.start - earlier.end)) for earlier, later in pairwise(windows)]
    assert all(count > 0 for count in lost)
    assert stream.dropped == round(24 * windows[0].start) + sum(lost)
    share = 100 * stream.dropped / round(24 * windows[-1].end)
    assert stream.describe_dropped().startswith(f'dropped {stream.dropped} frames ({share:.0f} %): ')


def test_a_thread_that_is_ahead_waits_or_leaves_out():
    def numbers(seen):
        for number in range(50):
            seen.append(number)
            yield number

    seen: list[int] = []
    ahead = Ahead(numbers(seen), newest=False)
    assert next(ahead) == 0
    assert [next(ahead), next(ahead)] == [1, 2] and len(seen) <= 5
    assert list(ahead) == list(range(3, 50))

    seen = []
    ahead = Ahead(numbers(seen), newest=True)
    deadline = time.monotonic() + LIMIT
    while len(seen) < 50 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert list(ahead)[-1] == 49


def test_an_error_in_the_thread_is_raised_where_its_items_are_taken():
    def broken():
        yield 1
        raise VideoError('it broke')

    taken = []
    with pytest.raises(VideoError, match='it broke'):
        taken.extend(Ahead(broken(), newest=False))


def test_a_stream_that_breaks_off_is_opened_again(ts, monkeypatch):
    monkeypatch.setattr(live, 'PAUSES', (0.0, 0.0))
    answers = iter(
        [
            partial(send, BROKEN, [ts]),
            partial(send, CHUNKED, [f'{len(ts):x}\r\n'.encode(), ts, b'\r\n0\r\n\r\n']),  # which ends as it should
        ]
    )
    said = []
    with answering(lambda connection: next(answers)(connection)) as port:
        stream = Stream(f'http://user:secret@127.0.0.1:{port}/a', said.append)
        times = [moment for moment, _ in stream]
    assert stream.frames == 2 * FRAMES
    assert (np.diff(times) > 0).all()
    (line,) = said
    assert 'broke off' in line and '(1 of 2)' in line and 'secret' not in line


def test_a_stream_that_stays_broken_is_an_error(ts, monkeypatch):
    monkeypatch.setattr(live, 'PAUSES', (0.0, 0.0))
    said, times = [], []
    answers = iter([partial(send, BROKEN, [ts])])
    with answering(lambda connection: next(answers, lambda connection: None)(connection)) as port:
        with pytest.raises(VideoError, match=f"stream 'http://127.0.0.1:{port}/a' cannot be read"):
            times.extend(moment for moment, _ in Stream(f'http://127.0.0.1:{port}/a', said.append))
    assert len(said) == 2


def test_who_says_nothing_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(live, 'LIMITS', (0.2, 0.2))
    with answering(lambda connection: connection.recv(1 << 20) and connection.recv(1 << 20)) as port:
        with pytest.raises(VideoError, match='it gives nothing for too long'):
            Stream(f'http://127.0.0.1:{port}/a')


def test_a_file_of_a_server_is_not_real_time(tmp_path, ts):
    (tmp_path / 'a.ts').write_bytes(ts)
    with serving(tmp_path) as address:
        stream = Stream(f'{address}/a.ts')
        assert not stream.is_live and sum(1 for _ in stream) == FRAMES
        with pytest.raises(VideoError, match='Not Found'):
            Stream(f'{address}/b.ts')


def test_a_playlist_leads_to_no_file_of_this_machine(tmp_path, ts):
    inside, outside = tmp_path / 'www', tmp_path / 'private.ts'
    inside.mkdir()
    (inside / 'a.ts').write_bytes(ts)
    outside.write_bytes(ts)

    def publish(name: str, address: str) -> str:
        text = f'#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{address}\n#EXT-X-ENDLIST\n'
        (inside / name).write_text(text)
        return name

    with serving(inside) as server:
        assert sum(1 for _ in Stream(f'{server}/{publish("good.m3u8", "a.ts")}')) == FRAMES
        for address in (f'file://{outside}', f'file:{outside}', str(outside), f'concat:{outside}', f'crypto:{outside}'):
            with pytest.raises(VideoError):
                list(Stream(f'{server}/{publish("bad.m3u8", address)}'))


def test_rtsp(ts):
    with answering(partial(speak_rtsp, 5 * ts)) as port:
        stream = Stream(f'rtsp://127.0.0.1:{port}/camera')
        assert stream.is_live
        frames = [next(iter_) for iter_ in [iter(stream)] for _ in range(FRAMES)]
    assert frames[0][0] == 0 and frames[0][1].shape == (64, 64, 3)
    assert {bool(frame.mean() > 128) for _, frame in frames} == {True, False}
    with pytest.raises(VideoError, match='Connection refused'):
        Stream('rtsp://127.0.0.1:1/camera')
