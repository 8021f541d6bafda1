"""A recognizer that sees whether it is light, and videos and streams for it."""

import http.server
import os
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from mmdualformer import Recognizer

NAMES = ('dark', 'light')
PIPELINE = [
    dict(type='VideoInit'),
    dict(type='SampleEvenly', clip_len=4, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='Resize', scale=(16, 16), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]


class Eye(nn.Module):
    """Takes the mean of all pixels for the probability of light."""

    def __init__(self, names=NAMES) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.cfg = Config(dict(test_pipeline=PIPELINE))
        self.cls_head = SimpleNamespace(average_clips='prob', multi_class=False, num_classes=2)
        self.dataset_meta = dict(classes=list(names))
        self.look = lambda: None  # what is done before each answer

    def test_step(self, data):
        self.look()
        means = [clips.float().mean() / 255 for clips in data['inputs']]
        return [SimpleNamespace(pred_score=torch.stack([1 - mean, mean])) for mean in means]


def make_recognizer(names=NAMES) -> Recognizer:
    return Recognizer(Eye(names))


def write_lights(path, seconds: float, light=(), rate=5, size=(64, 64), pix_fmt='yuv420p', **options) -> str:
    """A dark video, which is light from ``light[0]`` to ``light[1]`` seconds."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=Fraction(rate), options={'preset': 'ultrafast', **options})
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        for number in range(round(seconds * rate)):
            is_light = bool(light) and light[0] <= number / rate < light[1]
            picture = np.full((size[1], size[0], 3), 250 * is_light, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        container.mux(stream.encode(None))
    return str(path)


@contextmanager
def answering(answer):
    """A server on this machine, which gives each connection to ``answer``, one after the other; yields its port."""
    with socket.create_server(('127.0.0.1', 0)) as server:

        def run() -> None:
            with suppress(OSError):  # closed
                while True:
                    connection, _ = server.accept()
                    with connection, suppress(OSError):
                        answer(connection)

        threading.Thread(target=run, daemon=True).start()
        yield server.getsockname()[1]
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


@contextmanager
def feeding(path: Path, content: bytes, times: int | None = None):
    """A named pipe that is fed with a content, again and again or so many times; yields a list of what was written."""
    os.mkfifo(path)
    written: list[int] = []

    def feed() -> None:
        with suppress(BrokenPipeError), open(path, 'wb', buffering=0) as pipe:
            while times is None or len(written) < times:
                pipe.write(content)
                written.append(len(content))

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    yield written
    if thread.is_alive():
        with suppress(OSError):  # nobody reads any more
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    thread.join(10)


@contextmanager
def serving(folder: Path):
    """A web server of a folder; yields its address."""
    handler = partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass


def speak_rtsp(content: bytes, connection: socket.socket) -> None:
    """Answer as a camera does that sends an MPEG transport stream in its RTSP connection."""
    file = connection.makefile('rb')
    while True:
        lines = []
        while (line := file.readline().decode().strip()) or not lines:
            if not line:
                return
            lines.append(line)
        method = lines[0].split()[0]
        number = next(line for line in lines if line.lower().startswith('cseq'))
        body, extra = '', ''
        if method == 'DESCRIBE':
            body = 'v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track\r\n'
            extra = f'Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n'
        elif method == 'SETUP':
            extra = 'Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n'
        connection.sendall(f'RTSP/1.0 200 OK\r\n{number}\r\nSession: 1\r\n{extra}\r\n{body}'.encode())
        if method == 'PLAY':
            break
    for count, start in enumerate(range(0, len(content), 7 * 188)):
        packet = struct.pack('>BBHII', 0x80, 33, count, count * 90, 1) + content[start : start + 7 * 188]
        connection.sendall(struct.pack('>cBH', b'$', 0, len(packet)) + packet)
