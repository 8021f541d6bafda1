"""The HTTP interface, by a real server in a thread."""

import base64
import json
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mmdualformer.errors import UserError
from mmdualformer.recognition import find_segments
from mmdualformer.serving import app as app_module
from mmdualformer.serving import server as server_module
from mmdualformer.serving import uploads
from tests.helpers import REPO, break_off
from tests.serving.conftest import LIMIT, running

RAW = dict(Content_Type='video/mp4')
TICKET = 'ticket-of-a-test'
BROWSER = shutil.which('chromium') or shutil.which('google-chrome')


def wait_until(condition) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def held(recognizer, monkeypatch):
    """An event that the scores of all videos wait for."""
    event, score = threading.Event(), recognizer.score

    def wait_and_score(*args):
        assert event.wait(LIMIT)
        return score(*args)

    monkeypatch.setattr(recognizer, 'score', wait_and_score)
    yield event
    event.set()


@pytest.fixture(scope='module')
def long_file(tmp_path_factory) -> str:
    """A video of 72 s at two frames a second, whose second half is another scene."""
    path = tmp_path_factory.mktemp('long') / 'long.mp4'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=2)
        stream.width = stream.height = 64
        rng = np.random.default_rng(0)
        for i in range(144):
            image = (
                rng.integers(0, 256, (64, 64, 3), np.uint8) if i < 72 else np.full((64, 64, 3), 3 * (i % 50), np.uint8)
            )
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        container.mux(stream.encode(None))
    return str(path)


def test_an_upload_scores_as_its_file(served, recognizer, clip_file):
    expected = recognizer(clip_file)
    status, answer = served.send(clip_file, '?topk=3')
    assert status == 200
    assert answer == {**expected.to_dict(3), 'source': 'clip.mp4', 'several': False, 'scores': answer['scores']}
    assert answer['scores'] == pytest.approx(expected.scores[:3], abs=1e-6)
    status, raw, _ = served.ask('POST', '/recognize?topk=3', Path(clip_file).read_bytes(), **RAW)
    assert status == 200 and raw == {**answer, 'source': 'upload'}


def test_a_time_line_is_that_of_watch(served, recognizer, long_file, clip_file):
    status, answer = served.send(long_file)
    segments = [segment.to_dict() for segment in find_segments(recognizer.watch(long_file))]
    assert status == 200 and answer['end'] == 72
    assert [part['name'] for part in answer['segments']] == [part['name'] for part in segments]
    assert answer['segments'] == [pytest.approx(part) for part in segments]
    assert 'segments' not in served.send(long_file, '?segments=0')[1]
    assert 'segments' in served.send(clip_file, '?segments=1')[1]


def test_an_explanation_has_pictures(served, recognizer, clip_file, monkeypatch):
    status, answer = served.send(clip_file, '?explain=1')
    explanation = answer['explanation']
    assert status == 200 and explanation['views'] == 1
    assert explanation['name'] == answer['names'][0]
    assert explanation['score'] == pytest.approx(answer['scores'][0], abs=1e-5)
    times = [frame['time'] for frame in explanation['frames']]
    assert 2 <= len(times) <= 8 and times == sorted(times)
    for frame in explanation['frames']:
        kind, _, content = frame['image'].partition(',')
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
        assert kind == 'data:image/jpeg;base64' and picture.shape == (144, 144, 3) and picture.std() > 5
    monkeypatch.setattr(app_module, 'can_explain', lambda recognizer: False)  # as of an exported model
    status, answer = served.send(clip_file, '?explain=1')
    assert status == 400 and 'checkpoint' in answer['error']


def test_what_the_server_says_of_itself(served):
    status, health, _ = served.ask('GET', '/health')
    assert status == 200 and health['status'] == 'ok' and health['waiting'] == 0
    assert (health['model'], health['classes'], health['explains']) == ('micro.pth', 8, True)
    assert served.ask('GET', '/limits')[1]['max_size'] == 1 << 20


@pytest.mark.parametrize(
    ('query', 'said'),
    [('?topk=0', "topk='0'"), ('?topk=x', "topk='x'"), ('?explain=yes', "explain='yes'"), ('?top=3', "'top'")],
)
def test_wrong_options_are_said(served, query, said):
    status, answer = served.send(b'', query)
    assert status == 400 and said in answer['error']


def test_wrong_requests_are_said(served):
    form = 'multipart/form-data; boundary=edge'
    other_field = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n--edge--\r\n'
    text_field = b'--edge\r\nContent-Disposition: form-data; name="video"\r\n\r\nabc\r\n--edge--\r\n'
    for body, kind, status, said in (
        (b'abc', 'text/plain', 415, "'text/plain' is not taken"),
        (b'abc', 'multipart/form-data', 400, 'boundary'),
        (b'abc', form, 400, 'cannot be read'),
        (other_field, form, 400, "field 'video'"),
        (text_field, form, 400, "field 'video'"),
        (b'', 'video/mp4', 400, 'empty'),
    ):
        found, answer, _ = served.ask('POST', '/recognize', body, Content_Type=kind)
        assert (found, said in answer['error']) == (status, True), answer
    assert served.ask('GET', '/recognize')[0] == 405
    assert served.ask('GET', '/etc/passwd')[:2] == (404, dict(error='there is nothing here by that name'))


