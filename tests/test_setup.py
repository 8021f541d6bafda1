"""The distributions, as setup.py, pyproject.toml and MANIFEST.in make them."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from email.parser import Parser
from pathlib import Path

import pytest
import setuptools
import yaml

from tests.helpers import REPO

# what setuptools writes into a folder that it builds, or into a source distribution
GENERATED = re.compile(r'PKG-INFO|setup\.cfg|(build|mmdualformer\.egg-info)/.*')


def build(kind: str, source: Path, out: Path, **env) -> Path:
    """Build a 'wheel' or an 'sdist' of a folder as pip does, but with the setuptools of this environment."""
    out.mkdir()
    code = f'from setuptools.build_meta import build_{kind} as build; build(r"{out}")'
    subprocess.run(
        [sys.executable, '-c', code],
        cwd=source,
        env={**os.environ, **env},
        check=True,
        capture_output=True,
        timeout=300,
    )
    (path,) = out.iterdir()
    return path


@pytest.fixture(scope='module')
def source(tmp_path_factory) -> Path:
    """A copy of what git has or would add; in an unpacked source distribution, of what it came with."""
    if (REPO / '.git').exists():
        listed = subprocess.run(
            ['git', 'ls-files', '--cached', '--others', '--exclude-standard'],
            cwd=REPO,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    else:
        listed = (REPO / 'mmdualformer.egg-info/SOURCES.txt').read_text(encoding='utf-8')
    folder = tmp_path_factory.mktemp('source')
    for name in listed.splitlines():
        if (REPO / name).is_file() and not GENERATED.fullmatch(name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPO / name, folder / name)
    return folder


@pytest.fixture(scope='module')
def source_distribution(source, tmp_path_factory) -> Path:
    """The source distribution, unpacked."""
    folder = tmp_path_factory.mktemp('sdist')
    shutil.unpack_archive(build('sdist', source, folder / 'dist'), folder)
    return next(folder.glob('mmdualformer-*'))


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory) -> zipfile.ZipFile:
    """The wheel of a checkout in which an earlier build left a module that is no more."""
    stale = source / 'build' / 'lib' / 'mmdualformer' / 'stale.py'
    stale.parent.mkdir(parents=True)
    stale.write_text('')
    return zipfile.ZipFile(build('wheel', source, tmp_path_factory.mktemp('wheel') / 'dist'))


def read_info(wheel: zipfile.ZipFile, name: str) -> str:
    """A file of the wheel's ``.dist-info``."""
    (path,) = (path for path in wheel.namelist() if path.endswith(f'.dist-info/{name}'))
    return wheel.read(path).decode()


@pytest.fixture
def settings(monkeypatch) -> dict:
    """What setup.py defines, and under 'setup' what it gives to setuptools."""
    given = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **kwargs: given.update(kwargs))
    return {**runpy.run_path(str(REPO / 'setup.py')), 'setup': given}


