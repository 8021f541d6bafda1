"""torchrun, which ends a failed run with one line instead of its report.

Takes torchrun's arguments: ``python -m mmdualformer.launch --nproc-per-node 8 tools/train.py CONFIG``. The error itself
is on the screen already, or, for a :class:`~mmdualformer.errors.UserError`, in the line.
"""

import argparse
import logging
import os
import signal
import socket
import sys
from typing import Any

import torch
import torch.distributed
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import RendezvousError
from torch.distributed.run import get_args_parser
from torch.distributed.run import run as torchrun

from mmdualformer import compat, processes, signals
from mmdualformer.errors import UserError

GRACE = 300  # seconds that stopped processes have to save; whoever waits no longer sends a second signal


def main() -> None:
    """Launch the processes and wait for them."""
    signals.listen()
    processes.end_with_launcher()
    args = get_args_parser().parse_args()
    if args.nproc_per_node.lstrip('-').isdigit() and int(args.nproc_per_node) < 1:
        sys.exit(f'error: --nproc-per-node (GPUS) {args.nproc_per_node} must be at least 1')
    if not torch.cuda.is_available() and args.nproc_per_node.isdigit():
        # torchrun's default of one thread a process is meant for GPUs
        os.environ.setdefault('OMP_NUM_THREADS', str(max((os.cpu_count() or 1) // int(args.nproc_per_node), 1)))
    logging.disable(logging.ERROR)  # the agent's own words; this process trains nothing
    if args.nnodes == '1' and args.local_addr is None:
        args.local_addr = '127.0.0.1'
    # torch < 2.12 has no such argument, and waits 30 seconds
    if getattr(args, 'shutdown_timeout', 0) is None and 'TORCH_ELASTIC_SHUTDOWN_TIMEOUT' not in os.environ:
        args.shutdown_timeout = GRACE
    heard = [stop.name for stop in signals.STOPS if signal.getsignal(stop) is not signal.SIG_IGN]
    args.signals_to_handle = ','.join(heard)
    os.environ[processes.PARENT] = str(os.getpid())
    os.environ[compat.NODES] = args.nnodes
    compat.end_ranks_with_time_to_save()
    compat.let_machines_come_back()
    with signals.said_once():
        sys.exit(_launch(args))


def _launch(args: argparse.Namespace) -> int | str | None:
    """Run torchrun, and give what to exit with."""
    try:
        torchrun(args)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        message: Any = failure.message  # torch says str, but it is a dict where the process recorded its exception
        message = message['message'] if isinstance(message, dict) else message
        if message.startswith(UserError.__name__):
            return f'error: {message.partition(": ")[2]}'
        if failure.exitcode in signals.STATUSES:
            signals.say(f'stopped by {signals.name(failure.exitcode - 128)}')
            return failure.exitcode
        if failure.exitcode < 0:
            return f'error: process {rank} was killed by {signal.Signals(-failure.exitcode).name}'
        return f'error: process {rank} failed with exit status {failure.exitcode}, see above'
    except ValueError as error:  # an argument of torchrun
        return f'error: {error}'
    except torch.distributed.DistNetworkError as error:
        return (
            f'error: {str(error).splitlines()[0]}; --master-port (PORT) must be free on --master-addr '
            f'(MASTER_ADDR), here {args.master_addr}:{args.master_port}'
        )
    except (torch.distributed.DistStoreError, RendezvousError) as error:
        where = args.rdzv_endpoint or f'{args.master_addr}:{args.master_port}'
        return f'error: the {args.nnodes} machines did not all meet at {where}: {str(error).splitlines()[0]}'
    except socket.gaierror as error:
        return f'error: the name of this machine, {socket.gethostname()}, has no address: {error.strerror}'
    except SignalException as stop:
        statuses = compat.statuses_of_ranks()
        if statuses and all(status == 0 for status in statuses):  # they had ended, or the job is queued again
            return 0
        signals.say_first()
        return 128 + stop.sigval
    return None


if __name__ == '__main__':
    main()
