import re
import signal
import time

import pytest

from tests.cluster.conftest import CONFIG
from tests.cluster.machines import wait_until
from tests.helpers import REPO

pytestmark = pytest.mark.cluster

TASKS = dict(GPUS='2', GPUS_PER_NODE='2', CPUS_PER_TASK='1')


def _train(start, slurm, options, work_dir, *arguments):
    script = REPO / 'tools/slurm_train.sh'
    command = ['bash', script, 'low', 'motion', CONFIG, *arguments, '--work-dir', work_dir, *options]
    return start(*command, **TASKS, **slurm.env)


def _losses(text) -> list:
    return re.findall(r'Epoch\(train\).* (\[\d+\]\[.*?\]).*loss: ([\d.]+)', text)


def _own(job) -> list[str]:
    """Our lines on how a job ended, without Slurm's."""
    assert 'Traceback' not in job.text and 'frame #' not in job.text
    return [line for line in job.lines if not line.startswith('srun: ')]


def test_train_and_test(start, slurm, options, tmp_path):
    train = _train(start, slurm, options, tmp_path)
    assert train.end() == 0, train.text
    assert len(_losses(train.text)) == 2  # epochs; one process prints
    checkpoint = tmp_path / 'epoch_2.pth'
    command = [
        'bash',
        REPO / 'tools/slurm_test.sh',
        'low',
        'motion',
        CONFIG,
        checkpoint,
        '--work-dir',
        tmp_path,
        *options,
    ]
    test = start(*command, **TASKS, **slurm.env)
    assert test.end() == 0, test.text
    assert re.search(r'Epoch\(test\) \[4/4\] +acc/top1', test.text)  # eight clips on two processes


def test_job_goes_on_after_notice_and_preemption(slurm, options, tmp_path):
    """The script of docs/train_and_test.md, for this cluster and config."""
    page = (REPO / 'docs/train_and_test.md').read_text()
    script = re.search(r'```bash\n(#!.*?#SBATCH.*?)```', page, re.DOTALL)[1]
    for documented, here in {
        '--nodes=2': '--nodes=1',
        '--ntasks-per-node=8': '--ntasks-per-node=2',
        '--gres=gpu:8': '--gres=gpu:2',
        '--cpus-per-task=5': '--cpus-per-task=1',
        'GPUS=16 GPUS_PER_NODE=8': 'GPUS=2 GPUS_PER_NODE=2 CPUS_PER_TASK=1',
        'PARTITION': 'low',
        'tools/slurm_train.sh': str(REPO / 'tools/slurm_train.sh'),
        'configs/dualformer_b_k400.py': str(CONFIG),
        '--resume': ' '.join(map(str, ['--resume', '--work-dir', tmp_path, *options, 'train_cfg.max_epochs=12'])),
    }.items():
        assert documented in script
        script = script.replace(documented, here)
    (tmp_path / 'train.sbatch').write_text(script)
    printed = slurm.ask('sbatch', '--parsable', f'--output={tmp_path}/job.txt', f'{tmp_path}/train.sbatch')
    assert printed.isdigit(), printed
    job, output = printed, tmp_path / 'job.txt'

    def wait_for(pattern, count=1):
        wait_until(lambda: output.exists() and len(re.findall(pattern, output.read_text())) >= count, repr(pattern))

    wait_for(r'Epoch\(train\) +\[1\]')
    slurm.ask('scancel', '--signal=USR1', job)  # what --signal in the script does when the time is nearly over
    began = time.monotonic()
    wait_for('stopped by SIGUSR1')
    print('stopped', time.monotonic() - began)
    wait_until(lambda: slurm.state(job).startswith(('RUNNING 1', 'FAILED', 'CANCELLED', 'COMPLETED')), 'a restart')
    wait_for(r'resumed epoch')
    wait_for(r'Epoch\(train\) +\[\d+\]', 2)
    began = time.monotonic()
    urgent = slurm.ask('srun', '-p', 'high', '--gres=gpu:4', '-n', '1', 'echo', 'urgent')
    print('in place of another', time.monotonic() - began)
    assert 'urgent' in urgent.splitlines()
    wait_until(lambda: slurm.state(job).startswith(('COMPLETED', 'FAILED', 'CANCELLED')), 'the end of the job')
    text = output.read_text()
    assert slurm.state(job) == 'COMPLETED 2 0:0', text
    assert re.findall('stopped by SIG[A-Z0-9]+', text) == ['stopped by SIGUSR1', 'stopped by SIGTERM']
    assert 'Traceback' not in text
    epochs = [int(epoch) for epoch in re.findall(r'Epoch\(train\) +\[(\d+)\]\[8/8\]', text)]
    assert epochs == list(range(1, 13))  # none left out, none twice


def test_second_job_is_refused_and_cancelled_one_saves(start, slurm, options, tmp_path):
    options = [*options, 'train_cfg.max_epochs=50']
    first = _train(start, slurm, options, tmp_path)
    first.wait_for(r'Epoch\(train\) +\[1\]')
    job = slurm.job()
    second = _train(start, slurm, options, tmp_path)
    status = second.end()
    print('refused', status, second.lines)
    (line,) = _own(second)
    assert status != 0 and 'is in use by process' in line
    began = time.monotonic()
    slurm.ask('scancel', job)
    status = first.end()
    print('cancelled', status, first.lines, time.monotonic() - began)
    (line,) = _own(first)
    assert line.startswith('stopped by SIGTERM; ')
    wait_until(lambda: not slurm.state(job).startswith('COMPLETING'), 'the end of the job')
    assert slurm.state(job).startswith('CANCELLED 0 ')
    resumed = _train(start, slurm, options, tmp_path, '--resume')
    resumed.wait_for(r'Epoch\(train\) +\[\d+\]')
    tasks = slurm.tasks()
    began = time.monotonic()
    tasks[1].send_signal(signal.SIGKILL)
    status = resumed.end()
    seconds = time.monotonic() - began
    print('killed', status, resumed.lines, seconds)
    assert status != 0 and seconds < 20
    (line,) = _own(resumed)
    assert line.startswith('error: another process of this run has ended: ')
    wait_until(lambda: not slurm.tasks(), 'the end of the other task', 20)


@pytest.mark.parametrize(
    ('option', 'said'), [('model.backbone.arch=huge', "'huge'"), ('optim_wrapper.optimizer.lr=1e30', 'finite')]
)
def test_mistake_is_one_line(option, said, start, slurm, options, tmp_path):
    job = _train(start, slurm, [*options, option], tmp_path)
    status = job.end()
    print('mistake', status, job.lines)
    (line,) = _own(job)
    assert status != 0 and line.startswith('error: ') and said in line
