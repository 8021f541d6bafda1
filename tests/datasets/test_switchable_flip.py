from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
from mmaction.datasets.transforms import Flip
from torch.utils.data import DataLoader

from mmdualformer.datasets import SwitchableFlip


def sample() -> dict:
    return dict(imgs=[np.arange(6, dtype=np.uint8).reshape(1, 2, 3)], img_shape=(1, 2), modality='RGB')


class Clips:
    """Tells whether each clip was mirrored."""

    def __init__(self, flip: SwitchableFlip) -> None:
        self.flip = flip

    def __getitem__(self, index: int) -> bool:
        return self.flip(sample())['imgs'][0][0, 0, 0] == 3

    def __len__(self) -> int:
        return 4


def test_on_it_is_a_flip_and_off_it_draws_as_much():
    flip, plain = SwitchableFlip(flip_ratio=0.5), Flip(flip_ratio=0.5)
    results = {}
    for name, transform in (('off', flip), ('plain', plain), ('on', flip)):
        flip.switch(name == 'on')
        np.random.seed(0)
        results[name] = [transform(sample())['flip'] for _ in range(20)], np.random.rand()
    assert results['on'] == results['plain'] and any(results['on'][0])
    assert results['off'] == ([False] * 20, results['on'][1])


@pytest.mark.parametrize('workers', [0, 2])
def test_workers_that_run_see_the_switch(workers):
    flip = SwitchableFlip(flip_ratio=1.0)
    loader = DataLoader(Clips(flip), None, num_workers=workers, persistent_workers=workers > 0)
    assert list(loader) == [False] * 4
    flip.switch(True)
    assert list(loader) == [True] * 4
    flip.switch(False)
    assert list(loader) == [False] * 4


def test_a_process_that_is_spawned_sees_the_switch():
    """It gets the transform by multiprocessing's pickle, as here."""
    flip = SwitchableFlip(flip_ratio=1.0)
    other = ForkingPickler.loads(ForkingPickler.dumps(flip))
    flip.switch(True)
    assert other(sample())['flip']
