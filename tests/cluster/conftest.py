import os
import shutil
import subprocess

import pytest

from tests.cluster.machines import Command, Network
from tests.cluster.slurm import Slurm
from tests.helpers import REPO

CONFIG = REPO / 'configs/dualformer_micro_motion.py'


def _need(*programs: str, packages: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f'{missing[0]} is missing; on Debian and Ubuntu: apt-get install {packages}')
    if os.geteuid() != 0 or subprocess.run(['unshare', '--net', '--pid', '--fork', 'true']).returncode:
        pytest.skip('namespaces need root')


@pytest.fixture
def options(data_options) -> list:
    """The quick start's config, for a training of two epochs of eight steps on two processes."""
    return [
        *('--cfg-options', *data_options, 'train_cfg.max_epochs=2'),
        *(f'{part}_dataloader.batch_size=1' for part in ('train', 'val', 'test')),
    ]


@pytest.fixture
def start(tmp_path):
    """Start commands that do not outlive the test; gives a ``Command``."""
    commands: list[Command] = []

    def start(*command, **env) -> Command:
        commands.append(Command(list(command), tmp_path / f'output_{len(commands)}.txt', **env))
        return commands[-1]

    yield start
    for command in commands:
        command.kill()


@pytest.fixture(scope='session')
def slurm(tmp_path_factory):
    """A cluster of Slurm on this machine, with two GPUs that are none."""
    _need('munged', 'slurmctld', 'slurmd', 'srun', 'unshare', packages='slurm-wlm munge util-linux')
    cluster = Slurm(tmp_path_factory.mktemp('slurm'))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def mpirun() -> list:
    """Open MPI's launcher and its arguments for two processes, as root and on any number of cores."""
    _need('mpirun', 'unshare', packages='openmpi-bin')
    if 'Open MPI' not in subprocess.run(['mpirun', '--version'], capture_output=True, text=True).stdout:
        pytest.skip('mpirun is not that of Open MPI; on Debian and Ubuntu: apt-get install openmpi-bin')
    return ['mpirun', '--allow-run-as-root', '--oversubscribe', '-np', '2']


@pytest.fixture
def network(tmp_path):
    """Machines in a network of their own."""
    _need('ip', 'unshare', 'nsenter', packages='iproute2 util-linux')
    network = Network(tmp_path)
    try:
        yield network
    finally:
        network.remove()
