"""Segments of windows, as arithmetic."""

import tracemalloc

import numpy as np
import pytest

from mmdualformer.recognition import Recognition, find_segments
from mmdualformer.recognition.segments import clock, find_moments


def windows(*rows, length=2.0, step=1.0, several=False):
    """Windows with the probabilities of classes a, b, c, one after the other."""
    for i, row in enumerate(rows):
        yield Recognition('x', ('a', 'b', 'c'), np.array(row, np.float32), i * step, i * step + length, several)


A, B, NONE = (1, 0, 0), (0, 1, 0), (0.4, 0.3, 0.3)


def said(segments) -> list[tuple]:
    return [(segment.name, segment.start, segment.end) for segment in segments]


def test_windows_of_one_class_are_one_segment():
    (segment,) = find_segments(windows(A, A, A))
    assert (segment.name, segment.label, segment.start, segment.end) == ('a', 0, 0, 4)
    assert segment.score == pytest.approx(1)


def test_a_change_is_where_the_windows_change():
    # from 2 to 3 s one window says a and one says b
    assert said(find_segments(windows(A, A, B, B), least=0, threshold=0.6)) == [('a', 0, 2), ('b', 3, 5)]
    segments = said(find_segments(windows(A, A, B, B), least=0))
    assert segments == [('a', 0, 3), ('b', 3, 5)]


def test_nothing_likely_is_no_segment():
    assert said(find_segments(windows(NONE, NONE, B, B, B, NONE, NONE), least=0, threshold=0.7)) == [('b', 3, 5)]
    assert said(find_segments(windows(NONE, NONE))) == []
    assert said(find_segments([])) == []


def test_what_is_short_is_left_out_and_filled():
    one = dict(length=1.0, step=1.0)
    rows = (A, A, A, B, A, A, A)
    assert said(find_segments(windows(*rows, **one), least=0)) == [('a', 0, 3), ('b', 3, 4), ('a', 4, 7)]
    assert said(find_segments(windows(*rows, **one), least=1.5)) == [('a', 0, 7)]


def test_several_labels_overlap():
    segments = said(find_segments(windows((1, 0, 0), (1, 1, 0), (0, 1, 0), length=1.0, several=True), least=0))
    assert segments == [('a', 0, 2), ('b', 1, 3)]


def test_segments_come_as_soon_as_they_have_ended():
    taken = []

    def live():
        for window in windows(A, A, B, B, B, B, B, B):
            taken.append(window)
            yield window

    assert next(find_segments(live())).name == 'a'
    assert len(taken) < 8


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [(0, '0:00.0'), (12.44, '0:12.4'), (59.96, '1:00.0'), (3723.4, '1:02:03.4'), (36000, '10:00:00.0')],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_how_a_segment_prints():
    (segment,) = find_segments(windows((0.93, 0.07, 0), (0.93, 0.07, 0)))
    assert str(segment) == '0:00.0 - 0:03.0  a 93 %'


def test_a_name_is_printed_as_it_is():
    (segment,) = find_segments([Recognition('x', ('100% off',), np.ones(1), 0, 1)])
    assert str(segment) == '0:00.0 - 0:01.0  100% off 100 %'


def test_the_score_is_the_mean_over_time():
    parts = [Recognition('x', ('a',), np.array([score]), *times) for score, times in ((1.0, (0, 3)), (0.6, (3, 4)))]
    (segment,) = find_segments(parts)
    assert segment.score == pytest.approx(0.9)


def test_windows_with_a_gap_between_them():
    """As of a stream of which windows were left out: what is shown there is not known."""
    parts = [Recognition('x', ('a',), np.ones(1), start, start + 2) for start in (0, 1, 5, 6.5)]
    assert said(find_segments(parts, least=1)) == [('a', 0, 3), ('a', 5, 8.5)]
    assert said(find_segments(parts, least=3)) == [('a', 0, 8.5)]
    assert [(moment.start, moment.end) for moment in find_moments(parts)] == [
        (0, 1), (1, 2), (2, 3), (5, 6.5), (6.5, 7), (7, 8.5)
    ]  # fmt: skip


def test_the_last_window_overlaps_more():
    parts = [
        Recognition('x', ('a', 'b'), np.array(row), start, start + 2)
        for row, start in (((1, 0), 0), ((1, 0), 1), ((0, 1), 1.5))
    ]
    assert [(moment.start, moment.end, moment.probabilities[0]) for moment in find_moments(parts)] == [
        (0, 1, 1), (1, 1.5, 1), (1.5, 2, pytest.approx(2 / 3)), (2, 3, 0.5), (3, 3.5, 0)
    ]  # fmt: skip


def test_one_segment_without_an_end_needs_no_memory():
    endless = (Recognition('x', ('a', 'b', 'c'), np.array(A, np.float32), i, i + 2) for i in range(4000))
    tracemalloc.start()
    assert len(list(find_segments(endless))) == 1
    assert tracemalloc.get_traced_memory()[1] < 50_000
    tracemalloc.stop()
