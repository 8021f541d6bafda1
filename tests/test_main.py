import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmdualformer.__main__ import find_config, find_tools, main, take_gpus
from tests.helpers import REPO, assert_one_line

COMMAND = 'from mmdualformer_command import main; main()'  # as the console script that pip writes

# Stands in for every tool of an installed package: writes down what it is given, and what a training run leaves.
STUB = '''"""A stub.

More words.
"""
import os, sys
from pathlib import Path
if os.environ.get('RANK', '0') == '0':
    with open('calls.txt', 'a') as file:
        print(Path(__file__).stem, os.environ.get('WORLD_SIZE', '1'), *sys.argv[1:], file=file)
    code = int(os.environ.get('FAULTS' if 'doctor.py' in __file__ else 'STATUS', '0'))
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
    """Run the command of ``root`` in an empty folder; gives the finished process."""

    def run(*arguments, root: Path = REPO, **env) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, '-c', COMMAND, *map(str, arguments)],
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
    shutil.copy(REPO / 'mmdualformer_command.py', site)
    mim = site / 'mmdualformer' / '.mim'
    (mim / 'configs').mkdir(parents=True)
    shutil.copy(REPO / 'configs/dualformer_micro_motion.py', mim / 'configs')
    for name in ('train', 'test', 'recognize', 'doctor', 'data/make_motion_clips', 'analysis/sweep_views'):
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
    assert lines['recognize'] == (
        'Say what a trained recognizer sees in videos: files, folders, webcams, network streams and pipes.'
    )
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
        (('prepair',), ("no tool 'prepair'", 'did you mean prepare')),
        (('qqqq',), ("no tool 'qqqq'", '--help')),
        (('train', 'configs/dualformer_t_k400.py', '--gpus', '0'), ('--gpus 0 must be at least 1',)),
        (('report', 'a.pkl', '--gpus', '2'), ('report takes no --gpus', 'train, test')),
        (('ensemble', 'a.pkl', '--gpus=2'), ('ensemble takes no --gpus',)),
        (('train', 'c.py', '--gpus', 'two'), ('--gpus: invalid int value',)),
    ],
)
def test_mistakes_are_one_line(monkeypatch, arguments, parts):
    monkeypatch.setattr(sys, 'argv', ['mmdualformer', *arguments])
    for name in ('PYTHONPATH', 'MMDUALFORMER_COMMAND'):  # main sets them, and monkeypatch takes them back
        monkeypatch.setenv(name, '')
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code.startswith('error: ') and '\n' not in stop.value.code
    for part in parts:
        assert part in stop.value.code


@pytest.mark.parametrize(
    ('name', 'arguments', 'gpus', 'others'),
    [
        ('train', 'config.py --gpus 2 --resume', 2, 'config.py --resume'),
        ('test', '--gpus=8 config.py best.pth --cfg-options a=1 b=2', 8, 'config.py best.pth --cfg-options a=1 b=2'),
        ('train', 'config.py --amp', None, 'config.py --amp'),
        ('reproduce', '--table vidtr/2 --gpus 64', None, '--table vidtr/2 --gpus 64'),  # which has one of its own
        ('recognize', 'best.pth -- --gpus', None, 'best.pth -- --gpus'),  # a file
    ],
)
def test_gpus_may_stand_anywhere(name, arguments, gpus, others):
    taken = take_gpus(name, find_tools()[name], arguments.split())
    assert taken == (gpus, others.split())


@pytest.mark.parametrize(
    ('argument', 'found'),
    [
        ('configs/dualformer_t_k400.py', True),
        ('./configs/ablations', False),
        ('--teacher=configs/dualformer_t_k400.py', True),
        ('configs/no.py', False),
        ('tools/train.py', False),
        ('work_dirs/configs/dualformer_t_k400.py', False),
    ],
)
def test_configs_of_ours_are_found_from_any_folder(argument, found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before, _, name = argument.rpartition('=')
    expected = f'{before}{"=" if before else ""}{REPO / name}' if found else argument
    assert find_config(argument) == expected
    monkeypatch.chdir(REPO)
    assert find_config(argument) == argument  # the current folder's own comes first


@pytest.fixture
def no_mmcv(tmp_path) -> dict:
    """Environment variables of a Python that finds no mmcv."""
    (tmp_path / 'hide').mkdir()
    (tmp_path / 'hide' / 'sitecustomize.py').write_text(
        'from importlib.machinery import PathFinder\n'
        'find = PathFinder.find_spec\n'
        "PathFinder.find_spec = lambda name, *args: None if name == 'mmcv' else find(name, *args)\n"
    )
    return {'PYTHONPATH': os.pathsep.join([str(tmp_path / 'hide'), str(REPO)])}


@pytest.mark.parametrize(
    'arguments',
    [
        ('-c', COMMAND, 'recognize', 'best.pth', 'a.mp4'),
        ('-c', COMMAND, 'train', 'configs/dualformer_t_k400.py', '--gpus', '2'),
        ('-m', 'mmdualformer'),
        ('tools/recognize.py', 'best.pth', 'a.mp4'),
        ('-c', 'import mmdualformer'),
    ],
)
def test_without_an_mmcv_one_line_says_so(arguments, no_mmcv):
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=REPO,
        env={**os.environ, **no_mmcv},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert_one_line(result, "mmcv is missing; pip install 'mmcv-lite>=2.1.0,<2.2'")
    assert result.stderr.count('\n') == 1


def test_without_an_mmcv_the_import_raises_and_the_command_still_lists_the_tools(no_mmcv, tmp_path):
    code = (
        'try: import mmdualformer\n'
        "except ImportError as error: assert 'mmcv is missing' in str(error)\n"
        "else: raise AssertionError('imported')\n"
        f'{COMMAND}'
    )
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, env={**os.environ, **no_mmcv}, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert 'recognize' in result.stdout and 'quickstart' in result.stdout


def test_every_tool_imports_the_package_before_what_needs_an_mmcv():
    """So that each of them says what is missing."""
    for path in find_tools().values():
        tree = ast.parse(path.read_text(encoding='utf-8'))
        modules = [
            (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).partition('.')[0]
            for node in tree.body
            if isinstance(node, (ast.Import, ast.ImportFrom))
        ]
        ours = modules.index('mmdualformer')
        assert not {'mmaction', 'mmcv'} & set(modules[:ours]), path


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
        'doctor 1 --brief',
        'make_motion_clips 1 --out data/motion',
        f'train 2 --launcher pytorch {config} --work-dir {work} --resume --cfg-options train_dataloader.batch_size=8',
        f'test 2 --launcher pytorch {config} {best} --work-dir {work}',
        f'recognize 1 {best} data/motion/videos_val/1.mp4',
    ]
    result = command('quickstart', root=site_packages, CUDA_VISIBLE_DEVICES='', STATUS='3')
    assert result.returncode == 1 and 'failed with exit status 3' in result.stderr  # of the test, the first step left
    assert len((tmp_path / 'calls.txt').read_text().splitlines()) == 7
    result = command('quickstart', root=site_packages, FAULTS='1')
    assert result.returncode == 1 and (tmp_path / 'calls.txt').read_text().count('\n') == 8  # one more, of the doctor
