import os
import shutil

import pytest

from mmdualformer import processes
from tests.helpers import fork
from tests.running import be_tool


@pytest.fixture
def folder(motion_root, tmp_path):
    """Two classes of four clips."""
    for i, clip in enumerate(sorted(motion_root.glob('videos_train/*.mp4'))[:8]):
        place = tmp_path / 'my videos' / ('swim' if i % 2 else 'jump')
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, place)
    return tmp_path / 'my videos'


@pytest.fixture
def forked_tools(tmp_path, monkeypatch):
    """Have the tools that fit starts run in forks of its process, which has imported everything already."""

    def run(command, **_):
        pid = fork()
        if pid == 0:
            be_tool(tmp_path, [f'tools/{command[3]}.py', *command[4:]], [1, 2])
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    monkeypatch.setattr(processes, 'run', run)
