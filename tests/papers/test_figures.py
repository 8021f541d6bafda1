"""The papers' figures."""

from pathlib import Path

import pytest

from mmdualformer.papers import tables
from mmdualformer.papers.figures import FIGURES, plot_accuracy, plot_latency, plot_views
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


def test_the_baselines_that_the_paper_made_are_not_its_own():
    ours = plot_accuracy('vmf').axes[0].lines[1]
    assert ours.get_label() == 'Video Mobile-Former' and len(ours.get_xdata()) == 4


def test_accuracy_against_latency():
    """Section 4.2.5: X3D has few GFLOPs and a high latency."""
    rows = [row for table in '23' for row in tables.load_rows('vidtr', table)]
    for axes, number in zip(plot_latency().axes, ('gflops', 'latency')):
        points = sorted(point for line in axes.lines for point in zip(*line.get_data()))
        drawn = [row.published for row in rows if number in row.published]
        assert points == sorted((numbers[number], numbers['top1']) for numbers in drawn)
        others, ours = (
            {text.get_text() for text in axes.texts if text.get_color() == line.get_color()} for line in axes.lines
        )
        assert {'VidTr-S', 'C-VidTr-S', 'En-VidTr-L'} < ours and {'X3D-M', 'I3D50'} < others
    assert len(points) < len(rows)


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
    for name in ('dualformer_accuracy', 'vmf_accuracy', 'vidtr_accuracy', 'views'):
        assert (tmp_path / f'figures/{name}.png').read_bytes()[1:4] == b'PNG'
        assert '</svg>' in (tmp_path / f'figures/{name}.svg').read_text()

    Path(tmp_path, 'other.csv').write_text('a,b\n1,2\n')
    assert_one_line(fork_tool('tools/analysis/plot_papers.py', '--views', 'X=other.csv'), "'other.csv' is no file of")
