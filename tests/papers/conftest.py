import pytest

from mmdualformer.papers.comparison import Cell, compare
from mmdualformer.papers.families import FAMILIES
from mmdualformer.papers.published import load_rows


@pytest.fixture(scope='session')
def cells() -> list[Cell]:
    """All numbers of the papers beside ours; counting takes most of a minute."""
    return compare([row for paper in FAMILIES for row in load_rows(paper)])
