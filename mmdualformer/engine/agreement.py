"""What one process wants, all do at the same step."""

import torch
import torch.distributed as dist


class Agreement:
    """The processes of a run agree on a number, over gloo, so that no GPU takes part.

    All processes make one at the same time and ask it in each step. They wait for each other there, as they have just
    done for their gradients.
    """

    def __init__(self) -> None:
        self._group = dist.new_group(backend='gloo') if dist.is_initialized() and dist.get_world_size() > 1 else None

    def reached(self, value: int) -> int:
        """Say a number, and hear the largest that a process has said.

        Args:
            value (int): What this process wants, 0 for nothing.

        Returns:
            int: The same in all processes.
        """
        if self._group is None:
            return value
        said = torch.tensor([value])
        dist.all_reduce(said, dist.ReduceOp.MAX, self._group)
        return int(said)
