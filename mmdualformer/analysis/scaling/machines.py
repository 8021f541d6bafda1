"""A model of a training step on several GPUs: what each computes, and what they send each other meanwhile.

Distributed data parallel training averages gradients in buckets, each as soon as the backward pass has filled it, while
the pass goes on (Li et al., "PyTorch Distributed", 2020). What does not fit beside the pass makes the step longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MIB = 1 << 20
FIRST_BUCKET, BUCKET = 1 * MIB, 25 * MIB  # bytes; DistributedDataParallel's


@dataclass(frozen=True)
class Link:
    """What connects each GPU to the others.

    Attributes:
        bandwidth (float): Bytes a second that one GPU sends, while it receives as many.
        latency (float): Seconds until a message begins to arrive.
    """

    bandwidth: float
    latency: float


@dataclass(frozen=True)
class Cluster:
    """Machines of GPUs.

    Attributes:
        machines (int): How many.
        gpus (int): GPUs of each.
        inside (Link): Between the GPUs of a machine.
        between (Link): Between machines, for each of their GPUs.
    """

    machines: int
    gpus: int
    inside: Link
    between: Link

    @property
    def size(self) -> int:
        """GPUs of all machines."""
        return self.machines * self.gpus


@dataclass(frozen=True)
class Step:
    """What one GPU computes in a step, in seconds."""

    forward: float
    backward: float
    update: float

    @property
    def total(self) -> float:
        """Seconds without any communication."""
        return self.forward + self.backward + self.update


def split_buckets(sizes: Sequence[int], first: int = FIRST_BUCKET, most: int = BUCKET) -> list[int]:
    """Gather gradients into buckets.

    Args:
        sizes (sequence): Bytes of each parameter's gradient, in the order of the model; they are ready in reverse.
        first (int): Bytes at which the first bucket is full. Defaults to DistributedDataParallel's 1 MiB.
        most (int): Bytes at which another is full. Defaults to DistributedDataParallel's 25 MiB.

    Returns:
        list: Bytes of each bucket, the one that is ready first before the others.
    """
    buckets: list[int] = []
    held, limit = 0, first
    for size in reversed(sizes):
        held += size
        if held >= limit:
            buckets.append(held)
            held, limit = 0, most
    return [*buckets, held] if held else buckets


def all_reduce_time(size: float, cluster: Cluster) -> float:
    """Seconds that it takes to average ``size`` bytes over all GPUs.

    In rings: each machine sums parts among its GPUs, the machines sum those among each other, and each machine hands
    them round. A ring of ``n`` sends ``(n - 1) / n`` of the bytes in ``n - 1`` messages, each way.
    """
    return 2 * (
        _ring(size, cluster.gpus, cluster.inside) + _ring(size / cluster.gpus, cluster.machines, cluster.between)
    )


def _ring(size: float, members: int, link: Link) -> float:
    return (members - 1) * (size / members / link.bandwidth + link.latency)


def step_time(step: Step, buckets: Sequence[int], cluster: Cluster, overlap: bool = True) -> float:
    """Seconds of a training step on a cluster.

    Args:
        step (Step): What one GPU computes.
        buckets (sequence): Bytes of the gradients, as :func:`split_buckets` gathers them.
        cluster (Cluster): Where.
        overlap (bool): Whether gradients are sent beside the backward pass. Processes that compute on the cores that
            send cannot. Defaults to True.
    """
    if cluster.size == 1:
        return step.total
    backward_end = step.forward + step.backward
    sent = step.forward if overlap else backward_end
    filled = 0
    for size in buckets:
        filled += size
        # a backward pass fills them about evenly
        ready = step.forward + step.backward * filled / sum(buckets)
        sent = max(sent, ready if overlap else backward_end) + all_reduce_time(size, cluster)
    return max(sent, backward_end) + step.update
