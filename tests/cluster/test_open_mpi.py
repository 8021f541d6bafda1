import re
import signal
import socket
import time
from pathlib import Path

import psutil
import pytest

from tests.cluster.conftest import CONFIG
from tests.helpers import REPO

pytestmark = pytest.mark.cluster


def _train(start, mpirun, options, work_dir, *arguments):
    tool = [REPO / 'tools/train.py', CONFIG, '--launcher', 'mpi', *arguments]
    return start(*mpirun, 'python', *tool, '--work-dir', work_dir, *options)


def _ranks(run) -> dict[int, psutil.Process]:
    found = {}
    for process in psutil.Process(run.process.pid).children(recursive=True):
        if 'OMPI_COMM_WORLD_RANK' in process.environ():
            found.setdefault(int(process.environ()['OMPI_COMM_WORLD_RANK']), process)
    return found


def test_train_stop_resume_and_test(start, mpirun, options, tmp_path):
    options = [*options, 'train_cfg.max_epochs=50']
    run = _train(start, mpirun, options, tmp_path)
    run.wait_for(r'Epoch\(train\).*\[1\]')
    ranks = _ranks(run)
    assert sorted(ranks) == [0, 1]
    for process in ranks.values():  # one machine
        sockets = [found.laddr.ip for found in process.net_connections() if found.status == psutil.CONN_LISTEN]
        assert set(sockets) <= {'127.0.0.1'}
    for number, status in ((signal.SIGUSR1, 138), (signal.SIGTERM, 1), (signal.SIGINT, 1)):
        began = time.monotonic()
        run.send(number)
        ended = run.end()
        print(number.name, ended, [line for line in run.lines if 'stopped' in line], time.monotonic() - began)
        assert ended == status and 'Traceback' not in run.text
        if number == signal.SIGUSR1:  # mpirun passes it on; with the others it leaves a second to save
            assert re.search(r'^stopped by SIGUSR1; .*epoch.*\.pth holds all', run.text, re.MULTILINE)
        for process in ranks.values():
            process.wait(20)
        run = _train(start, mpirun, options, tmp_path, '--resume')
        run.wait_for(r'Epoch\(train\).*\[\d+\]')
        assert re.search(r'resumed epoch: [1-9]', run.text)
        ranks = _ranks(run)
    began = time.monotonic()
    ranks[1].send_signal(signal.SIGKILL)
    assert run.end() == 137
    seconds = time.monotonic() - began
    print('killed', seconds)
    assert seconds < 20 and 'process rank 1' in run.text
    ranks[0].wait(20)
    checkpoint = Path((tmp_path / 'last_checkpoint').read_text())
    tool = [REPO / 'tools/test.py', CONFIG, checkpoint, '--launcher', 'mpi', '--work-dir', tmp_path]
    test = start(*mpirun, 'python', *tool, *options)
    assert test.end() == 0, test.text
    assert re.search(r'Epoch\(test\).* \[4/4\] +acc/top1', test.text)  # eight clips on two processes


@pytest.mark.parametrize('mistake', ['huge', 'is taken on MASTER_ADDR=127.0.0.1'])
def test_mistake_is_one_line(mistake, start, mpirun, options, tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as other:
        if mistake == 'huge':
            options = [*options, 'model.backbone.arch=huge']
        else:
            mpirun = [*mpirun, '-x', f'MASTER_PORT={other.getsockname()[1]}']
        run = _train(start, mpirun, options, tmp_path)
        assert run.end() == 1
    (line,) = [line for line in run.lines if not line.startswith('mpirun')]
    assert line.startswith('error: ') and mistake in line
    assert 'Traceback' not in run.text
