import shlex
from pathlib import Path

import pytest

from mmdualformer import commands
from mmdualformer.commands import tool_command
from tests.helpers import REPO


@pytest.fixture(autouse=True)
def no_command(monkeypatch):
    monkeypatch.delenv('MMDUALFORMER_COMMAND', raising=False)


@pytest.mark.parametrize('name', ['recognize', 'make-motion-clips', 'sweep-views'])
def test_a_hint_of_a_checkouts_tool_runs_from_the_current_folder(name, monkeypatch, tmp_path):
    for folder in (REPO, tmp_path):
        monkeypatch.chdir(folder)
        program, tool = shlex.split(tool_command(name))
        assert program == 'python'
        assert Path(tool).is_file()
    monkeypatch.chdir(REPO)
    assert tool_command('recognize') == 'python tools/recognize.py'


def test_a_hint_of_the_command_names_the_command(monkeypatch):
    monkeypatch.setenv('MMDUALFORMER_COMMAND', 'fit')
    assert tool_command('recognize') == 'mmdualformer recognize'


def test_a_hint_of_an_installed_package_names_the_command(monkeypatch, tmp_path):
    """It has no tools folder beside it, or another package's."""
    monkeypatch.setattr(commands, '_TOOLS', tmp_path / 'tools')
    assert tool_command('recognize') == 'mmdualformer recognize'
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools' / 'recognize.py').write_text('')
    assert tool_command('recognize') == 'mmdualformer recognize'


def test_a_hint_of_a_tool_that_is_none_is_refused():
    with pytest.raises(ValueError, match='no tool'):
        tool_command('recognise')
