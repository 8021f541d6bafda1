"""The tool itself."""

import http.client
import json
import re
import signal
import socket
import sys
from pathlib import Path

import psutil
import pytest

from mmdualformer.errors import UserError
from mmdualformer.serving.server import listen
from tests.helpers import assert_one_line
from tests.recognition.conftest import write_checkpoint
from tests.running import LIMIT, Running


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory) -> str:
    return write_checkpoint(tmp_path_factory.mktemp('tool') / 'vmf.pth', 'vmf')


@pytest.fixture
def start(tmp_path):
    """Start the tool; it is killed at the end if it still runs."""
    started = []

    def run(*options):
        # no fork, which would have the process that reading processes of other tests are forked from
        started.append(Running(tmp_path / 'run', 'tools/serve.py', *options, program=sys.executable))
        return started[-1]

    yield run
    for tool in started:
        tool.kill()


def test_it_serves_until_it_is_told_to_end(start, checkpoint, clip_file, tmp_path):
    tool = start(checkpoint, '--port', '0', '--device', 'cpu')
    tool.wait_for('Ctrl-C ends it')
    line = tool.outputs[0].read_text().strip()
    port = int(re.fullmatch(r'serving vmf\.pth, 8 classes, on http://127\.0\.0\.1:(\d+) \(Ctrl-C ends it\)', line)[1])
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
    connection.request('POST', '/recognize', Path(clip_file).read_bytes(), {'Content-Type': 'video/mp4'})
    answer = connection.getresponse()
    assert answer.status == 200 and len(json.loads(answer.read())['names']) == 5
    children, tool.started = tool.started, []
    tool.send(signal.SIGINT)
    assert tool.end() == 0
    assert children and not psutil.wait_procs(children, LIMIT)[1]
    assert tool.output.splitlines() == [line, 'stopped by SIGINT (Ctrl-C)']


def test_an_address_that_is_taken_is_one_line():
    with socket.create_server(('127.0.0.1', 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=rf'--port {port} cannot be used: .*in use; --port 0'):
            listen('127.0.0.1', port)
    with pytest.raises(UserError, match=r'--host 192[.]0[.]2[.]1'):
        listen('192.0.2.1', 0)


@pytest.mark.parametrize(
    ('options', 'said'),
    [(['--port', '70000'], '0 to 65535'), (['--max-seconds', '0'], 'more than 0'), (['--queue', '-1'], 'at least 0')],
)
def test_wrong_options_are_one_line(fork_tool, checkpoint, options, said):
    assert_one_line(fork_tool('tools/serve.py', checkpoint, *options), said, status=2)
