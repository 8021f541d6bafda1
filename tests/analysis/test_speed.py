import time

import pytest

from mmdualformer.analysis import median_times
from mmdualformer.analysis.data_speed import time_loaders


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but for what is appended, in seconds."""
    passed = []
    monkeypatch.setattr(time, 'perf_counter', lambda: sum(passed))
    return passed


def test_the_first_call_does_not_count(clock):
    seconds = iter((60, 2, 9, 3))
    assert median_times({'model': lambda: clock.append(next(seconds))}, runs=3) == {'model': 3000}


def test_the_first_epoch_does_not_count(clock):
    class Loader:
        seconds = iter((60, 2, 8, 4))

        def __iter__(self):
            clock.append(next(self.seconds))
            yield from [dict(inputs=[None] * 4)] * 2

    assert time_loaders({'ours': Loader()}, rounds=3) == {'ours': 2}
