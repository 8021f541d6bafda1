import resource
import socket
import sys
import tempfile
import time
from pathlib import Path

import pytest

from mmdualformer.doctor import system
from mmdualformer.doctor.running import FAULT, OK, WARNING


@pytest.mark.parametrize(('free', 'status'), [(1 << 20, FAULT), (200 << 20, WARNING), (1 << 40, OK)])
def test_shared_memory(free, status, tmp_path):
    (result,) = system.check_shared_memory(str(tmp_path), free)
    assert result.status == status
    assert (f'remount,size=8g {tmp_path}' in result.mend and '--shm-size' in result.mend) == (status != OK)


def test_no_shared_memory(tmp_path):
    (result,) = system.check_shared_memory(str(tmp_path / 'shm'))
    assert result.status == FAULT and result.mend.startswith('sudo mount -t tmpfs')


def test_no_shared_memory_where_the_system_has_no_such_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'platform', 'darwin')
    (result,) = system.check_shared_memory(str(tmp_path / 'shm'))
    assert result.status == OK and not result.mend


@pytest.mark.parametrize(
    ('soft', 'hard', 'status', 'mend'),
    [
        (100, 4096, FAULT, 'ulimit -n 4096'),
        (600, resource.RLIM_INFINITY, WARNING, 'ulimit -n 1024'),
        (600, 600, WARNING, 'limits.d'),
        (1024, 1024, OK, ''),
    ],
)
def test_open_files(soft, hard, status, mend, monkeypatch):
    monkeypatch.setattr(resource, 'getrlimit', lambda _: (soft, hard))
    (result,) = system.check_open_files()
    assert result.status == status and mend in result.mend and bool(result.mend) == bool(mend)


def test_folders(tmp_path, monkeypatch):
    (result,) = system.check_disk(tmp_path)
    assert result.name == 'current folder'
    (result,) = system.check_disk(Path('/proc'))  # where nobody can write
    assert result.status == FAULT and 'cd ~/runs' in result.mend
    (tmp_path / 'work_dirs').symlink_to('/proc')  # on another disk
    assert [result.name for result in system.check_disk(tmp_path)] == ['current folder', 'work_dirs']
    monkeypatch.setattr(system, 'DISK', 1 << 60)
    result = next(iter(system.check_disk(tmp_path)))
    assert result.status == WARNING and result.mend.startswith('du ')
    monkeypatch.setattr(system, 'LEAST_DISK', 1 << 59)
    assert next(iter(system.check_disk(tmp_path))).status == FAULT


def test_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', '/tmp')
    assert next(iter(system.check_temporary_folder())).mend in ('', 'mkdir -p ~/tmp && export TMPDIR=~/tmp')
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / ('long' * 30)))
    (tmp_path / ('long' * 30)).mkdir()
    (result,) = system.check_temporary_folder()
    assert result.status == FAULT and result.mend == 'export TMPDIR=/tmp'


def test_processors(monkeypatch):
    monkeypatch.setattr(system, '_cgroup_cpus', lambda: 1.5)
    monkeypatch.setattr(system.os, 'sched_getaffinity', lambda _: range(8))
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    (result,) = system.check_processors()
    assert result.status == WARNING and 'may use 1.5' in result.text and result.mend == 'export OMP_NUM_THREADS=1'
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    assert next(iter(system.check_processors())).status == OK
    monkeypatch.setenv('OMP_NUM_THREADS', '64')
    assert next(iter(system.check_processors())).mend == 'export OMP_NUM_THREADS=1'


def test_memory(monkeypatch):
    monkeypatch.setattr(system, 'MEMORY', 1 << 60)
    (result,) = system.check_memory()
    assert result.status == WARNING and result.mend.startswith('ps ')


def test_a_control_group_limits_memory(monkeypatch):
    monkeypatch.setattr(system, '_read', lambda *paths: ['1073741824' if 'memory.max' in paths[0] else '1048576'])
    (result,) = system.check_memory()
    assert result.status == FAULT and result.text.startswith('1023 MiB free of 1.0 GiB')


def test_interfaces_that_are_asked_for(monkeypatch):
    monkeypatch.setenv('NCCL_SOCKET_IFNAME', 'nosuch0')
    result = next(iter(system.check_network()))
    assert result.status == FAULT and 'NCCL_SOCKET_IFNAME names nosuch0' in result.text
    assert result.mend == 'unset NCCL_SOCKET_IFNAME'
    monkeypatch.setenv('NCCL_SOCKET_IFNAME', '^docker0,=lo')
    assert not [result for result in system.check_network() if result.status == FAULT]


@pytest.mark.parametrize('found', [[], [(0, 0, 0, '', ('192.0.2.1', 0))]])
def test_a_machine_whose_name_is_another_one(found, monkeypatch):

    def getaddrinfo(*_):
        if not found:
            raise socket.gaierror('unknown')
        return found

    monkeypatch.setattr(socket, 'getaddrinfo', getaddrinfo)
    result = next(iter(system.check_network()))
    assert result.status == WARNING and '/etc/hosts' in result.mend


def test_a_clock_that_is_behind(monkeypatch):
    (result,) = system.check_clock()
    assert result.status == OK
    monkeypatch.setattr(time, 'time', lambda: 1e9)
    (result,) = system.check_clock()
    assert result.status == WARNING and 'set-ntp' in result.mend


def test_launchers_are_named(tmp_path, monkeypatch):
    (tmp_path / 'srun').write_text('#!/bin/sh\necho slurm 23.02\n')
    (tmp_path / 'srun').chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:/bin:/usr/bin')
    monkeypatch.setenv('SLURM_JOB_ID', '1')
    (result,) = system.check_launchers()
    assert 'srun (slurm 23.02)' in result.text and 'inside a Slurm job' in result.text
