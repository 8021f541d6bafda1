"""What one process wants, all do at the same step."""

import torch
import torch.distributed as dist


class Agreement:
    """The processes of a run agree on a number, without waiting for each other.

    What a process says in a step goes around while the next step runs, over gloo, so no GPU takes part. All processes
    make one at the same time and ask it in each step.
    """

    def __init__(self) -> None:
        self._group = dist.new_group(backend='gloo') if dist.is_initialized() and dist.get_world_size() > 1 else None
        self._said = torch.zeros(1, dtype=torch.int64)
        self._work: dist.Work | None = None

    def reached(self, value: int) -> int:
        """Say a number, and hear the largest that a process said in the step before.

        Args:
            value (int): What this process wants, 0 for nothing.

        Returns:
            int: The same in all processes. Of a single process it is ``value``.
        """
        if self._group is None:
            return value
        agreed = 0
        if self._work is not None:
            self._work.wait()
            agreed = int(self._said)
        self._said.fill_(value)
        self._work = dist.all_reduce(self._said, dist.ReduceOp.MAX, self._group, async_op=True)
        return agreed
