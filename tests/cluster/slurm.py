"""A cluster of Slurm on this machine: configuration, daemons, jobs."""

import os
import re
import socket
import subprocess
from pathlib import Path

import psutil

from tests.cluster.machines import Command, Machine, environment, free_port, wait_until

# Preempted jobs of the partition low have a minute to save. What Slurm waits for by itself is short: five seconds, and
# not two minutes, until a job that was queued again may begin.
CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={daemon_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
GresTypes=gpu
KillWait=60
SchedulerParameters=sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=1000 Gres=gpu:4
PartitionName=low Nodes={host} Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=60
PartitionName=high Nodes={host} PriorityTier=2 PreemptMode=OFF
"""
# gpus are files; these are there, and no user of theirs minds
GPUS = 'NodeName={host} Name=gpu File=/dev/null,/dev/zero,/dev/full,/dev/random\n'


class Slurm:
    """Slurm's daemons in a PID namespace, so that they and their jobs end with the tests, however those end.

    Args:
        folder (Path): For its configuration, keys, logs and state.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.env = folder, {'SLURM_CONF': str(folder / 'slurm.conf')}
        self._daemons: list[Command] = []

    def start(self) -> None:
        """Configure and start it, and wait until it takes jobs."""
        for name in ('munge', 'state', 'spool'):
            (self.folder / name).mkdir()
        host = socket.gethostname().partition('.')[0]
        ports = dict(controller_port=free_port(), daemon_port=free_port())
        (self.folder / 'slurm.conf').write_text(CONFIG.format(host=host, folder=self.folder, **ports))
        (self.folder / 'gres.conf').write_text(GPUS.format(host=host))
        key = self.folder / 'munge/key'
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self._machine = Machine()
        munge = ['munged', '--foreground', '--force', f'--key-file={key}', f'--socket={self.folder}/munge/socket']
        self._run(*munge, *(f'--{kind}-file={self.folder}/munge/{kind}' for kind in ('pid', 'seed')))
        wait_until((self.folder / 'munge/socket').exists, 'munged', 20)
        self._run('slurmctld', '-D')
        self._run('slurmd', '-D')
        wait_until(lambda: 'idle' in self.ask('sinfo', '-h', '-p', 'low', '-o', '%T'), 'an idle node', 60)

    def stop(self) -> None:
        """End the daemons and all jobs."""
        self._machine.die()
        for daemon in self._daemons:
            daemon.kill()

    def ask(self, *command: str) -> str:
        """Run one of Slurm's commands, and give what it printed."""
        result = subprocess.run(command, env=environment(**self.env), capture_output=True, text=True, timeout=60)
        return (result.stdout + result.stderr).strip()

    def state(self, job: str) -> str:
        """State, restarts and exit status of a job, as ``COMPLETED 1 0:0``."""
        found = dict(re.findall(r'(JobState|Restarts|ExitCode)=(\S+)', self.ask('scontrol', 'show', 'job', job)))
        return ' '.join(found.get(key, '') for key in ('JobState', 'Restarts', 'ExitCode'))

    def job(self) -> str:
        """The only job that runs or waits."""
        (job,) = self.ask('squeue', '-h', '-o', '%i').split()
        return job

    def tasks(self) -> dict[int, psutil.Process]:
        """The processes that train, by their rank."""
        found: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            try:
                env = process.environ()
                if 'tools/train.py' in ' '.join(process.cmdline()) and env.get('SLURM_CONF') == self.env['SLURM_CONF']:
                    rank = int(env.get('SLURM_PROCID', -1))
                    if 'python' in process.name() and process.parent().name() == 'slurmstepd':
                        found[rank] = process
            except (psutil.NoSuchProcess, psutil.AccessDenied, AttributeError):
                pass
        return found

    def _run(self, *command: str) -> None:
        output = self.folder / f'{command[0]}.txt'
        self._daemons.append(self._machine.start(list(command), output, **self.env))
