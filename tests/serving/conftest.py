import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from mmdualformer import Recognizer
from mmdualformer.serving import Limits, prepare
from mmdualformer.serving.app import Service
from mmdualformer.serving.server import Server, configure, listen
from tests.recognition.conftest import write_checkpoint

LIMIT = 120  # seconds, of a machine that does much else
BOUNDARY = 'edge'


@dataclass
class Running:
    """A server in a thread of this process."""

    port: int
    service: Service
    server: uvicorn.Server

    def ask(self, method: str, path: str, body=None, **headers: str) -> tuple[int, dict, http.client.HTTPMessage]:
        """Send a request; its status, what its JSON says, and its headers."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        connection.request(method, path, body, {name.replace('_', '-'): value for name, value in headers.items()})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        is_json = answer.headers['Content-Type'] == 'application/json'
        return answer.status, json.loads(content) if is_json else dict(text=content), answer.headers

    def send(self, path, query: str = '', name: str | None = None, **headers: str) -> tuple[int, dict]:
        """Upload a file in a form; the status, and what the JSON says."""
        content = path if isinstance(path, bytes) else Path(path).read_bytes()
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="video"; filename="{name or "clip.mp4"}"\r\n\r\n'
        body = head.encode() + content + f'\r\n--{BOUNDARY}--\r\n'.encode()
        kind = f'multipart/form-data; boundary={BOUNDARY}'
        return self.ask('POST', f'/recognize{query}', body, **{'Content_Type': kind, **headers})[:2]


@contextmanager
def running(recognizer: Recognizer, **limits) -> Iterator[Running]:
    """Serve a recognizer, as the tool does, until the body ends."""
    listener = listen('127.0.0.1', 0)
    service = Service(recognizer, Limits(**limits), 'micro.pth')
    ready = threading.Event()
    server = Server(configure(service), ready.set, service.begin_stop)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        assert ready.wait(LIMIT)
        yield Running(listener.getsockname()[1], service, server)
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope='session')
def recognizer(tmp_path_factory) -> Recognizer:
    """A VMF with random weights."""
    prepare()
    return Recognizer(write_checkpoint(tmp_path_factory.mktemp('served') / 'vmf.pth', 'vmf'), device='cpu')


@pytest.fixture(scope='module')
def served(recognizer) -> Iterator[Running]:
    """A server with small limits, whose child process the tests of other modules shall not find."""
    with running(recognizer, max_size=1 << 20, max_seconds=100.0) as server:
        yield server
