"""What setup.py claims is what check.py runs, and what the docs say."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.version import Version

from mmdualformer.doctor.packages import PYTHONS
from tests.helpers import REPO

CHECK = REPO / 'tests' / 'versions' / 'check.py'
COLUMNS = {'torch': 'torch', 'mmengine': 'MMEngine', 'mmcv-lite': 'mmcv', 'numpy': 'numpy'}


@pytest.fixture(scope='module')
def check() -> dict:
    """What check.py defines."""
    return runpy.run_path(str(CHECK))


@pytest.fixture(scope='module')
def rows(check) -> dict[str, dict[str, str]]:
    """The combinations by their names."""
    rows = check['read_combinations']()
    named = {row['name']: row for row in rows}
    assert len(named) == len(rows)
    return named


@pytest.fixture(scope='module')
def claims() -> dict:
    """What setup.py gives to setuptools."""
    given = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, 'setup', lambda **kwargs: given.update(kwargs))
        runpy.run_path(str(REPO / 'setup.py'))
    return given


@pytest.fixture(scope='module')
def required(check) -> dict[str, list[Requirement]]:
    """The requirements of setup.py by their names; a name may have one for each kind of machine."""
    named: dict[str, list[Requirement]] = {}
    for line in check['read_requirements']('lite'):
        requirement = Requirement(line)
        named.setdefault(requirement.name, []).append(requirement)
    return named


def pinned(check, row: dict[str, str], name: str) -> Version:
    """The version of a package that a combination of pinned versions gets."""
    environment = {'python_version': row['python'], 'platform_machine': row['platform']}
    lines = [line.partition('#')[0].strip() for line in check['read_constraints'](row['pins'].split())]
    meant = [Requirement(line) for line in lines if line.startswith(f'{name}==')]
    (pin,) = (pin for pin in meant if pin.marker is None or pin.marker.evaluate(environment))
    return Version(str(pin.specifier).removeprefix('=='))


def lower_bound(requirement: Requirement) -> Version:
    (bound,) = (one.version for one in requirement.specifier if one.operator == '>=')
    return Version(bound)


def test_each_python_that_is_claimed_is_run(rows, claims):
    run = {tuple(map(int, row['python'].split('.'))) for row in rows.values() if row['name'].startswith('pinned-')}
    resolved = {tuple(map(int, row['python'].split('.'))) for row in rows.values() if row['platform'] == 'aarch64'}
    lowest, above = min(run), (3, max(run)[1] + 1)
    assert resolved == run == {(3, minor) for minor in range(lowest[1], above[1])}
    assert claims['python_requires'] == f'>=3.{lowest[1]},<3.{above[1]}'
    prefix = 'Programming Language :: Python :: 3.'
    classified = {int(line.removeprefix(prefix)) for line in claims['classifiers'] if line.startswith(prefix + '1')}
    assert classified == {minor for _, minor in run}
    assert PYTHONS == (lowest, above)
    text = f'({lowest[0]}, {lowest[1]}) <= sys.version_info < ({above[0]}, {above[1]})'
    assert text in (REPO / 'tools' / 'make_venv.sh').read_text()


def test_each_requirement_has_a_lowest_version_that_is_run(rows, claims, required):
    """``uv`` takes the lower bounds of what is listed, and the newest of what has none."""
    assert rows['lowest']['versions'] == 'lowest'
    lines = [*claims['install_requires'], *claims['extras_require']['export'], *claims['extras_require']['mmcv']]
    assert sorted(map(str, map(Requirement, lines))) == sorted(str(one) for many in required.values() for one in many)
    for requirement in map(Requirement, lines):
        assert lower_bound(requirement)


def test_the_combinations_hold_both_numpys_and_a_full_mmcv(check, rows):
    majors = {pinned(check, row, 'numpy').major for row in rows.values() if row['versions'] == 'pinned'}
    assert majors == {1, 2}
    assert [row['mmcv'] for row in rows.values()].count('full') == 1


def test_the_docs_list_the_combinations_with_their_versions(check, rows, required):
    text = (REPO / 'docs' / 'installation.md').read_text(encoding='utf-8')
    lines = text[text.index('| name | Python |') :].partition('\n\n')[0].splitlines()
    header, _, *body = ([cell.strip() for cell in line.strip('|').split('|')] for line in lines)
    table = {cells[0].strip('`'): dict(zip(header, cells)) for cells in body}
    assert list(table) == list(rows)
    for name, row in rows.items():
        cells = table[name]
        assert cells['Python'] == row['python']
        assert cells['result'] == ('runs' if row['platform'] == 'x86_64' else 'wheels found')
        assert cells['mmcv'].endswith(row['mmcv'])
        for package, column in COLUMNS.items():
            said = Version(cells[column].partition(',')[0].partition('+')[0])
            (requirement,) = required[package]
            assert requirement.specifier.contains(said)
            if row['versions'] == 'pinned':
                assert said == pinned(check, row, package)
            elif row['versions'] == 'lowest':
                assert said == lower_bound(requirement)


def test_a_pin_of_a_combination_takes_the_place_of_that_of_ci(check):
    lines = check['read_constraints'](['numpy==1.26.4'])
    assert [line for line in lines if line.startswith('numpy')] == ['numpy==1.26.4']
    assert any(line.startswith('numpy-') or line.startswith('torch==') for line in lines)


def test_a_combination_that_is_unknown_is_named():
    done = subprocess.run([sys.executable, str(CHECK), 'oldest'], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "'oldest' is none of pinned-3.10, " in done.stderr
    assert not Path('oldest').exists()


def test_a_combination_that_fails_is_said_and_ends_the_check_with_1(tmp_path):
    """With a program in the place of uv that installs nothing."""
    uv = tmp_path / 'bin' / 'uv'
    uv.parent.mkdir()
    build = 'mkdir "$5" && touch "$5/mmdualformer-0-py3-none-any.whl"'
    uv.write_text(f'#!/bin/sh\n[ $1 = build ] || {{ echo no network; exit 3; }}\n{build}\n')
    uv.chmod(0o755)
    command = [sys.executable, str(CHECK), 'newest', 'arm-3.11', '--out', str(tmp_path / 'out')]
    env = {'PATH': f'{uv.parent}:/usr/bin:/bin'}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)
    assert done.returncode == 1
    assert [line.split(' | ')[-1] for line in done.stdout.splitlines()[2:]] == ['FAILED |', 'FAILED |']
    assert 'newest: exit status 3 of uv venv' in done.stderr
    assert 'no network' in (tmp_path / 'out' / 'newest' / 'log.txt').read_text()
