"""Our numbers beside those that the papers print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .costs import model_cost
from .published import Row
from .results import METRICS, Result

TOLERANCE = 0.02  # of a cost; what differs by more has a reason
POINTS = 0.5  # of an accuracy


@dataclass(frozen=True)
class Cell:
    """A number of a table beside ours.

    Attributes:
        row (Row): Where it stands.
        name (str): Which number of the row, a key of ``UNITS``.
        here (float, optional): Ours, in the paper's convention and unit.
        macs (float, optional): For GFLOPs, the true multiply-adds in 1e9.
    """

    row: Row
    name: str
    here: float | None = None
    macs: float | None = None

    @property
    def published(self) -> float:
        """What the paper prints."""
        return self.row.published[self.name]

    @property
    def difference(self) -> float | None:
        """Of an accuracy in points, of any other number as a share of the paper's."""
        if self.here is None:
            return None
        return self.here - self.published if self.name in METRICS else self.here / self.published - 1

    @property
    def verdict(self) -> str:
        """What the difference means."""
        if not self.row.config:
            return 'not ours'
        if self.difference is None:
            return 'not run'
        if self.name in METRICS:
            return 'met' if abs(self.difference) <= POINTS else 'higher' if self.difference > 0 else 'lower'
        if abs(self.difference) <= TOLERANCE:
            return 'met'
        return f'differs: {self.row.reason.get(self.name, "without a reason")}'


def compare(rows: Sequence[Row], results: Mapping[str, Result] | None = None) -> list[Cell]:
    """Put our numbers beside those of the papers: costs from the configs, accuracies from test logs.

    Args:
        rows (sequence): Rows of the papers.
        results (mapping, optional): Test results by config; see :func:`~mmdualformer.papers.results.find_results`.

    Returns:
        list: A cell for each number of the rows; what was not run is empty.
    """
    cells = []
    for row in rows:
        result = (results or {}).get(row.tested)
        for name in row.published:
            here = macs = None
            if row.config and name in ('gflops', 'params'):
                costs = [model_cost(config, row.counted) for config in (row.config, row.partner) if config]
                if name == 'params':
                    here = sum(cost.params for cost in costs)
                else:
                    views = row.num_views if row.gflops_of == 'video' else 1
                    here = views * sum(cost.gflops for cost in costs)
                    macs = views * sum(cost.macs for cost in costs)
            elif result is not None and METRICS.get(name) in result.metrics:
                here = 100 * result.metrics[METRICS[name]]
            cells.append(Cell(row, name, here, macs))
    return cells
