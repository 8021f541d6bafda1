import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from mmdualformer import compat  # which registers the models too
from mmdualformer.datasets.motion_clips import write_dataset
from tests.helpers import REPO, fork, free_port
from tests.running import be_tool

torch.set_num_threads(1)  # two test processes share two cores


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    for item in items:
        if item.get_closest_marker('gpu') and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason='no GPU'))


@pytest.fixture(scope='session')
def motion_root(tmp_path_factory) -> Path:
    """A small copy of the quick start's data set: 16 training and 8 validation clips."""
    root = tmp_path_factory.mktemp('motion')
    write_dataset(root, num_train=16, num_val=8, workers=1)
    return root


@pytest.fixture
def clip_file(motion_root) -> str:
    """An encoded clip."""
    return str(sorted(motion_root.glob('videos_val/*.mp4'))[0])


@pytest.fixture
def data_options(motion_root) -> list:
    """--cfg-options that point the quick start's config at ``motion_root``, for one short epoch."""
    loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    return [
        *(f'{loader}.dataset.data_root={motion_root}' for loader in loaders),
        *(f'{loader}.num_workers=0' for loader in loaders),
        *(f'{loader}.persistent_workers=False' for loader in loaders),
        'train_cfg.max_epochs=1',
    ]


@pytest.fixture
def one_process() -> Iterator[None]:
    """A process group of this process alone."""
    dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)
    yield
    compat.leave_process_group()


@pytest.fixture
def run_tool(tmp_path):
    """Run a tool of the repository as its user does, in an empty folder; gives the finished process."""

    def run(*command, cwd=tmp_path, **env):
        # the interpreter of this environment is what `python` means in the shell scripts
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
        environ = {**os.environ, 'PATH': path, 'PORT': free_port(), 'OMP_NUM_THREADS': '1', **env}
        program = 'bash' if str(command[0]).endswith('.sh') else sys.executable
        return subprocess.run(
            [program, str(REPO / command[0]), *map(str, command[1:])],
            cwd=cwd,
            env=environ,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


@pytest.fixture
def fork_tool(tmp_path):
    """Run a Python tool as ``run_tool`` does, but in a fork of this process, which has imported everything already."""

    def run(*command):
        outputs = [tmp_path / 'stdout.txt', tmp_path / 'stderr.txt']
        pid = fork()
        if pid == 0:
            files = [os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for path in outputs]
            be_tool(tmp_path, [str(part) for part in command], files)
        _, status = os.waitpid(pid, 0)
        return subprocess.CompletedProcess(
            command, os.waitstatus_to_exitcode(status), *(path.read_text() for path in outputs)
        )

    return run
