"""The system: memory, disks, open files, processors, the network, the clock and job launchers."""

from __future__ import annotations

import math
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .running import FAULT, OK, WARNING, Result, shown

MIB, GIB = 1 << 20, 1 << 30
LEAST_SHARED = 64 * MIB  # what the quick start's workers need
SHARED = 640 * MIB  # of a process with 8 workers, which hold 2 batches of 8 clips of 32 frames, 224 x 224, each
LEAST_FILES, FILES = 512, 1024  # a clip and its label are a file each, in every batch that waits
LEAST_MEMORY, MEMORY = 2 * GIB, 8 * GIB
LEAST_DISK, DISK = 1 * GIB, 10 * GIB  # a few checkpoints, and a run's
LONGEST_TEMPORARY = 70  # characters; Linux takes 107 for a socket's path, and multiprocessing adds some to the folder
CLOCK = 5  # seconds


def check_shared_memory(folder: str = '/dev/shm', free: int | None = None) -> Iterator[Result]:
    """The memory through which data workers give their clips.

    Args:
        folder (str): Where it is. Defaults to ``'/dev/shm'``.
        free (int, optional): Bytes that are free. Defaults to what the system says.
    """
    name = 'shared memory'
    if not os.path.isdir(folder) and not sys.platform.startswith('linux'):
        yield Result(name, OK, f'this system has no {folder}')
        return
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        mend = f'sudo mount -t tmpfs -o size=8g,mode=1777 tmpfs {folder}'
        yield Result(name, FAULT, f'{folder} cannot be written', mend)
        return
    usage = shutil.disk_usage(folder)
    free = usage.free if free is None else free
    gpus = max(len(list(Path('/dev').glob('nvidia[0-9]*'))), 1)
    text = f'{folder} has {_size(free)} free of {_size(usage.total)}'
    if free >= gpus * SHARED:
        yield Result(name, OK, text)
        return
    status = FAULT if free < LEAST_SHARED else WARNING
    mend = f'sudo mount -o remount,size=8g {folder}  # in Docker: docker run --shm-size=8g ...'
    text += f'; {gpus} training process{"es" * (gpus > 1)} with 8 workers can need {_size(gpus * SHARED)}'
    yield Result(name, status, text, mend)


def check_open_files() -> Iterator[Result]:
    """How many files a process may have open; a tensor that a data worker sends is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= FILES:
        yield Result('open files', OK, f'{soft} a process')
        return
    status = FAULT if soft < LEAST_FILES else WARNING
    text = f'{soft} a process; data workers need {FILES}, a file for each tensor that waits'
    if hard == resource.RLIM_INFINITY or hard >= FILES:
        mend = f'ulimit -n {FILES if hard == resource.RLIM_INFINITY else min(hard, 65536)}'
    else:
        mend = "echo '* - nofile 65536' | sudo tee /etc/security/limits.d/nofile.conf  # and log in again"
    yield Result('open files', status, text, mend)


def check_disk(folder: Path | None = None) -> Iterator[Result]:
    """Where runs write: the current folder, and work_dirs in it.

    Args:
        folder (Path, optional): The current folder. Defaults to that of this process.
    """
    folder = folder or Path.cwd()
    for name, place in (('current folder', folder), ('work_dirs', folder / 'work_dirs')):
        if place.exists() and (name == 'current folder' or place.is_symlink() or not _same_disk(folder, place)):
            yield _check_folder(name, place)
        elif place.exists() and not os.access(place, os.W_OK):
            yield Result(name, FAULT, f'{place} cannot be written', f'sudo chown -R "$USER" {shown(place)}')


def _check_folder(name: str, folder: Path) -> Result:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b'1')
            file.flush()
            behind = abs(os.fstat(file.fileno()).st_mtime - time.time())
    except OSError as error:
        text = f'nothing can be written into {folder}: {error.strerror}'
        return Result(name, FAULT, text, 'mkdir -p ~/runs && cd ~/runs')
    usage = os.statvfs(folder)
    free = usage.f_bavail * usage.f_frsize
    text = f'{_size(free)} free'
    mend = f'du -xh --max-depth=2 {shown(folder)} | sort -h | tail  # shows what to delete'
    if free < DISK:
        text += f'; a run of a large model writes {_size(DISK)}'
        return Result(name, FAULT if free < LEAST_DISK else WARNING, text, mend)
    if usage.f_files and usage.f_favail < 1000:
        return Result(name, FAULT, f'{text}, but only {usage.f_favail} more files may be made', mend)
    if behind > CLOCK:
        text += f'; its clock is {behind:.0f} s away from that of this machine, and files are ordered by time'
        return Result(name, WARNING, text, 'sudo timedatectl set-ntp true')
    return Result(name, OK, text)


def _same_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def check_temporary_folder() -> Iterator[Result]:
    """Where data workers put their sockets, and compilers their files."""
    name = 'temporary folder'
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError:
        yield Result(name, FAULT, 'there is none that can be written', 'mkdir -p ~/tmp && export TMPDIR=~/tmp')
        return
    free = shutil.disk_usage(folder).free
    if len(folder) > LONGEST_TEMPORARY:
        text = f'the path {folder} is too long for the sockets of data workers'
        yield Result(name, FAULT, text, 'export TMPDIR=/tmp')
    elif free < GIB:
        text = f'{_size(free)} free in {folder}'
        yield Result(name, WARNING, text, 'mkdir -p ~/tmp && export TMPDIR=~/tmp')
    else:
        yield Result(name, OK, f'{_size(free)} free in {folder}')


def check_processors() -> Iterator[Result]:
    """The CPUs that this process may use, and the threads that are wanted of them."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    quota = _cgroup_cpus()
    cpus = max(math.floor(min(usable, quota)), 1)
    text = f'{cpus} usable of {os.cpu_count()}'
    wanted = os.environ.get('OMP_NUM_THREADS', '')
    mend = f'export OMP_NUM_THREADS={cpus}'
    if wanted.isdigit() and int(wanted) > cpus:
        yield Result('CPUs', WARNING, f'{text}, but OMP_NUM_THREADS is {wanted}: threads wait for each other', mend)
    elif cpus < usable and not wanted:
        text += f'; the container may use {quota:g}, but torch starts {usable} threads'
        yield Result('CPUs', WARNING, text, mend)
    else:
        yield Result('CPUs', OK, f'{text}{f", OMP_NUM_THREADS={wanted}" if wanted else ""}')


