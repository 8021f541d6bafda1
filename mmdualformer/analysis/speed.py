import time
from collections.abc import Callable, Hashable, Mapping
from statistics import median
from typing import TypeVar

Name = TypeVar('Name', bound=Hashable)


def median_times(calls: Mapping[Name, Callable[[], object]], runs: int) -> dict[Name, float]:
    """Time functions side by side: in turn, so that what else the machine does meets them alike.

    Args:
        calls (mapping): Name -> what to time.
        runs (int): Timed calls of each, after one that is not.

    Returns:
        dict: Name -> median in milliseconds.
    """
    times: dict[Name, list[float]] = {name: [] for name in calls}
    for run in range(runs + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if run > 0:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: median(values) for name, values in times.items()}
