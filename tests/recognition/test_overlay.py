"""What is drawn into frames, and where it is written."""

import av
import numpy as np
import pytest
from PIL import Image

from mmdualformer.recognition import Segment, overlay
from mmdualformer.recognition.overlay import Caption, OverlayVideo, Painter, Stills

GRAY = np.full((400, 500, 3), 100, np.uint8)


def panel(caption: Caption, painter: Painter | None = None, seconds: float = 1.0) -> np.ndarray:
    return (painter or Painter())(GRAY, caption, seconds)[:120].astype(int)


def test_a_frame_is_changed_where_the_panel_is_only():
    drawn = Painter()(GRAY, Caption('a 90 %', ('a', 'b', 'c'), (0.9, 0.05, 0.05)), 1.0)
    assert (GRAY == 100).all() and drawn.shape == GRAY.shape
    assert (drawn[:20] != 100).any() and (drawn[130:] == 100).all()


def test_small_frames_are_enlarged():
    drawn = Painter()(np.full((64, 80, 3), 7, np.uint8), Caption(), 0.0)
    assert drawn.shape == (256, 320, 3) and (drawn[100:] == 7).all()


def test_bars_are_as_long_as_the_scores():
    def blue(score: float) -> int:
        row = panel(Caption('', ('a',), (score,)))[30]
        return int((row[:, 2] > row[:, 0] + 40).sum())

    assert blue(0.0) <= 1
    assert blue(0.8) == pytest.approx(2 * blue(0.4), rel=0.1)


def test_the_time_and_the_name_are_drawn():
    one = panel(Caption('a 90 %'))
    assert (one != panel(Caption('b 90 %'))).any()
    assert (one != panel(Caption('a 90 %'), seconds=1.1)).any()
    assert (one == panel(Caption('a 90 %'), seconds=1.01)).all()


@pytest.mark.parametrize('names', [('квадрат', 'круг'), ('κύκλος', 'γραμμή'), ('正方', '円形'), ('मित्र', 'नमस्ते')])
def test_names_of_any_script_differ(names):
    """Where no font has their characters, these are escapes, and not all the same box."""
    first, second = (panel(Caption(name)) for name in names)
    assert (first != second).any()


def test_what_cannot_be_drawn_is_said_once(monkeypatch):
    monkeypatch.setattr(overlay, '_find_font', lambda text: None)
    said: list[str] = []
    painter = Painter(said.append)
    drawn = panel(Caption('x 正'), painter)
    panel(Caption('方'), painter)
    assert said == ["warning: no font here has all characters of 'x 正'; those are drawn as escapes"]
    assert (drawn == panel(Caption('x \\u6b63'))).all()


def test_long_names_end_in_dots():
    def wide(text: str) -> int:
        return int(np.flatnonzero((panel(Caption(text))[:24] > 200).any((0, 2)))[-1])

    assert wide('long ' * 3) < wide('long ' * 100) < 500
    assert (panel(Caption('long ' * 100)) == panel(Caption('long ' * 100 + 'x'))).all()
    assert (panel(Caption('a\nb')) == panel(Caption('a\\nb'))).all()


def test_a_video_is_there_when_it_is_closed(tmp_path):
    video = OverlayVideo(tmp_path / 'o.mp4', rate=10)
    times = [0.0, 0.1, 0.5, 0.5, 3.0]  # at any distance; the same twice
    for number, seconds in enumerate(times):
        video.write(seconds, np.full((101, 75, 3), 40 * number, np.uint8))
    assert not (tmp_path / 'o.mp4').exists()
    assert video.close() and not video.close()
    video.write(9.0, GRAY)  # of a thread that is not done yet
    with av.open(str(tmp_path / 'o.mp4')) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        assert not container.streams.audio and stream.codec_context.name == 'h264'
    assert (frames[0].width, frames[0].height) == (76, 102)
    assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-4)
    means = [frame.to_ndarray(format='rgb24').mean() for frame in frames]
    assert means == pytest.approx([0, 40, 80, 120, 160], abs=6)
    assert [path.name for path in tmp_path.iterdir()] == ['o.mp4']


def test_odd_sizes_are_not_scaled(tmp_path):
    stripes = np.zeros((101, 75, 3), np.uint8)
    stripes[:, ::2] = 255
    video = OverlayVideo(tmp_path / 'o.mp4', rate=10)
    video.write(0.0, stripes)
    video.close()
    with av.open(str(tmp_path / 'o.mp4')) as container:
        decoded = next(container.decode(video=0)).to_ndarray(format='rgb24')
    assert decoded[:, 1::2].mean() < 60 and decoded[:, :75:2].mean() > 195


def test_a_video_that_is_not_kept_leaves_nothing(tmp_path):
    video = OverlayVideo(tmp_path / 'o.mp4', rate=10)
    video.write(0.0, GRAY)
    assert not video.close(keep=False)
    assert not OverlayVideo(tmp_path / 'p.mp4', rate=10).close()
    assert list(tmp_path.iterdir()) == []


def test_names_of_stills_are_safe(tmp_path):
    stills = Stills(tmp_path / 'new', Painter())
    names = [
        stills.write(source, Segment(start, 9, 0, name, 0.9), 1.0, GRAY).name
        for source, start, name in (
            ('clips/talk.mp4', 12.44, 'square'),
            ('other/talk.mp4', 12.44, 'SQUARE'),
            ('talk.mp4', 12.44, 'square'),
            ('rtsp://host/..', 0, '../../etc/passwd'),
            ('a.mp4', 0, '方' * 200),
            ('.hidden', 3600, '...'),
        )
    ]
    assert names[:4] == [
        'talk-0012.4-square.jpg',
        'talk-0012.4-SQUARE-2.jpg',
        'talk-0012.4-square-3.jpg',
        '_-0000.0-_.._etc_passwd.jpg',
    ]
    assert names[5] == 'hidden-3600.0-_.jpg'
    assert sorted(path.name for path in (tmp_path / 'new').iterdir()) == sorted(names)
    assert Image.open(tmp_path / 'new' / names[4]).size == (500, 400)
