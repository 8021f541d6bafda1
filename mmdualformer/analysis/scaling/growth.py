"""Cost as a power of one length: of the frames, of the pixels of a side, of the clips of a batch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmdualformer.errors import UserError

AXES = ('frames', 'size', 'batch')


@dataclass(frozen=True)
class Growth:
    """A cost that grows as ``length ** exponent``.

    Attributes:
        exponent (float): Least squares in logarithms over all lengths.
        last (float): That between the two greatest lengths alone, where what does not grow counts least.
        error (float): How far the fit is from a measured cost at most, as a fraction of the cost.
    """

    exponent: float
    last: float
    error: float


def fit_growth(costs: Mapping[int, float]) -> Growth:
    """Fit a power to costs.

    Args:
        costs (mapping): Length -> cost, both above 0; two lengths or more.

    Example:
        >>> fit_growth({8: 1.0, 16: 4.0, 32: 16.0}).exponent
        2.0
    """
    lengths = sorted(costs)
    x = np.log2(lengths)
    y = np.log2([costs[length] for length in lengths])
    slope, offset = np.polyfit(x, y, 1)
    errors = np.exp2(slope * x + offset - y) - 1
    last = (y[-1] - y[-2]) / (x[-1] - x[-2])
    return Growth(round(float(slope), 6), round(float(last), 6), float(np.abs(errors).max()))


def list_points(
    base: tuple[int, int, int], lengths: Mapping[str, Sequence[int]]
) -> dict[str, dict[int, tuple[int, int, int]]]:
    """Vary one length at a time.

    Args:
        base (tuple): Frames, size and batch of what is not varied.
        lengths (mapping): Axis, one of ``AXES`` -> its lengths.

    Returns:
        dict: Axis -> length -> frames, size and batch.

    Raises:
        UserError: An axis has only one length, of which nothing grows.
    """
    points = {}
    for place, axis in enumerate(AXES):
        values = sorted(set(lengths.get(axis, ())))
        if len(values) == 1:
            raise UserError(f'--{axis} {values[0]} must be two lengths or more, or left out')
        if values:
            points[axis] = {value: _replaced(base, place, value) for value in values}
    if not points:
        raise UserError('nothing grows: give two lengths or more to --' + ', --'.join(AXES))
    return points


def _replaced(base: tuple[int, int, int], place: int, value: int) -> tuple[int, int, int]:
    frames, size, batch = (value if i == place else length for i, length in enumerate(base))
    return frames, size, batch


def describe_growth(growth: Growth) -> str:
    """Write it for a table: ``1.02 (1.05 at the end, off by 3 %)``."""
    return f'{growth.exponent:.2f} ({growth.last:.2f} at the end, off by {math.ceil(100 * growth.error)} %)'
