"""Parts of the check, in this process."""

import json

import pytest

from mmdualformer.analysis.gpu_check import Setting, memory, run_part, tests, training
from mmdualformer.errors import UserError


@pytest.fixture
def setting(tmp_path) -> Setting:
    return Setting('cpu', quick=True, folder=tmp_path, seconds=100.0)


def read(setting: Setting, part: str) -> dict:
    return json.loads((setting.folder / f'{part}.json').read_text())


def test_memory_without_a_gpu_is_estimated(setting, monkeypatch):
    monkeypatch.setattr(memory, 'SMALL', memory.SMALL[:1])
    monkeypatch.setattr(memory, 'STEPS', memory.SMALL)
    run_part('memory', setting)
    rows = read(setting, 'memory')['rows']
    assert len(rows) == 3 and all(row['estimate_gib'] > 0 and 'measured_gib' not in row for row in rows)


def test_a_profile_names_what_takes_the_time(setting):
    run_part('profile', setting)
    results = read(setting, 'profile')
    assert [name.rpartition(' ')[2] for name in results] == ['inference', 'training']
    for values in results.values():
        shares = [row['share'] for row in values['kernels']]
        assert values['ms'] > 0 and shares == sorted(shares, reverse=True) and 0.5 < sum(shares) < 1.01


def test_tests_that_fail_are_named(setting, monkeypatch, tmp_path):
    root = tmp_path / 'checkout'
    (root / 'tests').mkdir(parents=True)
    monkeypatch.setattr(tests, 'ROOT', root)
    with pytest.raises(UserError, match='run this from a checkout'):
        run_part('tests', setting)
    (root / 'tests' / 'test_some.py').write_text("""
import pytest

@pytest.mark.gpu
@pytest.mark.parametrize('number', [1, 2])
def test_number(number):
    assert number == 1

@pytest.mark.gpu
def test_skipped():
    pytest.skip()

def test_without_mark():
    assert False
""")
    with pytest.raises(UserError, match=r'1 tests failed, the first test_some::test_number\[2\]'):
        run_part('tests', setting)
    assert read(setting, 'tests') == {'passed': 1, 'skipped': 1, 'failed': ['test_some::test_number[2]']}


def test_tests_that_had_run_before_the_end_of_the_time_are_kept(setting, monkeypatch, tmp_path):
    root = tmp_path / 'checkout'
    (root / 'tests').mkdir(parents=True)
    monkeypatch.setattr(tests, 'ROOT', root)
    (root / 'tests' / 'test_some.py').write_text("""
import os
import signal

import pytest

@pytest.mark.gpu
@pytest.mark.parametrize('is_last', [False, True, False])
def test_what(is_last):
    if is_last:
        os.kill(os.getpid(), signal.SIGINT)
""")
    with pytest.raises(UserError, match='it was stopped before all tests had run'):
        run_part('tests', setting)
    assert read(setting, 'tests')['passed'] == 2  # pytest counts the one that it was stopped in, but not the third


def test_accuracies_are_read_while_the_log_is_written(tmp_path):
    path = tmp_path / '20260101_000000/vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('{"loss": 1.0, "step": 25}\n{"acc/top1": 0.5, "step": 1}\n{"acc/top1": 0.75, "step": 2}\n{"acc/to')
    assert training._accuracies(tmp_path) == [0.5, 0.75]
