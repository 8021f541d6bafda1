import re
import time

import pytest

from tests.cluster.conftest import CONFIG
from tests.helpers import REPO

pytestmark = pytest.mark.cluster

PORT = '29500'


def _listening(machine) -> set[str]:
    """Addresses that processes of a machine listen on."""
    return {line.split()[3].rpartition(':')[0] for line in machine.run('ss', '-H', '-t', '-l', '-n').splitlines()}


def _train(network, number, gpus, options, work_dir, *arguments):
    env = dict(NNODES='2', NODE_RANK=str(number), MASTER_ADDR='10.77.0.1', PORT=PORT)
    command = ['bash', REPO / 'tools/dist_train.sh', CONFIG, gpus, *arguments, '--work-dir', work_dir, *options]
    return network.machines[number].start(command, work_dir / f'output_{number}.txt', **env)


@pytest.mark.parametrize('gpus', [(1, 1), (2, 1)], ids=['equal', 'uneven'])
def test_train(network, options, tmp_path, gpus):
    for number in range(2):
        network.add(number)
    runs = [_train(network, number, gpus[number], options, tmp_path) for number in range(2)]
    runs[0].wait_for(r'Epoch\(train\) +\[1\]')
    listening = [_listening(machine) for machine in network.machines.values()]
    statuses = [run.end() for run in runs]
    assert statuses == [0, 0], runs[0].text + runs[1].text
    assert listening == [{'10.77.0.1'}, {'10.77.0.2'}]
    assert re.search(rf'Epoch\(train\) +\[2\]\[{-(-16 // sum(gpus))}/', runs[0].text)


def _train_elastic(network, number, options, work_dir):
    launcher = ['python', '-m', 'mmdualformer.launch', '--nnodes=2', '--nproc-per-node=1', '--max-restarts=3']
    launcher += ['--rdzv-backend=c10d', f'--rdzv-endpoint=10.77.0.1:{PORT}', '--rdzv-id=motion']
    tool = [REPO / 'tools/train.py', CONFIG, '--launcher', 'pytorch', '--resume', '--work-dir', work_dir, *options]
    return network.machines[number].start([*launcher, *tool], work_dir / f'output_{number}_{time.time()}.txt')


@pytest.mark.parametrize('end', ['killed', 'cut off'])
def test_machine_comes_back(end, network, options, tmp_path):
    options = [*options, 'train_cfg.max_epochs=6']
    for number in range(2):
        network.add(number)
    first, second = (_train_elastic(network, number, options, tmp_path) for number in range(2))
    first.wait_for(r'Epoch\(train\) +\[2\]')
    if end == 'cut off':  # so that nothing tells the other one
        network.machines[0].run('ip', 'link', 'set', 'port', 'down')
    network.machines[1].die()
    began = time.monotonic()
    second.process.wait()
    network.add(1)
    second = _train_elastic(network, 1, options, tmp_path)
    first.wait_for(r'resumed epoch: [1-9]')
    print(end, 'back after', time.monotonic() - began)
    statuses = first.end(), second.end()
    assert statuses == (0, 0), first.text + second.text
    epochs = [int(epoch) for epoch in re.findall(r'Epoch\(train\) +\[(\d)\]\[8/8\]', first.text)]
    assert sorted(set(epochs)) == [1, 2, 3, 4, 5, 6] and len(epochs) <= 7  # the one that was not saved comes again
