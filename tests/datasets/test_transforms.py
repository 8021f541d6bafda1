import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from PIL import Image

from mmdualformer.datasets import PillowResize, RandAugment, ShuffleFrames, transforms
from mmdualformer.errors import UserError

FILL = (1, 2, 3)
NOISE = np.random.default_rng(0).integers(0, 256, (20, 40, 3), dtype=np.uint8)


def operate(name: str, image: np.ndarray, strength: float) -> np.ndarray:
    return np.array(transforms._OPERATIONS[name](Image.fromarray(image), strength, FILL))


def sample(num_frames: int, **settings) -> np.ndarray:
    """Frames of each clip, ``[num_clips, clip_len]``."""
    results = TRANSFORMS.build(settings)(dict(total_frames=num_frames, start_index=0))
    return results['frame_inds'].reshape(results['num_clips'], results['clip_len'])


CENTRED = dict(type='ReleasedSampleFrames', release='dualformer', clip_len=32, frame_interval=2, test_mode=True)
FROM_STARTS = dict(type='ReleasedSampleFrames', release='vidtr', clip_len=8, frame_interval=8, test_mode=True)


@pytest.mark.parametrize(
    ('settings', 'num_frames', 'starts'),
    [
        (dict(CENTRED, num_clips=4), 300, [29, 88, 148, 207]),
        (dict(CENTRED, num_clips=1), 300, [118]),
        (dict(CENTRED, num_clips=4), 64, [0, 0, 0, 0]),
        (dict(CENTRED, num_clips=4), 63, [0, 0, 0, 0]),
        (dict(FROM_STARTS, num_clips=10), 300, [0, 23, 47, 71, 94, 118, 142, 165, 189, 213]),
        (dict(FROM_STARTS, num_clips=10), 50, [0] * 10),
    ],
)
def test_test_clips_start_where_those_of_the_released_code_do(settings, num_frames, starts):
    frames = sample(num_frames, **settings)
    assert frames[:, 0].tolist() == starts
    span = (settings['clip_len'] - 1) * settings['frame_interval'] + 1
    if num_frames > span:
        assert (np.diff(frames, axis=1) == settings['frame_interval']).all()


def test_short_videos_repeat_their_last_frame_or_begin_again_as_in_the_released_code():
    assert sample(50, **FROM_STARTS, num_clips=1).tolist() == [[0, 8, 16, 24, 32, 40, 48, 48]]
    assert sample(20, **CENTRED, num_clips=1)[0, :12].tolist() == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 0, 2]


