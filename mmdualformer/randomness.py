"""Random numbers that depend on where a run is, and on nothing that went before it.

What a training step draws follows from the run's seed and the step's number, and what a clip's augmentation draws from
the seed and the clip's place in its epoch. So a run that was killed goes on with the numbers that it would have drawn,
whatever it has read since, and with however many workers.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_all(*place: int) -> None:
    """Seed Python, NumPy and PyTorch, on all devices, with numbers that together name a place in a run."""
    words = np.random.SeedSequence([part % 2**64 for part in place]).generate_state(4)
    random.seed(words.tobytes())
    np.random.seed(words)
    torch.manual_seed(int(words[:2].view(np.uint64)[0]) >> 1)


@contextmanager
def undo_draws(*errors: type[BaseException]) -> Iterator[None]:
    """Around what may fail: if it does with one of ``errors``, it has drawn nothing on the CPU."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    except errors:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        raise
