"""Long videos and streams, from their frames to rows."""

import csv
import json
import signal
import time
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest

from mmdualformer import signals
from mmdualformer.recognition.bulk import Listing
from mmdualformer.recognition.results import Failure
from mmdualformer.recognition.segments import find_segments
from mmdualformer.recognition.watching import LONG, Rows, Watching, _Captions, long_seconds, watch_all
from tests.helpers import assert_one_line, break_off, turn, write_video
from tests.recognition.lights import feeding, make_recognizer, write_lights
from tests.running import LIMIT, Running


@pytest.fixture(scope='module')
def ten_minutes(tmp_path_factory) -> str:
    """Ten minutes at five frames a second, which are light for six seconds."""
    return write_lights(tmp_path_factory.mktemp('long') / 'long.mp4', 600, (400, 406))


def watch(source, kind='jsonl', windows=False, recognizer=None, listing=None, **how):
    """Text of the rows, how many sources have none, and what is said besides."""
    said: list[str] = []
    rows = Rows(kind, windows, topk=2)
    listing = listing or Listing([str(source)])
    texts = list(watch_all(recognizer or make_recognizer(), listing, Watching(**how), rows, said.append))
    return ''.join(text for text, _ in texts), sum(failed for _, failed in texts), said


def test_a_long_file(ten_minutes):
    text, failed, said = watch(ten_minutes, window=2, step=1)
    rows = [json.loads(line) for line in text.splitlines()]
    assert [(row['name'], row['start'], row['end']) for row in rows] == [
        ('dark', 0, 400),
        ('light', 400, 406),
        ('dark', 406, 600),
    ]
    assert all(row['score'] > 0.85 and row['source'] == ten_minutes for row in rows)
    assert (failed, said) == (0, [])


def test_memory_does_not_grow_with_the_file(ten_minutes, tmp_path):
    def peak(path: str) -> int:
        tracemalloc.start()
        for _ in recognizer.watch(path, window=10, step=10):
            pass
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    recognizer = make_recognizer()
    short = write_lights(tmp_path / 'short.mp4', 60)
    peak(short)  # what is loaded once
    frames = 2700 * 64 * 64 * 3  # those that the long one has more
    assert peak(ten_minutes) - peak(short) < frames / 10


def test_what_is_long(ten_minutes, tmp_path):
    assert long_seconds(ten_minutes) == pytest.approx(600)
    assert long_seconds(write_lights(tmp_path / 'a.mp4', LONG)) is None
    (tmp_path / 'b.mp4').write_bytes(b'no video')
    for path in (tmp_path / 'b.mp4', tmp_path / 'c.mp4', tmp_path):
        assert long_seconds(str(path)) is None


def test_rows_as_text_and_as_tables(tmp_path):
    path = write_lights(tmp_path / 'a.mp4', 8, (4, 8))
    how = dict(window=2, step=2)
    assert watch(path, 'text', **how)[0].splitlines() == [
        path,
        '0:00.0 - 0:04.0  dark 100 %',
        '0:04.0 - 0:08.0  light 98 %',
    ]
    (head, *records) = csv.reader(watch(path, 'csv', **how)[0].splitlines())
    assert head == ['source', 'start', 'end', 'name', 'score', 'error']
    assert [record[:4] for record in records] == [[path, '0.0', '4.0', 'dark'], [path, '4.0', '8.0', 'light']]
    (head, *records) = csv.reader(watch(path, 'csv', windows=True, **how)[0].splitlines())
    assert head == ['source', 'start', 'end', 'name_1', 'score_1', 'name_2', 'score_2', 'error']
    assert [record[1:4] for record in records] == [
        ['0.0', '2.0', 'dark'],
        ['2.0', '4.0', 'dark'],
        ['4.0', '6.0', 'light'],
        ['6.0', '8.0', 'light'],
    ]
    first = json.loads(watch(path, windows=True, **how)[0].splitlines()[0])
    assert (first['start'], first['end'], first['names']) == (0, 2, ['dark', 'light'])
    assert watch(path, 'text', windows=True, **how)[0].splitlines()[1] == '0:00.0 - 0:02.0  dark 100 %, light 0 %'


def test_threshold_and_least(tmp_path):
    path = write_lights(tmp_path / 'a.mp4', 8, (4, 5))
    assert len(watch(path, window=1, step=1)[0].splitlines()) == 3
    assert len(watch(path, window=1, step=1, least=2)[0].splitlines()) == 1
    assert len(watch(path, window=1, step=1, threshold=0.99)[0].splitlines()) == 2


