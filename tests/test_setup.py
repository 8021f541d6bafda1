import runpy
import shutil
import site
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import setuptools

from tests.helpers import REPO


@pytest.fixture
def requirements(tmp_path, monkeypatch):
    """What setup.py asks for in an environment with the given distributions."""

    def read(*installed: str) -> list:
        for name in installed:
            info = tmp_path / f'{name}-2.1.0.dist-info'
            info.mkdir()
            (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: 2.1.0\n')
        settings = {}
        monkeypatch.setattr(sysconfig, 'get_path', lambda _: str(tmp_path))
        monkeypatch.setattr(site, 'getusersitepackages', lambda: str(tmp_path / 'user'))
        monkeypatch.setattr(setuptools, 'setup', lambda **kwargs: settings.update(kwargs))
        runpy.run_path(str(REPO / 'setup.py'))
        return settings['install_requires']

    return read


@pytest.mark.parametrize(
    ('installed', 'wants_lite'),
    [((), True), (('numpy',), True), (('mmcv_lite',), True), (('mmcv',), False), (('mmcv_full',), False)],
)
def test_mmcv_lite_is_taken_only_where_there_is_no_mmcv(requirements, installed, wants_lite):
    """The two are different distributions with the same files: pip would overwrite one by the other."""
    wanted = requirements(*installed)
    assert any(requirement.startswith('mmcv-lite') for requirement in wanted) is wants_lite
    assert not any(requirement.startswith(('mmcv>', 'mmcv=', 'torchvision', 'openmim')) for requirement in wanted)


def test_the_wheel_carries_configs_and_tools(tmp_path):
    source = tmp_path / 'source'
    shutil.copytree(REPO, source, ignore=shutil.ignore_patterns('.*', 'data', 'work_dirs', 'build', '__pycache__'))
    subprocess.run(
        [
            sys.executable,
            '-m',
            'pip',
            'wheel',
            '--no-deps',
            '--no-index',
            '--no-build-isolation',
            '-w',
            tmp_path,
            source,
        ],
        check=True,
        capture_output=True,
    )
    with zipfile.ZipFile(next(tmp_path.glob('mmdualformer-*.whl'))) as wheel:
        names = set(wheel.namelist())
        scripts = wheel.read(next(name for name in names if name.endswith('.dist-info/entry_points.txt'))).decode()
    assert 'mmdualformer = mmdualformer.__main__:main' in scripts
    for name in (
        'configs/dualformer_t_k400.py',
        'configs/_base_/data/k400.py',
        'tools/train.py',
        'tools/dist_train.sh',
        'model-index.yml',
        'configs/dualformer.metafile.yml',
    ):
        assert f'mmdualformer/.mim/{name}' in names
    assert {
        'mmdualformer/models/backbones/dualformer.py',
        'mmdualformer/_startup.py',
        'mmdualformer.pth',
        'mmdualformer/papers/published/dualformer.yaml',
        'mmdualformer/checkpoints/kinetics400.txt',
    } <= names
    assert not any(name.startswith(('tests/', 'configs/', 'tools/')) for name in names)
    assert not (source / 'mmdualformer' / '.mim').exists()  # the checkout stays as it was


@pytest.mark.parametrize('may_link', [True, False])
def test_an_editable_install_links_or_copies_what_mmengine_reads(tmp_path, monkeypatch, may_link):
    """Windows lets few users make links."""
    (tmp_path / 'mmdualformer').mkdir()
    for name in ('setup.py', 'README.md', 'model-index.yml', 'mmdualformer/version.py'):
        shutil.copy(REPO / name, tmp_path / name)
    for name in ('configs', 'tools'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'mine.py').write_text('')
    settings = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **kwargs: settings.update(kwargs))
    runpy.run_path(str(tmp_path / 'setup.py'))
    if not may_link:

        def refuse(*args, **kwargs) -> None:
            raise OSError('A required privilege is not held by the client')

        monkeypatch.setattr(Path, 'symlink_to', refuse)
    command = settings['cmdclass']['build_py'](setuptools.Distribution())
    command.ensure_finalized()
    command.editable_mode = True
    command.get_finalized_command('install').install_lib = str(tmp_path)
    command.run()
    mim = tmp_path / 'mmdualformer/.mim'
    assert (mim / 'configs/mine.py').is_file() and (mim / 'tools/mine.py').is_file()
    assert (mim / 'model-index.yml').read_text() == (REPO / 'model-index.yml').read_text()
    assert (mim / 'configs').is_symlink() is may_link
    assert (tmp_path / 'mmdualformer.pth').is_file()
