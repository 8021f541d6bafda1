"""The tests that need a GPU."""

import importlib.util
import os
import signal
import subprocess
import sys
from xml.etree import ElementTree

from mmdualformer.commands import ROOT
from mmdualformer.errors import UserError, printable

from .setting import Setting

PROCESSES = 6  # that share the GPU
INTERRUPTED = 2  # pytest's exit status
ENDING = 10.0  # seconds in which pytest ends


def run(setting: Setting) -> None:
    """Run pytest on the files that have tests marked ``gpu``.

    Raises:
        UserError: There are none here, one fails, or the time is over.
    """
    files = [path for path in sorted((ROOT / 'tests').rglob('test_*.py')) if 'mark.gpu' in path.read_text('utf-8')]
    if not files:
        raise UserError(f'{ROOT} has no tests; run this from a checkout')
    report = setting.folder / 'tests.xml'
    options = ['-q', '-m', 'gpu', '-p', 'no:cacheprovider', f'--junitxml={report}']
    if setting.is_gpu and importlib.util.find_spec('xdist'):
        options += ['-n', str(max(min((os.cpu_count() or 1) // 2, PROCESSES), 1))]
    command = [sys.executable, '-m', 'pytest', *options, *map(str, files)]
    process = subprocess.Popen(command, cwd=ROOT, preexec_fn=_hear_interrupts)
    try:
        process.wait(max(setting.seconds_left - ENDING, 1))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # it then writes what it has
        process.wait()
    if not report.exists():
        raise UserError(f'pytest ended with exit status {process.returncode} before it had run the tests')
    results: dict = {'passed': 0, 'skipped': 0, 'failed': []}
    for case in ElementTree.parse(report).iter('testcase'):  # pytest's own file
        name = f'{case.get("classname", "").rpartition(".")[2]}::{case.get("name")}'
        if case.find('failure') is not None or case.find('error') is not None:
            results['failed'].append(printable(name))
        elif case.find('skipped') is not None:
            results['skipped'] += 1
        else:
            results['passed'] += 1
    setting.keep('tests', results)
    if results['failed']:
        raise UserError(f'{len(results["failed"])} tests failed, the first {results["failed"][0]}')
    if process.returncode == INTERRUPTED:
        raise UserError('it was stopped before all tests had run')


def _hear_interrupts() -> None:
    """In the child: a shell starts what it runs in the background deaf to SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