def list_files(folder: Path) -> set[str]:
    """Names of all files in a folder, but for those that setuptools writes."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file())
    return {name for name in names if not GENERATED.fullmatch(name)}


def test_the_source_distribution_holds_what_git_has(source, source_distribution):
    """In an unpacked one: what it came with."""
    packed = list_files(source_distribution)
    assert packed == list_files(source)
    assert {'tests/data/paper_costs.csv', 'docs/data.md', '.ci/run', '.github/workflows/tests.yml'} <= packed


def test_the_wheel_is_the_same_wherever_it_is_built(wheel, source_distribution, tmp_path):
    """From a checkout and from the source distribution, beside mmcv-lite and beside a full mmcv too."""
    info = tmp_path / 'mmcv-2.1.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: mmcv\nVersion: 2.1.0\n')
    other = zipfile.ZipFile(build('wheel', source_distribution, tmp_path / 'dist', PYTHONPATH=str(tmp_path)))
    assert read_info(other, 'METADATA') == read_info(wheel, 'METADATA')
    assert read_info(other, 'RECORD') == read_info(wheel, 'RECORD')  # names, hashes and sizes


def test_no_mmcv_is_required_and_an_extra_brings_mmcv_lite(wheel):
    """Full and lite are different distributions with the same files: pip would overwrite one by the other."""
    required = Parser().parsestr(read_info(wheel, 'METADATA')).get_all('Requires-Dist')
    assert [line for line in required if 'mmcv' in line] == ['mmcv-lite<2.2,>=2.1.0; extra == "mmcv"']
    assert not any(line.startswith(('torchvision', 'openmim')) for line in required)


def test_links_of_the_description_work_outside_the_repository(settings):
    link = settings['link_outside']
    url, raw = settings['URL'], settings['RAW']
    assert (
        link('[a](docs/data.md#b) [c](configs)') == f'[a]({url}/blob/main/docs/data.md#b) [c]({url}/tree/main/configs)'
    )
    assert link('![a](LICENSE) <img src="LICENSE">') == f'![a]({raw}/LICENSE) <img src="{raw}/LICENSE">'
    assert link('[![a](LICENSE)](LICENSE)') == f'[![a]({raw}/LICENSE)]({url}/blob/main/LICENSE)'
    assert link('[a](data.md#b) [c](../configs)', REPO / 'docs') == link('[a](docs/data.md#b) [c](configs)')
    for same in ('[a](https://b.org/LICENSE)', '[a](#b)', 'scores[0](x)', '`LICENSE`'):
        assert link(same) == same
    description = settings['setup']['long_description']
    links = re.findall(r'\]\(([^)\s]+)\)|src="([^"]+)"', re.sub(r'```.*?```', '', description, flags=re.DOTALL))
    assert links and all(max(pair).startswith(('https://', '#')) for pair in links)


def test_there_is_one_address_of_the_project(settings, wheel):
    citation = yaml.safe_load((REPO / 'CITATION.cff').read_text(encoding='utf-8'))
    assert citation['repository-code'] == settings['URL']
    metadata = Parser().parsestr(read_info(wheel, 'METADATA'))
    addresses = [line.partition(', ')[2] for line in metadata.get_all('Project-URL')]
    assert len(addresses) >= 4 and all(address.startswith(settings['URL']) for address in addresses)


def test_the_wheel_carries_configs_and_tools(wheel, source):
    names = set(wheel.namelist())
    assert 'mmdualformer = mmdualformer_command:main' in read_info(wheel, 'entry_points.txt')
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
        'mmdualformer_command.py',
        'mmdualformer/papers/published/dualformer.yaml',
        'mmdualformer/checkpoints/kinetics400.txt',
    } <= names
    assert not any(name.startswith(('tests/', 'configs/', 'tools/')) for name in names)
    assert 'mmdualformer/stale.py' not in names
    assert not (source / 'mmdualformer' / '.mim').exists()  # the checkout stays as it was


def test_openmim_finds_in_the_wheel_what_it_searches(wheel):
    """``mim search`` reads the metafiles; ``mim train`` wants one file of a config's name in the whole package."""
    names = [name.removeprefix('mmdualformer/') for name in wheel.namelist()]
    files = Counter(name.rpartition('/')[2] for name in names)
    metafiles = yaml.safe_load(wheel.read('mmdualformer/.mim/model-index.yml'))['Import']
    contents = [yaml.safe_load(wheel.read(f'mmdualformer/.mim/{name}')) for name in metafiles]
    models = [model for content in contents for model in content['Models']]
    for page in [collection['README'] for content in contents for collection in content['Collections']]:
        text = wheel.read(f'mmdualformer/.mim/{page}').decode()
        links = re.findall(r'\]\(([^)\s]+)\)', re.sub(r'```.*?```', '', text, flags=re.DOTALL))
        assert links and all(link.startswith(('https://', '#')) for link in links)
    assert len(metafiles) >= 3 and len(models) >= 50
    for model in models:
        assert f'.mim/{model["Config"]}' in names
        assert files[f'{model["Name"]}.py'] == 1


@pytest.mark.parametrize('may_link', [True, False])
def test_an_editable_install_links_or_copies_what_mmengine_reads(tmp_path, monkeypatch, may_link):
    """Windows lets few users make links."""
    (tmp_path / 'mmdualformer').mkdir()
    (tmp_path / 'docs').mkdir()
    pages = ('docs/dualformer.md', 'docs/video_mobile_former.md', 'docs/vidtr.md')
    for name in ('setup.py', 'README.md', 'model-index.yml', 'mmdualformer/version.py', *pages):
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
    assert all((mim / name).is_symlink() is may_link and (mim / name).exists() for name in ('configs', *pages))
    assert (tmp_path / 'mmdualformer.pth').is_file()
