import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import TypeVar

Name = TypeVar('Name')
Value = TypeVar('Value')


def collect_turns(measures: Mapping[Name, Callable[[int], Value]], rounds: int) -> dict[Name, list[Value]]:
    """Measure side by side: in turn, so that what else the machine does meets all alike.

    Args:
        measures (mapping): Name -> what measures, given the number of the round.
        rounds (int): Rounds, after round 0, which is not counted.

    Returns:
        dict: Name -> what was measured, in the order of the rounds.
    """
    values: dict[Name, list[Value]] = {name: [] for name in measures}
    for number in range(rounds + 1):
        for name, measure in measures.items():
            value = measure(number)
            if number > 0:
                values[name].append(value)
    return values


def take_turns(measures: Mapping[Name, Callable[[int], float]], rounds: int) -> dict[Name, float]:
    """Measure in turn, as :func:`collect_turns` does.

    Returns:
        dict: Name -> median.
    """
    return {name: median(values) for name, values in collect_turns(measures, rounds).items()}


def median_times(calls: Mapping[Name, Callable[[], object]], runs: int) -> dict[Name, float]:
    """Time functions side by side.

    Args:
        calls (mapping): Name -> what to time.
        runs (int): Timed calls of each, after one that is not.

    Returns:
        dict: Name -> median in milliseconds.
    """

    def timed(call: Callable[[], object]) -> Callable[[int], float]:
        def measure(_: int) -> float:
            start = time.perf_counter()
            call()
            return 1e3 * (time.perf_counter() - start)

        return measure

    return take_turns({name: timed(call) for name, call in calls.items()}, runs)