@pytest.mark.parametrize(
    ('num_frames', 'frames'),
    [
        (300, [0, 9, 18, 27, 36, 45, 54, 63]),
        (64, [0, 9, 18, 27, 36, 45, 54, 63]),
        (50, [0, 10, 20, 30, 40, 49, 49, 49]),
        (7, [0, 0, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_frames_of_vidtrs_training_clips_are_spread_from_end_to_end(num_frames, frames):
    np.random.seed(0)
    training = dict(type='ReleasedSampleFrames', release='vidtr', clip_len=8, frame_interval=8)
    clips = np.concatenate([sample(num_frames, **training) for _ in range(50)])
    assert (clips - clips[:, :1] == frames).all()
    assert clips.min() >= 0 and clips.max() < num_frames
    assert (len(set(clips[:, 0])) > 10) is (num_frames > 64)


def test_an_unknown_release_is_one_line():
    with pytest.raises(UserError, match=r"release='swin' must be 'dualformer' or 'vidtr'"):
        sample(300, **{**CENTRED, 'release': 'swin'})


def test_frames_are_shuffled():
    np.random.seed(0)
    shuffled = ShuffleFrames()(dict(imgs=list(range(20))))['imgs']
    assert shuffled != list(range(20)) and sorted(shuffled) == list(range(20))


def test_pillow_resize_does_not_alias():
    """A pattern finer than the new pixels becomes grey; OpenCV's filter picks single pixels of it."""
    stripes = np.tile(np.array([0, 0, 0, 200], np.uint8)[None, :, None], (64, 16, 3))
    results = dict(imgs=[stripes], img_shape=(64, 64), modality='RGB')
    settings = dict(scale=(-1, 16), interpolation='bicubic')
    resized = PillowResize(**settings)(dict(results))
    assert resized['img_shape'] == (16, 16)
    assert abs(resized['imgs'][0][4:12, 4:12].astype(int) - 50).max() <= 1
    aliased = TRANSFORMS.build(dict(type='Resize', **settings))(dict(results))['imgs'][0][4:12, 4:12]
    assert abs(aliased.astype(int) - 50).max() > 20


class TestRandAugment:
    """Against ``rand-m9-mstd0.5-inc1``: what each operation does at a strength, and how often it does."""

    @pytest.mark.parametrize(
        ('name', 'strength', 'values'),
        [
            ('invert', 0.9, {0: 255, 100: 155}),
            ('posterize', 0.9, {127: 0, 128: 128, 255: 128}),
            ('posterize', 0.3, {0b10101111: 0b10100000}),
            ('posterize', 1, {127: 0, 255: 128}),
            ('solarize', 0.9, {25: 25, 26: 229, 255: 0}),
            ('solarize_add', 0.9, {10: 109, 127: 226, 128: 128}),
            ('brightness', 0.9, {100: 181, 200: 255}),
            ('brightness', -0.9, {100: 19}),
            ('brightness', -1, {100: 10}),
        ],
    )
    def test_maps_of_values(self, name, strength, values):
        for value, expected in values.items():
            flat = np.full((2, 3, 3), value, np.uint8)
            assert (operate(name, flat, strength) == expected).all()
            if name != 'brightness':
                assert (operate(name, flat, -strength) == expected).all()

    @pytest.mark.parametrize('name', ['color', 'contrast', 'sharpness'])
    def test_enhancements_go_both_ways(self, name):
        spread = [operate(name, NOISE, strength).astype(int) for strength in (-0.9, 0, 0.4)]
        np.testing.assert_array_equal(spread[1], NOISE)
        deviation = [image.std(-1).mean() if name == 'color' else image.std() for image in spread]
        assert deviation[0] < deviation[1] < deviation[2]

    @pytest.mark.parametrize('name', ['auto_contrast', 'equalize'])
    def test_what_has_no_strength_uses_the_whole_range(self, name):
        narrow = (100 + NOISE // 8).astype(np.uint8)
        stretched = operate(name, narrow, 0.1)
        assert stretched.min() == 0 and stretched.max() == 255
        np.testing.assert_array_equal(stretched, operate(name, narrow, -1))

    @pytest.mark.parametrize(('name', 'axis', 'length'), [('translate_x', 1, 40), ('translate_y', 0, 20)])
    def test_translations(self, name, axis, length):
        """By 0.45 of the side at full strength, to either side."""
        shift = round(0.45 * length)
        source = NOISE.swapaxes(0, axis)
        left = operate(name, NOISE, 1).swapaxes(0, axis)
        np.testing.assert_array_equal(left[:-shift], source[shift:])
        assert (left[-shift:] == FILL).all()
        right = operate(name, NOISE, -1).swapaxes(0, axis)
        np.testing.assert_array_equal(right[shift:], source[:-shift])
        assert (right[:shift] == FILL).all()

    @pytest.mark.parametrize(('name', 'empty'), [('shear_x', 0.3 / 2), ('shear_y', 0.3 / 2), ('rotate', 0.1547)])
    def test_shears_and_rotations(self, name, empty):
        """By a slope of 0.3 and by 30 degrees at full strength: the share of a square that they leave empty."""
        flat = np.full((200, 200, 3), 200, np.uint8)
        for strength, expected in ((1, empty), (-1, empty), (0, 0)):
            filled = (operate(name, flat, strength) == FILL).all(-1)
            assert filled.mean() == pytest.approx(expected, abs=0.01)

    @pytest.mark.parametrize(('name', 'axis'), [('shear_x', 0), ('shear_y', 1)])
    def test_shears_move_along_their_axis(self, name, axis):
        """Every row, or column, keeps its colour."""
        place = np.indices((100, 100), np.uint8)[axis]
        ramp = np.repeat(100 + place[..., None], 3, axis=2)
        sheared = operate(name, ramp, 1)
        inside = (sheared != FILL).all(-1)
        assert 0.8 < inside.mean() < 0.9
        np.testing.assert_array_equal(sheared[inside], ramp[inside])

    def test_how_much_and_how_often(self, monkeypatch):
        strengths = []

        def record(image, s, fill):
            assert fill == (124, 116, 104)
            strengths.append(s)
            return image

        monkeypatch.setattr(transforms, '_OPERATIONS', dict(record=record))
        np.random.seed(0)
        for _ in range(4000):
            RandAugment()(dict(imgs=[NOISE]))
        assert len(strengths) == pytest.approx(4000, rel=0.05)  # 2 operations x 0.5
        assert np.mean(np.array(strengths) > 0) == pytest.approx(0.5, abs=0.05)
        strengths = np.abs(strengths)
        assert strengths.max() == 1
        assert np.median(strengths) == pytest.approx(0.9, abs=0.005)
        assert np.mean(strengths < 0.85) == pytest.approx(0.159, abs=0.03)  # one standard deviation below the mean

    def test_frames_of_a_clip_are_treated_alike(self):
        augment = RandAugment(prob=1)
        results = []
        for seed in range(20):
            np.random.seed(seed)
            first, second = augment(dict(imgs=[NOISE, NOISE]))['imgs']
            np.testing.assert_array_equal(first, second)
            assert first.flags.writeable and first.dtype == np.uint8 and first.shape == NOISE.shape
            results.append(first.tobytes())
        assert len(set(results)) > 10
        np.testing.assert_array_equal(RandAugment(prob=0)(dict(imgs=[NOISE]))['imgs'][0], NOISE)
