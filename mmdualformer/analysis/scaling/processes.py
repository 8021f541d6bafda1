"""Training steps of several processes of this machine, with and without the exchange of gradients."""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.queues import SimpleQueue
from statistics import median

import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from torch.multiprocessing.spawn import start_processes
from torch.nn.parallel import DistributedDataParallel

from mmdualformer import compat
from mmdualformer.analysis.benchmark.entries import example_clip
from mmdualformer.analysis.benchmark.sources import Source, as_logits
from mmdualformer.analysis.speed import collect_turns
from mmdualformer.video.isolation import frozen_garbage

from .machines import Link, Step

MESSAGES = (1 << 16, 1 << 20, 1 << 22, 1 << 24)  # bytes, of which a link's bandwidth and latency follow


@dataclass
class Rounds:
    """What the first of several processes measured.

    Attributes:
        step (Step): Medians of what it computes in a step, beside the other processes.
        together (float): Median of a whole step in which gradients are exchanged, in seconds.
        link (Link, optional): What connects the processes; None of one process.
        gradients (list): Bytes of each parameter's gradient, in the order of the model.
    """

    step: Step
    together: float
    link: Link | None = None
    gradients: list[int] = field(default_factory=list)


def measure_processes(source: Source, clip: tuple[int, ...], processes: int, rounds: int) -> Rounds:
    """Train in several processes of one thread each, which exchange gradients with gloo.

    They find each other by a file and talk on the loopback interface.

    Args:
        source (Source): The model.
        clip (tuple): Shape ``(N, 3, T, H, W)`` of the batch of one process.
        processes (int): How many.
        rounds (int): Timed rounds, in each of which one step exchanges gradients and one does not.
    """
    results = multiprocessing.get_context('fork').SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        args = (source, clip, processes, rounds, folder, results)
        with frozen_garbage():
            started = start_processes(_train, args, nprocs=processes, join=False, start_method='fork')
        while not started.join():
            pass
    return results.get()


def _train(
    rank: int, source: Source, clip: tuple[int, ...], processes: int, rounds: int, folder: str, results: SimpleQueue
) -> None:
    os.environ.setdefault('GLOO_SOCKET_IFNAME', 'lo')
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/group', rank=rank, world_size=processes)
    measured = _measure(source, clip, rounds)
    if rank == 0:
        results.put(measured)
    dist.barrier()
    compat.leave_process_group()


def _measure(source: Source, clip: tuple[int, ...], rounds: int) -> Rounds:
    model = as_logits(source.build()).train()
    inputs, labels = example_clip(clip), torch.zeros(clip[0], dtype=torch.long)
    parallel = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-12, momentum=0.9)

    def alone(_: int) -> tuple[float, ...]:
        with parallel.no_sync():
            return _step(parallel, optimizer, inputs, labels)

    def together(_: int) -> tuple[float, ...]:
        return _step(parallel, optimizer, inputs, labels)

    values = collect_turns(dict(alone=alone, together=together), rounds)
    step = Step(*(median(times) for times in zip(*values['alone'])))
    sizes = [parameter.nbytes for parameter in model.parameters() if parameter.requires_grad]
    link = _measure_link(rounds) if dist.get_world_size() > 1 else None
    return Rounds(step, median(sum(times) for times in values['together']), link, sizes)


def _step(model: nn.Module, optimizer: torch.optim.Optimizer, inputs: Tensor, labels: Tensor) -> tuple[float, ...]:
    """Seconds of the forward pass, of the backward pass, and of the update."""
    dist.barrier()  # all begin at once
    loss = torch.tensor(0.0)

    def forward() -> None:
        nonlocal loss
        loss = F.cross_entropy(model(inputs), labels)

    def update() -> None:
        optimizer.step()
        optimizer.zero_grad()

    return _seconds(forward), _seconds(lambda: loss.backward()), _seconds(update)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _measure_link(rounds: int) -> Link:
    """Fit a bandwidth and a latency to the times of messages, as the model of a ring has them."""
    size = dist.get_world_size()

    def send(message: Tensor) -> Callable[[int], float]:
        def measure(_: int) -> float:
            dist.barrier()
            return _seconds(lambda: dist.all_reduce(message))

        return measure

    times = collect_turns({length: send(torch.zeros(length // 4)) for length in MESSAGES}, rounds)
    # seconds = 2 (n - 1) latency + 2 (n - 1) / n bytes / bandwidth; the shortest and the longest say one each
    short, long = (median(times[length]) for length in (MESSAGES[0], MESSAGES[-1]))
    per_byte = max(long - short, 1e-12) / (MESSAGES[-1] - MESSAGES[0])
    messages = 2 * (size - 1)
    return Link(messages / size / per_byte, max(short - per_byte * MESSAGES[0], 0.0) / messages)