def test_one_that_cannot_be_read_ends_nothing(tmp_path):
    good = write_lights(tmp_path / 'good.mp4', 2)
    (tmp_path / 'bad.mp4').write_bytes(b'no video')
    bad, folder = str(tmp_path / 'bad.mp4'), str(tmp_path / 'empty')
    listing = Listing([bad, folder, good], {1: f'folder {folder!r} has no video'})
    text, failed, said = watch(None, listing=listing, window=1)
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row['source'] for row in rows] == [bad, folder, good]
    assert ['error' in row for row in rows] == [True, True, False]
    assert failed == 2 and len(said) == 2 and all(line.startswith('error: ') for line in said)
    assert watch(bad, 'text')[0] == ''
    assert Rows('csv', False, 2).row('x', Failure('x', 'gone')) == 'x,,,,,gone\n'


def test_damage_is_said_once(tmp_path):
    path = write_video(tmp_path / 'a.mp4')
    break_off(path)
    _, failed, said = watch(path, window=0.25)
    assert failed == 0
    (line,) = said
    assert line.startswith(f'warning: video {path!r} is damaged')


def test_an_overlay_of_a_file_shows_what_its_rows_say(tmp_path):
    """Its time stamps are those of the file, and the bars change where the segments do."""
    path = write_lights(tmp_path / 'a.mp4', 8, (4, 8), size=(91, 121), pix_fmt='yuv444p')
    watch(path, window=2, step=2, overlay=tmp_path / 'o.mp4')
    with av.open(str(tmp_path / 'o.mp4')) as container:
        frames = list(container.decode(video=0))
    assert (frames[0].width, frames[0].height) == (274, 364)  # 91 and 121 by three, and even
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(40) / 5, atol=1e-4)
    panels = [frame.to_ndarray(format='rgb24')[:70].astype(int) for frame in frames]
    dark, light = panels[10], panels[30]
    assert abs(panels[19] - dark).mean() < 5 < abs(light - dark).mean()
    assert not list(tmp_path.glob('*.part'))


def test_a_caption_says_what_is_known_of_its_moment(tmp_path):
    path = write_lights(tmp_path / 'a.mp4', 8, (4, 8))
    windows = list(make_recognizer().watch(path, window=2, step=1))
    captions = _Captions(windows, list(find_segments(windows)))
    seen = [captions.at(seconds) for seconds in (0.0, 3.5, 4.5, 7.9)]
    assert [caption.names[0] for caption in seen] == ['dark', 'dark', 'light', 'light']
    assert [caption.shown.split()[0] for caption in seen] == ['dark', 'dark', 'light', 'light']
    assert seen[1].scores[0] == pytest.approx(0.75, abs=0.02)


def test_an_overlay_is_upright(tmp_path):
    path = write_lights(tmp_path / 'a.mp4', 1, size=(320, 256))
    turn(Path(path))
    watch(path, window=1, overlay=tmp_path / 'o.mp4')
    with av.open(str(tmp_path / 'o.mp4')) as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height, frame.rotation) == (256, 320, 0)


def test_a_still_of_each_segment(tmp_path):
    path = write_lights(tmp_path / 'a.mp4', 8, (4, 8))
    watch(path, window=2, step=2, stills=tmp_path / 'stills')
    assert sorted(file.name for file in (tmp_path / 'stills').iterdir()) == [
        'a-0000.0-dark.jpg',
        'a-0004.0-light.jpg',
    ]


def test_overlay_and_stills_of_a_stream(tmp_path):
    content = Path(write_lights(tmp_path / 'a.ts', 8, (4, 8))).read_bytes()
    with feeding(tmp_path / 'pipe', content, times=1):
        how = dict(window=2, step=2, overlay=tmp_path / 'o.mp4', stills=tmp_path / 'stills')
        text, failed, said = watch(tmp_path / 'pipe', **how)
    assert (failed, said) == (0, [])
    assert [json.loads(line)['name'] for line in text.splitlines()] == ['dark', 'light']
    with av.open(str(tmp_path / 'o.mp4')) as container:
        assert sum(1 for _ in container.decode(video=0)) == 40
    stills = sorted((tmp_path / 'stills').iterdir())
    assert len(stills) == 2
    means = [av.open(str(still)).decode(video=0).__next__().to_ndarray(format='rgb24')[-50:].mean() for still in stills]
    assert means[0] < 20 and means[1] > 230


