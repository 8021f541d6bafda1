import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmdualformer.__main__ import main
from tests.helpers import REPO, assert_one_line

# Stands in for every tool of an installed package: writes down what it is given, and what a training run leaves.
STUB = '''"""A stub.

More words.
"""
import os, sys
from pathlib import Path
if os.environ.get('RANK', '0') == '0':
    with open('calls.txt', 'a') as file:
        print(Path(__file__).stem, os.environ.get('WORLD_SIZE', '1'), *sys.argv[1:], file=file)
    code = int(os.environ.get('STATUS', '0'))
else:
    code = 0
if 'train.py' in __file__ and '--work-dir' in sys.argv:
    work = Path(sys.argv[sys.argv.index('--work-dir') + 1])
    work.mkdir(parents=True, exist_ok=True)
    (work / 'best_acc_top1_epoch_3.pth').touch()
if 'make_motion_clips.py' in __file__:
    Path('data/motion/videos_val').mkdir(parents=True)
    Path('data/motion/videos_val/1.mp4').touch()
    Path('data/motion/label_map.txt').touch()
sys.exit(code)
'''


@pytest.fixture
def command(tmp_path):
    """Run ``python -m mmdualformer`` of ``root`` in an empty folder; gives the finished process."""

    def run(*arguments, root: Path = REPO, **env) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, '-m', 'mmdualformer', *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, 'PYTHONPATH': str(root), 'OMP_NUM_THREADS': '1', **env},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


@pytest.fixture
def site_packages(tmp_path) -> Path:
    """The package as a wheel installs it, with stubs for the tools."""
    site = tmp_path / 'site'
    shutil.copytree(REPO / 'mmdualformer', site / 'mmdualformer', ignore=shutil.ignore_patterns('.mim', '__pycache__'))
    mim = site / 'mmdualformer' / '.mim'
    (mim / 'configs').mkdir(parents=True)
    shutil.copy(REPO / 'configs/dualformer_micro_motion.py', mim / 'configs')
    for name in ('train', 'test', 'recognize', 'data/make_motion_clips', 'analysis/sweep_views'):
        path = mim / 'tools' / f'{name}.py'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STUB)
    return site


def test_alone_it_lists_every_tool_with_the_first_line_of_its_docstring(command):
    result = command()
    assert result.returncode == 0, result.stderr
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if line.startswith('  '))
    names = {path.stem.replace('_', '-') for path in (REPO / 'tools').rglob('*.py')}
    assert names | {'quickstart'} <= set(lines)
    assert lines['recognize'] == 'Print what a trained recognizer sees in video files.'
    assert lines['prepare'].endswith('as its owners distribute it.')  # and not its second paragraph
    assert all(lines[name].endswith(('.', ').')) or name == 'fit' for name in names)


def test_a_tool_gets_its_arguments_and_gives_its_exit_status(command, site_packages, tmp_path):
    result = command(
        'sweep_views',
        'configs/dualformer_micro_motion.py',
        'configs/no.py',
        '--views',
        '1 2',
        STATUS='7',
        root=site_packages,
    )
    assert result.returncode == 7, result.stderr
    config = site_packages / 'mmdualformer/.mim/configs/dualformer_micro_motion.py'
    assert (tmp_path / 'calls.txt').read_text() == f'sweep_views 1 {config} configs/no.py --views 1 2\n'


def test_a_tools_error_is_its_own(command):
    assert_one_line(command('benchmark-data', '--videos', 'a.mp4'), "--videos 'a.mp4' does not exist")


@pytest.mark.parametrize(
    ('arguments', 'parts'),
    [
        (('prepair',), ("no tool 'prepair'", 'did you mean prepare?')),
        (('qqqq',), ("no tool 'qqqq'", '--help')),
        (('train', 'configs/dualformer_t_k400.py', '--gpus', '0'), ('--gpus 0 must be at least 1',)),
    ],
)
def test_mistakes_are_one_line(monkeypatch, arguments, parts):
    monkeypatch.setattr(sys, 'argv', ['mmdualformer', *arguments])
    monkeypatch.setenv('PYTHONPATH', '')
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code.startswith('error: ') and '\n' not in stop.value.code
    for part in parts:
        assert part in stop.value.code


def test_gpus_start_as_many_processes(command, motion_root, data_options, tmp_path):
    """With the real tools of the checkout, and a config that the current folder does not have."""
    config = 'configs/dualformer_micro_motion.py'
    result = command('train', config, '--gpus', 2, '--work-dir', 'work', '--cfg-options', *data_options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'GPU number: 2' in result.stdout + result.stderr  # MMEngine's word for processes
    assert (tmp_path / 'work' / 'best_acc_top1_epoch_1.pth').is_file()


def test_quickstart_of_an_installed_package_works_in_the_current_folder(command, site_packages, tmp_path):
    result = command('quickstart', root=site_packages, CUDA_VISIBLE_DEVICES='')
    assert result.returncode == 0, result.stdout + result.stderr
    config = site_packages / 'mmdualformer/.mim/configs/dualformer_micro_motion.py'
    work, best = 'work_dirs/quickstart', 'work_dirs/quickstart/best_acc_top1_epoch_3.pth'
    calls = (tmp_path / 'calls.txt').read_text().splitlines()
    assert calls == [
        'make_motion_clips 1 --out data/motion',
        f'train 2 --launcher pytorch {config} --work-dir {work} --resume --cfg-options train_dataloader.batch_size=8',
        f'test 2 --launcher pytorch {config} {best} --work-dir {work}',
        f'recognize 1 {best} data/motion/videos_val/1.mp4',
    ]
    result = command('quickstart', root=site_packages, CUDA_VISIBLE_DEVICES='', STATUS='3')
    assert result.returncode == 1 and 'failed with exit status 3' in result.stderr  # of the test, the first step left
    assert len((tmp_path / 'calls.txt').read_text().splitlines()) == 5
