"""The papers' figures."""

from pathlib import Path

import pytest

from mmdualformer.papers import tables
from mmdualformer.papers.figures import FIGURES, plot_accuracy, plot_views
from tests.helpers import assert_one_line

VIEWS = 'clips,crops,gflops,top1,top5\n4,1,4.0,0.79,0.94\n1,1,1.0,0.75,0.92\n1,3,3.0,0.76,0.92\n4,3,12.0,0.795,0.94\n'


@pytest.mark.parametrize('paper', FIGURES)
def test_points_are_the_papers(paper):
    axes = plot_accuracy(paper).axes[0]
    rows = [row for row in tables.load_rows(paper, FIGURES[paper]) if row.data == 'Kinetics-400']
    points = sorted(point for line in axes.lines for point in zip(*line.get_data()))
    assert points == sorted((row.published['gflops'], row.published['top1']) for row in rows)
    labels = [text.get_text() for text in axes.texts]
    assert len(set(labels)) == len(rows) == len(points)  # each has a name of its own
    assert all(any(label.startswith(row.row) for label in labels) for row in rows)


def test_a_line_for_each_number_of_crops(tmp_path):
    path = tmp_path / 'views.csv'
    path.write_text(VIEWS)
    figure = plot_views({'Kinetics-400': path, 'Diving-48': path})
    assert [axes.get_title() for axes in figure.axes] == ['Kinetics-400', 'Diving-48']
    lines = {line.get_label(): line.get_xydata().tolist() for line in figure.axes[1].lines}
    assert lines == {'1 crop': [[1, 75], [4, 79]], '3 crops': [[1, 76], [4, 79.5]]}


def test_the_tool_writes_png_and_svg(fork_tool, tmp_path):
    Path(tmp_path, 'views.csv').write_text(VIEWS)
    result = fork_tool('tools/analysis/plot_papers.py', '--out', 'figures', '--views', 'Kinetics-400=views.csv')
    assert result.returncode == 0, result.stderr
    for name in ('dualformer_accuracy', 'vmf_accuracy', 'views'):
        assert (tmp_path / f'figures/{name}.png').read_bytes()[1:4] == b'PNG'
        assert '</svg>' in (tmp_path / f'figures/{name}.svg').read_text()

    Path(tmp_path, 'other.csv').write_text('a,b\n1,2\n')
    assert_one_line(fork_tool('tools/analysis/plot_papers.py', '--views', 'X=other.csv'), "'other.csv' is no file of")
