"""Windows over frames that come one by one."""

import numpy as np
import pytest

from mmdualformer.errors import UserError
from mmdualformer.recognition.windows import MOST, Clock, slide


def numbered(times):
    """Frames, each of which says its number."""
    for number, time in enumerate(times):
        yield time, np.full((2, 2, 3), number % 256, np.uint8)


def shown(windows) -> list[tuple]:
    """Beginning, end and numbers of the frames of each window."""
    return [
        (
            round(window.start, 3),
            round(window.end, 3),
            [int(frame[0, 0, 0]) for frame in window.frames.get_frames(range(len(window.frames)))],
        )
        for window in windows
    ]


def test_each_frame_is_in_a_window():
    assert shown(slide(numbered(np.arange(10) / 4), length=1, step=0.5, rate=4)) == [
        (0, 1, [0, 1, 2, 3]),
        (0.5, 1.5, [2, 3, 4, 5]),
        (1, 2, [4, 5, 6, 7]),
        (1.5, 2.5, [6, 7, 8, 9]),
    ]


def test_the_last_window_ends_with_the_last_frame():
    assert shown(slide(numbered(np.arange(7) / 4), length=1, step=1, rate=4)) == [
        (0, 1, [0, 1, 2, 3]),
        (0.75, 1.75, [3, 4, 5, 6]),
    ]


def test_a_video_shorter_than_a_window_is_one():
    assert shown(slide(numbered([5.0, 5.25]), length=2, step=1, rate=4)) == [(0, 0.5, [0, 1])]
    assert shown(slide(numbered([]), length=2, step=1, rate=4)) == []


def test_windows_come_as_soon_as_they_are_full():
    frames = numbered(np.arange(1000) / 4)
    windows = slide(frames, length=1, step=0.5, rate=4)
    next(windows)
    assert int(next(frames)[1][0, 0, 0]) == 5  # the frame that is beyond the first window has been taken


def test_times_that_jump():
    times = [0, 0.25, 0.5, 0.75, 1e6, 1e6 + 0.25, 1e6 + 0.5, 1e6 + 0.75, 1e6 + 1]
    windows = shown(slide(numbered(times), length=1, step=1, rate=4))
    assert windows[0] == (0, 1, [0, 1, 2, 3])
    assert {number for *_, numbers in windows[1:] for number in numbers} == {4, 5, 6, 7, 8}
    assert len(windows) <= 4


def test_times_that_do_not_rise_count_as_one_frame_later():
    assert shown(slide(numbered([0, 0, 0, 0, -5, 0]), length=1, step=1, rate=4)) == [
        (0, 1, [0, 1, 2, 3]),
        (0.5, 1.5, [2, 3, 4, 5]),
    ]


def test_few_frames_are_kept():
    kept = max(len(window.frames) for window in slide(numbered(np.arange(9000) / 3000), length=1, step=1, rate=3000))
    assert MOST / 2 <= kept <= MOST


def test_few_frames_are_kept_where_the_rate_is_told_wrong():
    kept = max(len(window.frames) for window in slide(numbered(np.arange(9000) / 3000), length=1, step=1, rate=1))
    assert MOST / 2 <= kept <= MOST


@pytest.mark.parametrize(
    ('given', 'risen'),
    [
        ([10, 10.25, 10.5], [0, 0.25, 0.5]),
        ([0, 3, 3.25, 100], [0, 3, 3.25, 100]),  # a gap stays one
        ([0, 0.5, 0.25, 0.75, 1], [0, 0.5, 0.75, 1, 1.25]),  # two in a wrong order: times catch up later
        ([0, 0.5, 0.25, 0.75, 1, 1.5], [0, 0.5, 0.75, 1, 1.25, 1.5]),
        ([0, 1, 2, 0, 1, 2, 0], [0, 1, 2, 2.25, 3.25, 4.25, 4.5]),  # a loop
        ([7, None, float('nan'), 8], [0, 0.25, 0.5, 1]),
        ([float('nan'), 5, 6], [0, 0.25, 1.25]),
        ([0, 1, -1e9, 2], [0, 1, 1.25, 2]),  # one time that is wrong
    ],
)
def test_times_rise(given, risen):
    clock = Clock(rate=4)
    assert [clock(time) for time in given] == pytest.approx(risen)


def test_windows_know_the_numbers_of_their_frames():
    windows = slide(numbered([0, 0.25, 0.5, 5, 5.25, 5.5, 5.75]), length=1, step=1, rate=4)
    assert [(window.first, window.last) for window in windows] == [(0, 2), (3, 6)]


def test_one_frame_is_a_window():
    assert shown(slide(numbered([3.0]), length=2, step=1, rate=4)) == [(0, 0.25, [0])]


def test_frames_that_change_their_size():
    frames = [(0, np.zeros((2, 2, 3), np.uint8)), (0.5, np.zeros((4, 2, 3), np.uint8))]
    with pytest.raises(UserError, match=r'frame 1 is of shape \[4, 2, 3\]'):
        list(slide(frames, length=1, step=1, rate=4))
    with pytest.raises(UserError, match='fps=0 must be positive'):
        list(slide(frames, length=1, step=1, rate=0))


@pytest.mark.parametrize(('length', 'step'), [(0, 0), (1, 0), (1, 2), (float('nan'), 1)])
def test_windows_that_cannot_be(length, step):
    with pytest.raises(UserError, match='must be positive'):
        list(slide(numbered([0]), length, step, 4))
