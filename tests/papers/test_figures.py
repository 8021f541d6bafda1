"""The papers' figures."""

from pathlib import Path

import pytest

from mmdualformer.papers.families import FAMILIES
from mmdualformer.papers.figures import plot_accuracy, plot_views
from mmdualformer.papers.published import load_rows
from tests.helpers import assert_one_line

VIEWS = 'clips,crops,gflops,top1,top5\n4,1,4.0,0.79,0.94\n1,1,1.0,0.75,0.92\n1,3,3.0,0.76,0.92\n4,3,12.0,0.795,0.94\n'


@pytest.mark.parametrize(
    ('paper', 'tables', 'numbers'),
    [('dualformer', '1', ['gflops']), ('vmf', '3', ['gflops']), ('vidtr', '23', ['gflops', 'latency'])],
)
def test_points_are_the_papers(paper, tables, numbers):
    figure = plot_accuracy(FAMILIES[paper])
    rows = [row for table in tables for row in load_rows(paper, table) if row.data == 'Kinetics-400']
    assert len(figure.axes) == len(numbers)
    for axes, number in zip(figure.axes, numbers):
        drawn = [row for row in rows if number in row.published]
        points = sorted(point for line in axes.lines for point in zip(*line.get_data()))
        assert points == sorted((row.published[number], row.published['top1']) for row in drawn)
        labels = [text.get_text() for text in axes.texts]
        assert len(labels) == len(points)
        assert all(any(label.startswith(row.row) for label in labels) for row in drawn)
        if paper != 'vidtr':  # whose Tables 2 and 3 both have TEA
            assert len(set(labels)) == len(labels)  # each has a name of its own


def test_the_baselines_that_the_paper_made_are_not_its_own():
    ours = plot_accuracy(FAMILIES['vmf']).axes[0].lines[1]
    assert ours.get_label() == 'Video Mobile-Former' and len(ours.get_xdata()) == 4


def test_accuracy_against_latency():
    """Section 4.2.5: X3D has few GFLOPs and a high latency."""
    gflops, latency = plot_accuracy(FAMILIES['vidtr']).axes
    assert (gflops.get_xlabel(), latency.get_xlabel()) == ('GFLOPs of a view', 'latency of a view, ms')
    for axes in (gflops, latency):
        others, ours = (
            {text.get_text() for text in axes.texts if text.get_color() == line.get_color()} for line in axes.lines
        )
        assert {'VidTr-S', 'C-VidTr-S', 'En-VidTr-L'} < ours and {'X3D-M', 'I3D50'} < others
    assert len(latency.texts) < len(gflops.texts)


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