def test_what_is_no_video_is_said(served, clip_file, tmp_path):
    broken = tmp_path / 'broken.mp4'
    broken.write_bytes(Path(clip_file).read_bytes()[:800])
    status, answer = served.send(broken)
    assert status == 422 and 'cannot be read as a video' in answer['error']
    assert '/proc' not in answer['error']


def test_damage_is_said(served, clip_file, tmp_path):
    broken = tmp_path / 'broken.mp4'
    with av.open(clip_file) as source, av.open(str(broken), 'w', options={'movflags': 'faststart'}) as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    break_off(broken)
    status, answer = served.send(broken)
    assert status == 200 and answer['damage']


def test_lists_of_other_files_open_none(served, clip_file):
    for text in (
        f'#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{clip_file}\n#EXT-X-ENDLIST\n',
        f"ffconcat version 1.0\nfile '{clip_file}'\n",
        'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/9\n',
    ):
        status, answer = served.send(text.encode(), name='list.m3u8')
        assert status == 422, answer


@pytest.mark.parametrize('name', ['../../../etc/passwd', '/etc/passwd', '<img src=x>', 'long' * 200, 'a\x1b[2Jb', ''])
def test_the_name_of_an_upload_is_only_shown(served, clip_file, name):
    status, answer = served.send(clip_file, name=name)
    assert status == 200
    shown = name.replace('\x1b', '\\x1b')[:200] or 'clip.mp4'
    assert answer['source'] == shown


def test_no_file_is_kept(served, clip_file, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    assert served.send(clip_file)[0] == 200
    assert served.send(b'no video')[0] == 422
    assert served.ask('POST', '/recognize', Path(clip_file).read_bytes(), **RAW)[0] == 200
    assert list(tmp_path.iterdir()) == []
    assert served.service._queue.jobs == [] and served.service._tickets == {}


def test_too_large_uploads(served):
    large = bytes((1 << 20) + 1)
    assert served.ask('POST', '/recognize', large, **RAW)[0] == 413
    assert served.send(large)[0] == 413
    chunks = (large[i : i + 4096] for i in range(0, len(large), 4096))  # without a declared length
    status, answer, _ = served.ask('POST', '/recognize', chunks, **RAW)
    assert status == 413 and '1 MiB' in answer['error']
    with socket.create_connection(('127.0.0.1', served.port)) as connection:  # what is declared is enough
        connection.sendall(
            b'POST /recognize HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n'
            % 10**12
        )
        assert connection.recv(100).startswith(b'HTTP/1.1 413')


def test_too_long_videos(recognizer, clip_file):
    with running(recognizer, max_seconds=0.5) as server:
        status, answer = server.send(clip_file)
    assert status == 422 and 'this server takes up to 0.5 s' in answer['error']


def test_slow_uploads_end(served, monkeypatch):
    monkeypatch.setattr(uploads, 'UPLOAD_PATIENCE', 0.1)
    monkeypatch.setattr(uploads, 'LINGER_SILENCE', 0.1)
    with socket.create_connection(('127.0.0.1', served.port)) as connection:
        connection.settimeout(LIMIT)
        connection.sendall(
            b'POST /recognize HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: 999\r\n\r\nabc'
        )
        assert connection.recv(100).startswith(b'HTTP/1.1 408')
    wait_until(lambda: not served.service._queue.jobs)


def test_silent_connections_end(served, monkeypatch):
    monkeypatch.setattr(server_module, 'HEADER_LIMIT', 0.1)
    with socket.create_connection(('127.0.0.1', served.port)) as connection:
        connection.settimeout(LIMIT)
        connection.sendall(b'POST /recog')
        assert connection.recv(100) == b''


def test_only_its_own_names_and_pages(served, clip_file):
    for host in ('evil.example', f'evil.example:{served.port}', '10.1.2.3', ''):
        assert served.ask('GET', '/health', Host=host)[0] == 403, host
    for host in ('localhost', f'localhost:{served.port}', 'LOCALHOST:1', '127.0.0.1', '[::1]:80'):
        assert served.ask('GET', '/health', Host=host)[0] == 200, host
    for origin in ('http://evil.example', 'null', f'http://localhost:{served.port + 1}'):
        assert served.send(clip_file, Origin=origin)[0] == 403, origin
    assert served.send(clip_file, Origin=f'http://127.0.0.1:{served.port}')[0] == 200


def test_the_page_asks_no_other_server(served):
    status, page, headers = served.ask('GET', '/')
    assert status == 200 and headers['Content-Type'].startswith('text/html')
    policy = headers['Content-Security-Policy']
    assert "default-src 'none'" in policy and 'unsafe' not in policy and 'http' not in policy
    assert headers['X-Content-Type-Options'] == 'nosniff'
    texts = [page['text'].decode()]
    for file in re.findall(r'(?:href|src)="(page\.\w+)"', texts[0]):
        status, content, _ = served.ask('GET', f'/{file}')
        assert status == 200
        texts.append(content['text'].decode())
    assert len(texts) == 3
    assert not re.search(r'https?://|style="|onclick="|innerHTML', ''.join(texts))


def test_the_page_has_what_its_program_asks_for():
    folder = REPO / 'mmdualformer/serving/page'
    program = (folder / 'page.js').read_text()
    ids = set(re.findall(r' id="([\w-]+)"', (folder / 'index.html').read_text()))
    assert set(re.findall(r"byId\('([\w-]+)'\)", program)) <= ids


@pytest.mark.skipif(BROWSER is None, reason='there is no Chromium')
def test_the_page_runs_in_a_browser(served, tmp_path):
    options = (
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--virtual-time-budget=20000',
        f'--user-data-dir={tmp_path}',
    )
    command = [BROWSER, *options, '--dump-dom', f'http://localhost:{served.port}/']
    page = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT).stdout
    assert 'micro.pth · 8 classes' in page and 'Up to 1 MiB and 100 s.' in page
    assert re.search(r'<div class="error" id="error" role="alert" hidden="">', page)


