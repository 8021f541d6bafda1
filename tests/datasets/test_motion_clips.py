import itertools

import cv2
import decord
import numpy as np
import pytest

from mmdualformer.datasets.motion_clips import CLASSES, SHOT_FRAMES, draw_clip, write_video
from mmdualformer.errors import UserError


def shot_motions(clip: np.ndarray) -> list:
    """Median optical flow and rotation of each shot, as (right, down, clockwise)."""
    motions = []
    for shot in range(3):
        frames = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in clip[shot * SHOT_FRAMES : (shot + 1) * SHOT_FRAMES]]
        flow = np.mean(
            [cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 3, 15, 3, 5, 1.1, 0) for a, b in itertools.pairwise(frames)],
            axis=0,
        )
        y, x = np.mgrid[: flow.shape[0], : flow.shape[1]] - (flow.shape[0] - 1) / 2
        right, down = flow[8:-8, 8:-8].mean((0, 1))
        clockwise = (x * flow[..., 1] - y * flow[..., 0])[8:-8, 8:-8].mean() / 20
        motions.append((right, down, clockwise))
    return motions


@pytest.mark.parametrize('label', range(8))
def test_classes_move_as_they_are_named(label):
    right, down, clockwise = (
        max((motion[axis] for motion in shot_motions(draw_clip(label, seed=100 + label))), key=abs) for axis in range(3)
    )
    expected = '-'.join(
        (
            ('left', 'right')[int(right > 0)],
            ('up', 'down')[int(down > 0)],
            ('counterclockwise', 'clockwise')[int(clockwise > 0)],
        )
    )
    assert CLASSES[label] == expected


def test_a_frame_alone_tells_nothing():
    """All classes of a seed show the same places, from the same start; only the steps differ."""
    clips = [draw_clip(label, seed=3) for label in range(8)]
    for clip in clips[1:]:
        for first in range(0, 18, SHOT_FRAMES):
            np.testing.assert_array_equal(clip[first], clips[0][first])
        assert not np.array_equal(clip, clips[0])


def test_places_have_no_border():
    """The world repeats itself; a border would be black."""
    clips = np.stack([draw_clip(seed % 8, seed) for seed in range(8)])
    assert (clips == 0).all(-1).mean() < 0.01


def test_a_shot_backwards_is_a_shot_of_the_opposite_class():
    """So no order-free summary of the frames tells a class from its opposite."""
    right, left = (shot_motions(draw_clip(label, seed=5)) for label in (7, 0))
    backwards = shot_motions(np.concatenate([part[::-1] for part in np.split(draw_clip(0, seed=5), 3)]))
    for axis in range(3):
        signs = [np.sign(max((m[axis] for m in motions), key=abs)) for motions in (right, left, backwards)]
        assert signs[0] == -signs[1] == signs[2]


def test_files_are_real_videos_with_their_lists(motion_root):
    assert (motion_root / 'label_map.txt').read_text().split() == list(CLASSES)
    for split, count in (('train', 16), ('val', 8)):
        lines = [line.split() for line in (motion_root / f'{split}.txt').read_text().splitlines()]
        assert [int(label) for _, label in lines] == [i % 8 for i in range(count)]
        for name, label in lines:
            assert CLASSES[int(label)] in name
            frames = decord.VideoReader(str(motion_root / f'videos_{split}' / name))[:].asnumpy()
            assert frames.shape == (18, 64, 64, 3)
    # training and validation clips are drawn apart
    assert np.abs(frames.astype(int) - draw_clip(7, seed=16 + 7)).mean() < 12


def test_an_unwritable_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r'nowhere.*cannot be written'):
        write_video(tmp_path / 'nowhere' / 'clip.mp4', np.zeros((2, 16, 16, 3), np.uint8))
