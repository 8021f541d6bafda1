"""The papers' tables as text."""

import pytest

from mmdualformer.papers.comparison import Cell, compare
from mmdualformer.papers.published import Row, load_rows
from mmdualformer.papers.report import FORMATS, cell_texts


@pytest.mark.parametrize('name', FORMATS)
def test_reports_say_every_number(name):
    rows = load_rows('vidtr', '5b')
    text = FORMATS[name](compare(rows))
    for row in rows:
        assert row.row in text and row.config in text
        assert all(f'{number:g}' in text for number in row.published.values())
    assert text.count('not run') == 8


def test_differences_are_points_of_accuracies_and_shares_of_costs():
    row = Row('vidtr', '5b', 'T < S', dict(top1=80.0, gflops=10.0), config='x', gflops_of='video')
    texts = [cell_texts(Cell(row, name, here)) for name, here in (('top1', 79.25), ('gflops', 9.5))]
    assert [(text['number'], text['paper'], text['ours'], text['difference']) for text in texts] == [
        ('top-1, %', '80', '79.2', '-0.8'),
        ('GFLOPs of a video', '10', '9.500', '-5.0%'),
    ]
    assert 'T &lt; S' in FORMATS['html']([Cell(row, 'top1', 79.25)])