def test_uploads_wait_for_their_turn(recognizer, clip_file, held):
    with running(recognizer, queue=1) as server, ThreadPoolExecutor() as pool:
        first = pool.submit(server.send, clip_file, X_Ticket=TICKET)
        wait_until(lambda: server.ask('GET', f'/progress?ticket={TICKET}')[1].get('state') == 'recognizing')
        assert server.send(clip_file, X_Ticket=TICKET)[0] == 400  # another one has it
        assert server.send(clip_file, X_Ticket='short')[0] == 400
        second = pool.submit(server.send, clip_file, X_Ticket=TICKET + '2')
        wait_until(lambda: server.ask('GET', '/health')[1]['waiting'] == 1)
        progress = server.ask('GET', f'/progress?ticket={TICKET}2')[1]
        assert progress == dict(state='waiting', before=0, done=0)
        status, answer, headers = server.ask('POST', '/recognize', Path(clip_file).read_bytes(), **RAW)
        assert status == 503 and int(headers['Retry-After']) >= 1 and 'try again' in answer['error']
        held.set()
        assert first.result()[0] == second.result()[0] == 200
        assert server.ask('GET', f'/progress?ticket={TICKET}')[0] == 404
        assert server.send(clip_file)[0] == 200


def test_who_is_gone_waits_no_longer(recognizer, clip_file, held):
    content = Path(clip_file).read_bytes()
    head = 'POST /recognize HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\n'
    head += f'Content-Length: {len(content)}\r\n\r\n'
    with running(recognizer) as server, ThreadPoolExecutor() as pool:
        first = pool.submit(server.send, clip_file)
        wait_until(lambda: server.service._queue.jobs and server.service._queue.jobs[0].state == 'recognizing')
        with socket.create_connection(('127.0.0.1', server.port)) as connection:
            connection.sendall(head.encode() + content)
            wait_until(lambda: server.service._queue.waiting == 1)
        wait_until(lambda: len(server.service._queue.jobs) == 1)
        assert server.service._queue.waiting == 0
        held.set()
        assert first.result()[0] == 200


def test_those_who_wait_are_told_when_it_ends(recognizer, clip_file, held):
    with running(recognizer) as server, ThreadPoolExecutor() as pool:
        answers = [pool.submit(server.send, clip_file) for _ in range(3)]
        wait_until(lambda: server.service._queue.waiting == 2)
        server.server.should_exit = True
        wait_until(lambda: server.service._queue._is_stopping.is_set())
        held.set()
        statuses = [answer.result()[0] for answer in answers]
    assert sorted(statuses)[1:] == [503, 503]


def test_fifty_uploads_at_once(recognizer, clip_file):
    content = Path(clip_file).read_bytes()
    with running(recognizer, queue=16) as server, ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: server.send(content), range(50)))
        assert {status for status, _ in answers} <= {200, 503}
        scores = [answer['scores'] for status, answer in answers if status == 200]
        assert len(scores) >= 17 and all(row == scores[0] for row in scores)
        assert server.send(content)[0] == 200
        assert server.service._queue.jobs == []


def test_faults_of_the_model_are_said(served, recognizer, clip_file, monkeypatch):
    def fail(*args):
        raise UserError('the scores are NaN or infinite')

    monkeypatch.setattr(recognizer, 'score', fail)
    assert served.send(clip_file) == (500, dict(error='the scores are NaN or infinite'))
    monkeypatch.undo()
    assert served.send(clip_file)[0] == 200


def test_answers_are_json(served, clip_file):
    status, answer = served.send(clip_file)
    assert status == 200 and json.loads(json.dumps(answer, allow_nan=False)) == answer
