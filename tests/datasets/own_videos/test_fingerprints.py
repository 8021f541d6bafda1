"""Clips of one place, in which a square moves another way in each, and copies of them."""

import av
import numpy as np
import pytest

from mmdualformer.datasets.own_videos import find_near_duplicates
from mmdualformer.datasets.own_videos.fingerprints import FRAMES, SIZE, fingerprint
from mmdualformer.video import open_video

FRAME_RATE = 30


def make_frames(place: int, motion: int, count: int = 48, size: int = 96) -> list[np.ndarray]:
    """Frames of a room, in which a square flies to and fro."""
    room = (
        np.random.default_rng(place)
        .integers(0, 255, (8, 8, 3))
        .astype(np.uint8)
        .repeat(size // 8, 0)
        .repeat(size // 8, 1)
    )
    rng = np.random.default_rng(1000 + motion)
    (y, x), (dy, dx) = rng.uniform(0, size - 24, 2), rng.uniform(1, 4, 2)
    frames = []
    for i in range(count):
        frame = room.copy()
        top, left = (int(abs((at + i * step) % (2 * (size - 24)) - (size - 24))) for at, step in ((y, dy), (x, dx)))
        frame[top : top + 24, left : left + 24] = 220
        frames.append(frame)
    return frames


def write(path, frames, size=96, rate=FRAME_RATE, **options) -> np.ndarray:
    """Encode frames; their fingerprint."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=rate, options=options)
        stream.width = stream.height = size
        stream.pix_fmt = 'yuv420p'
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24').reformat(size, size)))
        container.mux(stream.encode(None))
    with open_video(str(path)) as video:
        return fingerprint(video)


@pytest.fixture(scope='module')
def clips(tmp_path_factory) -> dict:
    root = tmp_path_factory.mktemp('clips')
    return {
        (place, motion): write(root / f'{place}_{motion}.mp4', make_frames(place, motion))
        for place in range(2)
        for motion in range(8)
    }


def test_recordings_of_one_room_are_no_duplicates(clips):
    assert find_near_duplicates(clips) == []
    assert find_near_duplicates({}) == []


@pytest.mark.parametrize(
    ('cut', 'options'),
    [
        (slice(None), dict(crf='38')),
        (slice(None), dict(size=64)),
        (slice(None), dict(size=192)),
        (slice(4, -3), dict()),
        (slice(0, None, 2), dict(rate=FRAME_RATE // 2)),
    ],
    ids=['encoded worse', 'smaller', 'larger', 'cut at both ends', 'every other frame'],
)
def test_copies_are_found(clips, tmp_path, cut, options):
    copies = {
        ('copy', motion): write(tmp_path / 'a.mp4', make_frames(0, motion)[cut], **options) for motion in range(4)
    }
    expected = [((0, motion), ('copy', motion)) for motion in range(4)]
    assert sorted(find_near_duplicates({**clips, **copies}), key=str) == expected


def test_mirrored_clips_are_none(clips, tmp_path):
    mirrored = [frame[:, ::-1] for frame in make_frames(0, 0)]
    assert not find_near_duplicates(
        {**clips, 'mirrored': write(tmp_path / 'a.mp4', map(np.ascontiguousarray, mirrored))}
    )


def test_frames_that_show_nothing_are_no_duplicates(tmp_path):
    black = [np.full((96, 96, 3), level, np.uint8) for level in (16,) * 20]
    prints = {i: write(tmp_path / 'a.mp4', black, crf=str(20 + i)) for i in range(2)}
    assert prints[0].shape == (3, FRAMES, SIZE, SIZE) and prints[0].dtype == np.uint8
    assert not find_near_duplicates(prints)


@pytest.mark.parametrize('count', [1, 2, 5])
def test_short_videos_have_fingerprints_too(tmp_path, count):
    small = write(tmp_path / 'a.mp4', make_frames(0, 0, count))
    assert find_near_duplicates({'a': small, 'b': small, 'c': small[:, ::-1]})[0] == ('a', 'b')


def test_rest_at_both_ends_is_no_duplicate(clips):
    """Many recordings start and end with the same person at rest."""
    rest = clips[0, 0]
    recordings = {motion: np.stack([rest[0], clips[0, motion][1], rest[2]]) for motion in (0, 1, 2, 3, 5, 7)}
    assert not find_near_duplicates(recordings)
