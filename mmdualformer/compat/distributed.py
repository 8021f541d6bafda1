"""Faults of torch.distributed: where it listens, and how its launcher ends."""

import importlib
import os
import signal
import socket
from contextlib import suppress
from typing import Any

import psutil
from torch.distributed.elastic.multiprocessing import SignalException, api
from torch.distributed.elastic.multiprocessing.subprocess_handler import SubprocessHandler
from torch.distributed.elastic.rendezvous import c10d_rendezvous_backend, static_tcp_rendezvous

from mmdualformer import signals

from .mending import once

NODES = 'MMDUALFORMER_NODES'  # environment: how many machines a launcher was started on
END_LIMIT = 30  # seconds that ranks have when one was stopped by a signal that the others have not heard of


def listen_where_told() -> None:
    """torch 2.13: a ``TCPStore`` listens on all interfaces, whatever address it is given."""

    def bind(original):

        def tcp_store(host_name, port, world_size=None, is_master=False, *args, **kwargs):
            listener = _listen(host_name, port) if is_master and 'master_listen_fd' not in kwargs else None
            if listener is None:
                return original(host_name, port, world_size, is_master, *args, **kwargs)
            port = listener.getsockname()[1]
            return original(host_name, port, world_size, is_master, *args, master_listen_fd=listener.detach(), **kwargs)

        return tcp_store

    rendezvous = importlib.import_module('torch.distributed.rendezvous')  # a function of that name hides it
    for module in (rendezvous, static_tcp_rendezvous, c10d_rendezvous_backend):
        once(module, 'TCPStore', bind)


def _listen(host: str, port: int) -> socket.socket | None:
    """Listen on an address, or give None where only torch's own way is left: it is not ours, as behind a translation,
    or names this machine alone though others must reach it, or is taken, which torch has the words for.
    """
    with suppress(OSError):
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if str(address[0]).startswith(('127.', '::1')) and not is_one_machine():
            return None
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1024)
        except OSError:
            listener.close()
            raise
        return listener
    return None


def is_one_machine() -> bool:
    """Whether all processes of this run are on this machine, as far as the launcher's environment tells."""
    env = os.environ
    if 'LOCAL_WORLD_SIZE' in env:  # torchrun
        return env['LOCAL_WORLD_SIZE'] == env.get('WORLD_SIZE')
    if 'OMPI_COMM_WORLD_SIZE' in env:
        return env['OMPI_COMM_WORLD_SIZE'] == env.get('OMPI_COMM_WORLD_LOCAL_SIZE')
    if 'SLURM_PROCID' in env:
        return env.get('SLURM_STEP_NUM_NODES', env.get('SLURM_NNODES')) == '1'
    return env.get(NODES, '1') == '1'


def choose_interfaces() -> None:
    """torch 2.13: gloo and NCCL listen on a network interface also where all processes are on one machine.

    On several, gloo listens where the machine's name leads to, which may be the loopback: it is told the interface that
    leads to the first machine.
    """
    if is_one_machine():
        loopback = [name for _, name in socket.if_nameindex() if name in ('lo', 'lo0')]
        for variable in ('GLOO_SOCKET_IFNAME', 'NCCL_SOCKET_IFNAME'):
            for name in loopback:
                os.environ.setdefault(variable, name)
        if loopback and 'MASTER_ADDR' not in os.environ:  # of Slurm and MPI
            os.environ['MASTER_ADDR'] = '127.0.0.1'
    elif 'GLOO_SOCKET_IFNAME' not in os.environ:
        interface = _interface_to(os.environ.get('MASTER_ADDR', ''))
        if interface is not None:
            os.environ['GLOO_SOCKET_IFNAME'] = interface


def _interface_to(host: str) -> str | None:
    """The network interface that leads to a machine, or has its address; None if that is not known or the loopback."""
    with suppress(OSError):
        family, kind, _, _, address = socket.getaddrinfo(host, 1, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(address)  # sends nothing
            own = probe.getsockname()[0]
        if not own.startswith(('127.', '::1')):
            for name, addresses in psutil.net_if_addrs().items():
                if own in [found.address.partition('%')[0] for found in addresses]:
                    return name
    return None


def end_ranks_with_time_to_save() -> None:
    """torch 2.13's launcher ends the other ranks with SIGTERM when one has failed, and knows no second signal.

    Our ranks take SIGTERM for the wish to save, which they cannot without the one that failed: they are killed. Where
    a signal has stopped that one, the others are asked to stop too.
    """

    def close(original):

        def close_subprocesses(self, death_sig, timeout=30):
            ended = [handler.proc.poll() for handler in self.subprocess_handlers.values()]
            if death_sig == signal.SIGTERM and not signals.received() and any(ended):
                if any(code in signals.STATUSES for code in ended):
                    timeout = END_LIMIT
                else:
                    death_sig = signal.SIGKILL
            original(self, death_sig, timeout)
            _statuses[:] = [handler.proc.poll() for handler in self.subprocess_handlers.values()]

        return close_subprocesses

    def popen(original):

        def popen_blocked(self, args, env):
            # while a rank imports, signals wait for it to listen: then it can end with a line
            signal.pthread_sigmask(signal.SIG_BLOCK, signals.STOPS)
            try:
                return original(self, args, env)
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, signals.STOPS)

        return popen_blocked

    def raise_first(number: int, frame: Any) -> None:
        signals.note(number)
        signals.defer()
        if not raised:
            raised.append(number)
            raise SignalException(f'process {os.getpid()} got {signals.name(number)}', sigval=signal.Signals(number))

    raised: list[int] = []
    once(api.SubprocessContext, '_close', close)
    once(SubprocessHandler, '_popen', popen)
    api._terminate_process_handler = raise_first  # type: ignore[assignment]


def let_machines_come_back() -> None:
    """torch 2.13's launchers that go on after one has died do not tell the new one where the processes meet.

    They tell it each time where the processes do not share the launchers' store.
    """
    os.environ.setdefault('TORCH_DISABLE_SHARE_RDZV_TCP_STORE', '1')


_statuses: list[int | None] = []


def statuses_of_ranks() -> list[int | None]:
    """Exit statuses of the processes that a launcher has ended, None of one that cannot be killed."""
    return _statuses
