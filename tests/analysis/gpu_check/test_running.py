import sys

import psutil
import pytest

from mmdualformer.analysis.gpu_check import Job, run_jobs


def job(name: str, code: str, seconds: float) -> Job:
    return Job(name, lambda limit: [sys.executable, '-c', code, str(limit)], seconds)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_one_that_fails_or_is_out_of_time_does_not_keep_the_next_from_running(tmp_path):
    said = []
    outcomes = run_jobs(
        [
            job('fails', "import sys; print('first'); sys.exit('no such\\x1b[2J thing')", 30),
            job('silent', 'raise SystemExit(3)', 30),
            job('good', "import sys; print('limit', sys.argv[1])", 30),
        ],
        tmp_path,
        said.append,
    )
    assert said == outcomes
    assert [(outcome.name, outcome.status) for outcome in outcomes] == [
        ('fails', 'failed'),
        ('silent', 'failed'),
        ('good', 'done'),
    ]
    assert outcomes[0].reason == 'no such\\x1b[2J thing' and outcomes[1].reason == 'exit status 3'
    assert 30 < float((tmp_path / 'good.log').read_text().split()[1]) < 90  # and what the two before have left


@pytest.mark.parametrize('end', ['time.sleep(600)', 'sys.exit(1)'])
def test_nothing_is_left_running(tmp_path, end):
    """Of a process that is out of time, or has failed, and of those that it has started and that ignore SIGTERM."""
    child = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('ready', flush=True)
time.sleep(600)
"""
    code = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))
{end}
"""
    limit = 600 if 'exit' in end else 6
    (outcome, after) = run_jobs([job('part', code, limit), job('next', '', 30)], tmp_path, lambda outcome: None)
    assert outcome.status == ('failed' if 'exit' in end else 'out of time') and outcome.reason
    assert after.status == 'done'
    assert not is_running(int((tmp_path / 'pid').read_text()))
