import faulthandler
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from mmdualformer.doctor.running import FAULT, OK, Check, Result, pip, run


def passes() -> Iterator[Result]:
    os.write(1, b'what libraries print')
    yield Result('one', OK, 'fine')
    yield Result('two', OK, 'fine')


def aborts() -> Iterator[Result]:
    yield Result('before', OK, 'fine')
    faulthandler.disable()  # pytest's
    os.write(2, b'last words\n')
    os.abort()


def hangs() -> Iterator[Result]:
    subprocess.run(['sleep', '1234.5'])  # a child of its own, which must end too
    yield Result('never', OK, '')


def lacks_a_module() -> Iterator[Result]:
    import no_such_module

    yield Result(no_such_module.__name__, OK, '')


def raises() -> Iterator[Result]:
    yield Result('before', OK, 'fine')
    raise ValueError('one\ntwo')


def test_what_goes_wrong_is_a_fault_and_the_others_go_on(capfd):
    checks = [Check(f.__name__, f, f'mend {f.__name__}', 1) for f in (hangs, aborts, raises, lacks_a_module)]
    checks.append(Check('passes', passes, '', 5))
    assert list(run(checks, 2)) == [
        Result('hangs', FAULT, 'no answer within 1 s', 'mend hangs'),
        Result('before', OK, 'fine'),
        Result('aborts', FAULT, 'crashed: SIGABRT; it said: last words', 'mend aborts'),
        Result('before', OK, 'fine'),
        Result('raises', FAULT, 'ValueError: one', 'mend raises'),
        Result('lacks_a_module', FAULT, 'no_such_module is missing', pip('install no_such_module')),
        Result('one', OK, 'fine'),
        Result('two', OK, 'fine'),
    ]
    assert capfd.readouterr() == ('', '')
    assert ['sleep', '1234.5'] not in [process.info['cmdline'] for process in psutil.process_iter(['cmdline'])]


def test_checks_run_side_by_side():

    def sleeps() -> Iterator[Result]:
        begun = time.monotonic()
        time.sleep(0.3)
        yield Result('it', OK, f'{begun} {time.monotonic()}')

    results = run([Check('first', sleeps, ''), Check('second', sleeps, '')], 2)
    (begun, ended), (other_begun, other_ended) = (map(float, result.text.split()) for result in results)
    assert begun < other_ended and other_begun < ended


def test_a_check_may_run_checks():

    def nested() -> Iterator[Result]:
        yield from run([Check('aborts', aborts, 'm', 5), Check('passes', passes, '', 5)], 2)

    names = [(result.name, result.status) for result in run([Check('nested', nested, '', 10)], 1)]
    assert names == [('before', OK), ('aborts', FAULT), ('one', OK), ('two', OK)]


@pytest.mark.parametrize('on_path', [True, False])
def test_pip_is_that_of_this_python(on_path, monkeypatch, tmp_path):
    (tmp_path / 'python').touch(mode=0o755)
    monkeypatch.setenv('PATH', os.path.dirname(sys.executable) if on_path else str(tmp_path))
    python = 'python' if on_path else sys.executable
    assert pip('uninstall -y a') == f'{python} -m pip uninstall -y a'
