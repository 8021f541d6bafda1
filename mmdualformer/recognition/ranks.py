"""Processes that a launcher has started, which agree on what to do, and then go their own ways."""

import multiprocessing
import os
from collections.abc import Callable
from typing import TypeVar

import torch
from mmengine.dist import get_dist_info, init_dist

from mmdualformer import compat
from mmdualformer.errors import UserError

Answer = TypeVar('Answer')


def meet(launcher: str) -> tuple[int, int]:
    """Have the processes of a run find each other.

    Args:
        launcher (str): ``'pytorch'``, ``'slurm'`` or ``'mpi'``, or ``'none'`` for a single process.

    Returns:
        tuple: The number of this process, and how many there are.
    """
    if launcher != 'none':
        if multiprocessing.get_start_method(allow_none=True) is None:
            multiprocessing.set_start_method('fork')  # or MMEngine sets another, with which readers start slowly
        init_dist(launcher, backend='gloo')  # which needs no GPU
    return get_dist_info()


def agree(decide: Callable[[], Answer]) -> Answer:
    """Have the first process decide for all; from then on they know each other no more, so that none waits for another.

    Args:
        decide (callable): What the first process calls.

    Returns:
        What it has returned, in each process.

    Raises:
        UserError, OSError: The same, in each process.
    """
    rank, processes = get_dist_info()
    if processes == 1:
        return decide()
    answer: list = [None]
    if rank == 0:
        try:
            answer = [decide()]
        except (UserError, OSError) as error:
            answer = [error]
    torch.distributed.broadcast_object_list(answer, src=0, device=torch.device('cpu'))
    compat.leave_process_group()
    if isinstance(answer[0], UserError | OSError):
        raise answer[0]
    return answer[0]


def own_device(device: str) -> str:
    """The GPU of this process, of those of its machine, in place of any other."""
    if not device.startswith('cuda') or 'LOCAL_RANK' not in os.environ:
        return device
    return f'cuda:{int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count()}'
