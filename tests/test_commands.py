import shlex
from pathlib import Path

import pytest

from mmdualformer import commands
from mmdualformer.commands import command_line, tool_command, translate
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


def test_a_hint_of_an_installed_package_names_the_command(monkeypatch):
    monkeypatch.setattr(commands, 'IN_CHECKOUT', False)
    assert tool_command('recognize') == 'mmdualformer recognize'


def test_a_hint_of_a_tool_that_is_none_is_refused():
    with pytest.raises(ValueError, match='no tool'):
        tool_command('recognise')


def test_the_command_of_several_processes_starts_several(monkeypatch):
    monkeypatch.setattr('sys.argv', ['/a/tools/test.py', '--launcher', 'pytorch', 'c.py', 'my best.pth'])
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '2')
    assert command_line() == "test.py --launcher pytorch c.py 'my best.pth'"  # which somebody else has started
    monkeypatch.setenv('MMDUALFORMER_COMMAND', 'test')
    assert command_line() == "mmdualformer test --gpus 2 c.py 'my best.pth'"


@pytest.mark.parametrize(
    ('command', 'translated'),
    [
        ('python tools/data/prepare.py hmdb51 --root x', 'mmdualformer prepare hmdb51 --root x'),
        ('test -f x || python tools/data/make_motion_clips.py', 'test -f x || mmdualformer make-motion-clips'),
        (
            'N=8 bash tools/dist_train.sh configs/a.py 8 --resume',
            'N=8 mmdualformer train configs/a.py --gpus 8 --resume',
        ),
        ('bash tools/dist_test.sh a.py b.pth 8 --dump x', 'mmdualformer test a.py b.pth --gpus 8 --dump x'),
        ('N=8 bash tools/slurm_test.sh p n configs/a.py b', 'N=8 bash {0}/tools/slurm_test.sh p n {0}/configs/a.py b'),
        ('mkdir -p a && cp b.pth a/b.pth', 'mkdir -p a && cp b.pth a/b.pth'),
    ],
)
def test_commands_of_a_checkout_are_translated_for_the_command(command, translated, monkeypatch, tmp_path):
    assert translate(command) == command
    monkeypatch.setenv('MMDUALFORMER_COMMAND', 'reproduce')
    assert translate(command) == translated.format(REPO)
    monkeypatch.setattr(commands, 'ROOT', tmp_path)
    assert translate(command) == translated.format(tmp_path)