def _read(*paths: str) -> list[str]:
    """The words of the first of some files that there is."""
    for path in paths:
        with suppress(OSError):
            return Path(path).read_text().split()
    return []


def _cgroup_cpus() -> float:
    """The CPUs that the control group of this process, as of a container, may use."""
    words = _read('/sys/fs/cgroup/cpu.max')
    if not words:
        words = [*_read('/sys/fs/cgroup/cpu/cpu.cfs_quota_us'), *_read('/sys/fs/cgroup/cpu/cpu.cfs_period_us')]
    return int(words[0]) / int(words[1]) if len(words) == 2 and words[0].isdigit() else math.inf


def check_memory() -> Iterator[Result]:
    """The memory that is free, in the control group too."""
    import psutil

    free, total = psutil.virtual_memory().available, psutil.virtual_memory().total
    limit = _read('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes')
    used = _read('/sys/fs/cgroup/memory.current', '/sys/fs/cgroup/memory/memory.usage_in_bytes')
    if limit and limit[0].isdigit() and used and int(limit[0]) < total:
        total = int(limit[0])
        free = min(free, max(total - int(used[0]), 0))
    text = f'{_size(free)} free of {_size(total)}'
    if free < MEMORY:
        text += '; a training process with 8 workers can need more'
        mend = 'ps -eo rss,pid,comm --sort=-rss | head  # shows what uses it'
        yield Result('memory', FAULT if free < LEAST_MEMORY else WARNING, text, mend)
    else:
        yield Result('memory', OK, text)


def check_network() -> Iterator[Result]:
    """The name of this machine and its interfaces, by which processes find each other."""
    import psutil

    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    addresses = {name: {a.address.partition('%')[0] for a in found} for name, found in psutil.net_if_addrs().items()}
    for variable in ('NCCL_SOCKET_IFNAME', 'GLOO_SOCKET_IFNAME'):
        wanted = [name.lstrip('=') for name in os.environ.get(variable, '').split(',') if name and name[0] != '^']
        missing = [name for name in wanted if not any(there.startswith(name) for there in up)]
        if missing:
            text = f'{variable} names {", ".join(missing)}, and there are {", ".join(sorted(up))}'
            yield Result('network', FAULT, text, f'unset {variable}')
    local = {address for found in addresses.values() for address in found}
    try:
        resolved = {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:
        resolved = set()
    if not any(address in local or address.startswith('127.') for address in resolved):
        text = 'the name of this machine stands for no address of it, and processes look for each other there'
        yield Result('network', WARNING, text, 'echo "127.0.1.1 $(hostname)" | sudo tee -a /etc/hosts')
    names = sorted(name for name in up if not any(address.startswith('127.') for address in addresses.get(name, ())))
    if 'lo' not in up and not any(address.startswith('127.') for address in local):
        text = 'there is no loopback, which processes of one machine use'
        yield Result('network', FAULT, text, 'sudo ip link set lo up')
    else:
        others = f'and {", ".join(names)} for several machines' if names else 'and nothing for several machines'
        yield Result('network', OK, f'the loopback, {others}')


def check_clock() -> Iterator[Result]:
    """The clock, by which checkpoints and downloads are ordered: files of the past are older than now."""
    newest = max(path.stat().st_mtime for path in Path(__file__).parent.glob('*.py'))
    text = time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())
    if time.time() < newest - 60:
        mend = 'sudo timedatectl set-ntp true'
        yield Result('clock', WARNING, f'it says {text}, which is before mmdualformer was installed', mend)
    else:
        yield Result('clock', OK, text)


def check_launchers() -> Iterator[Result]:
    """Slurm and MPI, for information."""
    found = []
    for program, arguments in (('srun', '--version'), ('mpirun', '--version')):
        if shutil.which(program):
            with suppress(OSError, subprocess.SubprocessError):
                shown = subprocess.run([program, arguments], capture_output=True, text=True, timeout=5).stdout
                found.append(f'{program} ({next(iter(shown.splitlines()), "no version")})')
    if os.environ.get('SLURM_JOB_ID'):
        found.append(f'inside a Slurm job of {os.environ.get("SLURM_NTASKS", "1")} tasks')
    yield Result('job launchers', OK, ', '.join(found) or 'no Slurm and no MPI')


def _size(count: float) -> str:
    return f'{count / GIB:.1f} GiB' if count >= GIB else f'{count / MIB:.0f} MiB'
