"""The command, on this machine and on one that is broken."""

import json
import os
import re
import resource
import subprocess
import sys

from mmdualformer.doctor import report
from mmdualformer.doctor.running import OK, Result
from tests.helpers import REPO

COMMAND = 'from mmdualformer_command import main; main()'
TOOL = str(REPO / 'tools/doctor.py')
HIDES_MMCV = """
import importlib.machinery, sys
find = importlib.machinery.PathFinder.find_spec
importlib.machinery.PathFinder.find_spec = lambda name, *args: None if name == 'mmcv' else find(name, *args)
"""


def run(*arguments, limit_files=None, cwd=None, **env) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=cwd,
        env={**os.environ, **env},
        preexec_fn=limit_files and (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit_files, limit_files))),
    )


def lines_of(output: str) -> dict[str, tuple[str, str]]:
    """Name of a check -> what was found, and the command under it."""
    found = re.findall(r'^(?:ok|warning|fault) +([^:]+): (.*)(?:\n +mend: (.*))?', output, re.M)
    return {name: (text, mend) for name, text, mend in found}


def test_a_sound_machine_passes_and_is_described_as_in_the_docs():
    result = run('-c', COMMAND, 'doctor', '--json', PYTHONPATH=str(REPO))
    assert result.stderr == ''
    report = json.loads(result.stdout)
    checks = report['checks']
    assert result.returncode == 0 and report['faults'] == 0, result.stdout
    assert report['ok'] + report['warnings'] == len(checks) and report['seconds'] < 120
    assert all(check['text'] and bool(check['mend']) == (check['status'] != 'ok') for check in checks)
    page = (REPO / 'docs/installation.md').read_text(encoding='utf-8')
    assert re.findall(r'^ok +([^:]+):', page, re.M) == [check['name'] for check in checks]


def test_a_broken_machine_is_told_what_to_do(tmp_path):
    (tmp_path / 'sitecustomize.py').write_text(HIDES_MMCV)
    (tmp_path / 'decord.py').write_text('import os; os.abort()')
    info = tmp_path / 'setuptools-82.0.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: setuptools\nVersion: 82.0.0\n')
    path = os.pathsep.join([str(tmp_path), str(REPO)])
    result = run('-c', COMMAND, 'doctor', '--brief', limit_files=200, PYTHONPATH=path, OMP_NUM_THREADS='999')
    assert result.returncode == 1 and result.stderr == '', result.stdout + result.stderr
    *_, last = result.stdout.splitlines()
    assert re.search(r': 4 faults, \d warnings?, \d+ checks passed in ', last), result.stdout
    assert not re.search('^ok', result.stdout, re.M)
    found = lines_of(result.stdout)
    assert 'mmcv is missing' in found['mmdualformer'][0] and "'mmcv-lite>=2.1.0,<2.2'" in found['mmdualformer'][1]
    assert found['decord'][0] == 'crashed: SIGABRT' and '--force-reinstall' in found['decord'][1]
    assert 'setuptools' in found['requirements'][0] and 'setuptools<82' in found['requirements'][1]
    assert found['open files'][0].startswith('200 a process') and found['open files'][1]
    assert found['CPUs'][1].startswith('export OMP_NUM_THREADS=')


def test_a_user_without_a_home_folder(monkeypatch, capsys):
    def home():
        raise RuntimeError('Could not determine home directory.')

    monkeypatch.setattr(report.Path, 'home', home)
    monkeypatch.setattr(report, 'run', lambda *_, **__: [Result('disk', OK, '/root is full')])
    assert report.examine(as_json=False, brief=False) == 0
    assert 'disk: /root is full' in capsys.readouterr().out


def test_it_runs_where_nothing_is_installed(tmp_path):
    result = run('-I', '-S', TOOL, cwd=tmp_path, HOME=str(REPO.parent))
    assert result.returncode == 1 and result.stderr == ''
    found = lines_of(result.stdout)
    assert found['torch'][0] == 'torch is missing'
    assert found['torch'][1].endswith(f' -m pip install -c ~/{REPO.name}/constraints.txt torch')  # ~ for home
    assert found['mmcv'][0] == 'no mmcv is installed'
    assert found['PyAV'][0] == 'av is missing' and found['memory'][0] == 'psutil is missing'
    report = json.loads(run('-I', '-S', TOOL, '--json', cwd=tmp_path).stdout)
    assert report['faults'] == len([check for check in report['checks'] if check['status'] == 'fault']) > 5


def test_a_wrong_argument_is_one_line():
    result = run(TOOL, '--jsn')
    assert result.returncode == 2 and result.stderr.startswith('error: unrecognized arguments: --jsn; see ')
