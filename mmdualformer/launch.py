"""torchrun, which ends a failed run with one line instead of its report.

Takes torchrun's arguments: ``python -m mmdualformer.launch --nproc-per-node 8 tools/train.py CONFIG``. The error itself
is on the screen already, or, for a :class:`~mmdualformer.errors.UserError`, in the line.
"""

import logging
import os
import signal
import sys
from typing import Any

import torch
import torch.distributed
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import get_args_parser
from torch.distributed.run import main as torchrun

from mmdualformer.errors import UserError


def main() -> None:
    """Launch the processes and wait for them."""
    args = get_args_parser().parse_args()
    if args.nproc_per_node.lstrip('-').isdigit() and int(args.nproc_per_node) < 1:
        sys.exit(f'error: --nproc-per-node (GPUS) {args.nproc_per_node} must be at least 1')
    if not torch.cuda.is_available() and args.nproc_per_node.isdigit():
        # torchrun's default of one thread a process is meant for GPUs
        os.environ.setdefault('OMP_NUM_THREADS', str(max((os.cpu_count() or 1) // int(args.nproc_per_node), 1)))
    logging.disable(logging.ERROR)  # the agent's own words; this process trains nothing
    try:
        torchrun()
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        message: Any = failure.message  # torch says str, but it is a dict where the process recorded its exception
        message = message['message'] if isinstance(message, dict) else message
        if message.startswith(UserError.__name__):
            sys.exit(f'error: {message.partition(": ")[2]}')
        if failure.exitcode < 0:
            sys.exit(f'error: process {rank} was killed by {signal.Signals(-failure.exitcode).name}')
        sys.exit(f'error: process {rank} failed with exit status {failure.exitcode}, see above')
    except ValueError as error:  # an argument of torchrun
        sys.exit(f'error: {error}')
    except torch.distributed.DistNetworkError as error:
        sys.exit(
            f'error: {str(error).splitlines()[0]}; --master-port (PORT) must be free on --master-addr '
            f'(MASTER_ADDR), here {args.master_addr}:{args.master_port}'
        )
    except SignalException as stop:
        sys.exit(128 + stop.sigval)


if __name__ == '__main__':
    main()
