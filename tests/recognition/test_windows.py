"""Windows over frames that come one by one."""

import numpy as np
import pytest

from mmdualformer.errors import UserError
from mmdualformer.recognition.windows import MOST, slide


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


@pytest.mark.parametrize(('length', 'step'), [(0, 0), (1, 0), (1, 2), (float('nan'), 1)])
def test_windows_that_cannot_be(length, step):
    with pytest.raises(UserError, match='must be positive'):
        list(slide(numbered([0]), length, step, 4))
