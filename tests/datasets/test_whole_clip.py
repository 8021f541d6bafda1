import numpy as np
import pytest

from mmdualformer.datasets import RandomPart, SampleEvenly
from mmdualformer.errors import UserError


def test_a_test_clip_has_the_middle_of_each_span():
    sampled = SampleEvenly(clip_len=4, test_mode=True)(dict(total_frames=40, start_index=0))
    assert sampled['frame_inds'].tolist() == [5, 15, 25, 35]
    assert (sampled['clip_len'], sampled['num_clips']) == (4, 1)
    two = SampleEvenly(clip_len=4, num_clips=2, test_mode=True)(dict(total_frames=40, start_index=1))
    assert two['frame_inds'].tolist() == [3, 13, 23, 33, 8, 18, 28, 38]


def test_a_short_video_repeats_its_frames():
    for total in (1, 2, 3):
        frames = SampleEvenly(clip_len=16, test_mode=True)(dict(total_frames=total))['frame_inds']
        assert sorted(set(frames)) == list(range(total)) and (np.diff(frames) >= 0).all()


def test_time_counts_and_not_the_number_of_a_frame():
    """Thirty frames in the first second, and four in the second: half of the clip is from each."""
    times = np.concatenate([np.arange(30) / 30, [1.0, 1.25, 1.5, 1.75]])
    frames = SampleEvenly(clip_len=8, test_mode=True)(dict(total_frames=34, frame_times=times))['frame_inds']
    assert (frames < 30).sum() == 4 and frames[-1] == 32
    slow, fast = (
        SampleEvenly(clip_len=8, test_mode=True)(dict(total_frames=n, frame_times=np.arange(n) / n))['frame_inds'] / n
        for n in (40, 400)
    )
    assert abs(slow - fast).max() <= 1 / 40


def test_training_clips_cover_what_they_must():
    np.random.seed(0)
    sample = SampleEvenly(clip_len=10, cover=0.5)
    clips = np.stack([sample(dict(total_frames=1000))['frame_inds'] for _ in range(300)])
    spans = np.ptp(clips, axis=1)
    assert (np.diff(clips, axis=1) >= 0).all() and clips.min() >= 0 and clips.max() <= 999
    assert 360 < spans.min() < 520 and spans.max() > 900
    whole = np.stack([SampleEvenly(10, cover=1)(dict(total_frames=1000))['frame_inds'] for _ in range(50)])
    assert ((whole // 100) == np.arange(10)).all() and whole.std(axis=0).min() > 10


def test_what_is_out_of_range_is_named():
    for arguments, message in (
        (dict(clip_len=0), 'SampleEvenly.clip_len=0'),
        (dict(clip_len=4, num_clips=0), 'SampleEvenly.num_clips=0'),
        (dict(clip_len=4, cover=0), 'SampleEvenly.cover=0'),
    ):
        with pytest.raises(UserError, match=message):
            SampleEvenly(**arguments)
    with pytest.raises(UserError, match=r'RandomPart\.share=0'):
        RandomPart(share=0)
    with pytest.raises(UserError, match=r'RandomPart\.stretch=0\.5'):
        RandomPart(stretch=0.5)


def test_a_part_has_the_shape_of_the_frames_and_is_anywhere():
    np.random.seed(0)
    image = np.arange(180 * 320).reshape(180, 320, 1)
    shapes, corners = [], []
    for _ in range(300):
        part = RandomPart(share=0.5, stretch=1.25)(dict(imgs=[image, image], img_shape=(180, 320)))
        assert part['imgs'][0].shape[:2] == part['img_shape'] and (part['imgs'][0] == part['imgs'][1]).all()
        shapes.append(part['img_shape'])
        corners.append(divmod(part['imgs'][0][0, 0, 0], 320))
    shapes, corners = np.array(shapes), np.array(corners)
    shares = shapes.prod(axis=1) / image.size
    assert 0.4 < shares.min() < 0.55 and shares.max() > 0.95
    stretches = shapes[:, 1] / shapes[:, 0] / (320 / 180)
    assert 0.78 < stretches.min() and stretches.max() < 1.28 and stretches.std() > 0.06
    assert (corners.min(axis=0) == 0).all() and (corners.max(axis=0) > (30, 60)).all()
    assert RandomPart(share=1, stretch=1)(dict(imgs=[image], img_shape=(180, 320)))['img_shape'] == (180, 320)
