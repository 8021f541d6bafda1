"""The tests that need a GPU."""

import subprocess
import sys
from xml.etree import ElementTree

from mmdualformer.commands import ROOT
from mmdualformer.errors import UserError, printable

from .setting import Setting


def run(setting: Setting) -> None:
    """Run pytest on the files that have tests marked ``gpu``.

    Raises:
        UserError: There are none here, or one fails.
    """
    files = [path for path in sorted((ROOT / 'tests').rglob('test_*.py')) if 'mark.gpu' in path.read_text('utf-8')]
    if not files:
        raise UserError(f'{ROOT} has no tests; run this from a checkout')
    report = setting.folder / 'tests.xml'
    options = ['-q', '-m', 'gpu', '-p', 'no:cacheprovider', f'--junitxml={report}']
    process = subprocess.run([sys.executable, '-m', 'pytest', *options, *map(str, files)], cwd=ROOT)
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