def test_a_signal_ends_it_with_what_is_known(ten_minutes, monkeypatch, tmp_path):
    recognizer = make_recognizer()
    asked: list[int] = []
    recognizer.scorer.model.look = lambda: asked.append(1)
    monkeypatch.setattr(signals, 'received', lambda: signal.SIGINT if len(asked) >= 5 else 0)
    text, failed, _ = watch(ten_minutes, recognizer=recognizer, window=2, step=1, overlay=tmp_path / 'o.mp4')
    (row,) = map(json.loads, text.splitlines())
    assert (row['start'], row['end'], failed) == (0, 6, 0)
    assert list(tmp_path.iterdir()) == []  # an overlay of a file is written from its start, once all is known


def test_ctrl_c_of_a_stream_without_an_end(checkpoints, tmp_path):
    content = Path(write_lights(tmp_path / 'a.ts', 4, (2, 4))).read_bytes()
    with feeding(tmp_path / 'pipe', content) as written:
        process = Running(
            tmp_path / 'run',
            *('tools/recognize.py', checkpoints['vmf'], tmp_path / 'pipe', '--device', 'cpu', '--window', 2),
            *('--threshold', 0, '--out', tmp_path / 'rows.jsonl', '--overlay', tmp_path / 'o.mp4'),
        )
        deadline = time.monotonic() + LIMIT
        while len(written) < 14 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send(signal.SIGINT)
        assert process.end() == 130
    assert process.stderr == 'stopped by SIGINT (Ctrl-C)'
    rows = [json.loads(line) for line in (tmp_path / 'rows.jsonl').read_text().splitlines()]
    assert rows and rows[-1]['end'] > 4
    with av.open(str(tmp_path / 'o.mp4')) as container:
        assert container.duration > 4 * av.time_base


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (('-', 'a.mp4'), "stream '-' must be the only input"),
        (('rtsp://u:secret@h/a', '--whole'), '--whole does not go with a stream'),
        (('a.mp4', '--window', 2, '--resume', '--out', 'a.csv'), '--resume does not go with --window'),
        (('a.mp4', '--window', 2, '--format', 'parquet', '--out', 'a'), 'parquet does not go with --window; take text'),
        (('a.mp4', '--threshold', 0.5), '--threshold is of segments; give --window too'),
        (('a.mp4', 'b.mp4', '--overlay', 'o.mp4'), "--overlay 'o.mp4' is of one video, and 2 are given"),
        (('a.mp4', '--overlay', 'o.avi'), "--overlay 'o.avi' must end in .mp4"),
        (('x.mp4', '--overlay', 'x.mp4'), "--overlay 'x.mp4' is the video itself"),
        (
            ('x.mp4', '--window', 1, '--step', 2, '--out', 'a.csv'),
            'window=1 s must be positive, and step=2 s positive and at most',
        ),
        (('x.mp4', '--window', 1, '--out', 'x.mp4', '--format', 'csv'), "--out 'x.mp4' is there already"),
    ],
)
def test_options_that_do_not_fit(fork_tool, tmp_path, checkpoints, arguments, said):
    write_lights(tmp_path / 'x.mp4', 2)
    result = fork_tool('tools/recognize.py', checkpoints['vmf'], '--device', 'cpu', *arguments)
    assert_one_line(result, said)
    assert 'secret' not in result.stderr
    assert not (tmp_path / 'a.csv').exists()


def test_a_long_file_from_the_command_line(fork_tool, checkpoints, tmp_path):
    path = write_lights(tmp_path / 'a.mp4', 62, rate=2)
    command = ('tools/recognize.py', checkpoints['vmf'], path, '--device', 'cpu')
    watched = fork_tool(*command, '--threshold', 0)
    assert watched.returncode == 0, watched.stderr
    assert watched.stderr == f'{path} is 1:02.0 long, so it is scored in windows; --whole scores it as one\n'
    assert watched.stdout.startswith(f'{path}\n0:00.0 - ')
    whole = fork_tool(*command, '--whole', '--topk', 1)
    assert (whole.returncode, whole.stderr) == (0, '')
    assert len(whole.stdout.splitlines()) == 2 and ' - ' not in whole.stdout
