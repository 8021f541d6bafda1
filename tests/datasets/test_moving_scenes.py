import numpy as np
import pytest
from mmaction.registry import DATASETS

from mmdualformer.datasets import MovingScenesDataset
from mmdualformer.datasets.moving_scenes import MOTIONS, film_scene, filming, paths
from mmdualformer.errors import UserError


def test_a_seed_draws_the_same_scene_and_another_seed_another():
    clip, motion = film_scene(1, frames=5, size=32)
    assert clip.shape == (5, 32, 32, 3) and clip.dtype == np.uint8
    assert motion.shape == (5, MOTIONS) and motion.dtype == np.float32
    again, others = film_scene(1, frames=5, size=32), film_scene(2, frames=5, size=32)
    assert (again[0] == clip).all() and (again[1] == motion).all()
    assert (others[0] != clip).any() and (others[1] != motion).any()


@pytest.fixture
def plain(monkeypatch):
    """Scenes with a background of one grey and an exposure that changes nothing, with neither arm nor bystander."""
    monkeypatch.setattr(filming, 'paint_background', lambda rng, size: np.full((size, size, 3), 128, np.float32))
    monkeypatch.setattr(filming, '_expose', lambda rng, film: np.stack(film))
    monkeypatch.setattr(filming, '_draw_limb', lambda *args: None)
    monkeypatch.setattr(filming, '_darken', lambda *args: None)
    monkeypatch.setattr(
        filming, '_draw_bystander', lambda rng, frames, size: filming.Bystander(None, np.zeros((frames, 2)), None)
    )
    paste = filming._paste
    monkeypatch.setattr(filming, '_paste', lambda image, sprite, *args: sprite and paste(image, sprite, *args))


def test_the_object_is_where_the_label_says(plain):
    errors = []
    for seed in range(40):
        clip, motion = film_scene(seed, frames=4, size=64)
        for frame, (x, y) in zip(clip, motion[:, :2]):
            rows, columns = np.nonzero(abs(frame - 128).max(axis=2) > 1)
            if len(rows) > 9 and 0 < rows.min() and rows.max() < 63 and 0 < columns.min() and columns.max() < 63:
                errors.append((columns.mean() / 63 - 0.5 - x, rows.mean() / 63 - 0.5 - y))
    assert len(errors) > 60
    assert abs(np.mean(errors)) < 0.01 and np.std(errors) < 0.04  # an object is not quite about its centre


def test_the_scene_moves_against_the_camera(monkeypatch):
    """What the label says of the camera: a background that moves by one place moves the other way in the frame."""
    monkeypatch.setattr(filming, '_expose', lambda rng, film: np.stack(film))
    camera = np.zeros((2, 4))
    background = np.random.default_rng(0).uniform(0, 255, (160, 160, 3)).astype(np.float32)
    monkeypatch.setattr(filming, 'paint_background', lambda rng, size: background)
    for axis, way in ((0, (0, 1)), (1, (1, 0))):
        camera[:] = 0
        camera[1, axis] = 1 / 8

        class Rng:  # sees a width of one frame, upright
            uniform = staticmethod(lambda low, high, size=None: 1.0 if size is None else np.zeros(size))
            normal = staticmethod(lambda mean, deviation: 0.0)

        first, second = filming._film_background(Rng, camera, 64)
        down, right = (8 * part for part in way)
        assert abs(first[down:, right:] - second[: 64 - down, : 64 - right]).max() < 1e-2


def test_a_path_turns_both_ways_and_fits_its_box():
    rng = np.random.default_rng(0)
    turns = []
    for _ in range(300):
        path = paths.draw_path(rng)
        assert path.shape == (paths.POINTS, 2)
        assert 0.7 < np.ptp(path, axis=0).max() < 1.31
        step = np.diff(path, axis=0)
        turns.append(np.sum(step[:-1, 0] * step[1:, 1] - step[:-1, 1] * step[1:, 0]))
    assert 0.4 < np.mean(np.array(turns) > 0) < 0.6


def test_training_clips_are_new_and_test_clips_are_not(monkeypatch):
    pipeline = [
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs', meta_keys=('filename',)),
    ]
    arguments = dict(type='MovingScenesDataset', num_clips=3, frames=4, size=16, pipeline=pipeline, _scope_='mmaction')
    train, test = (DATASETS.build(dict(arguments, test_mode=mode)) for mode in (False, True))
    assert len(train) == len(test) == 3
    np.random.seed(0)
    names = [data[i]['data_samples'].filename for data in (train, test) for i in (0, 0)]
    assert len({*names[:2]}) == 2 and names[2] == names[3]
    np.random.seed(0)
    assert train[0]['data_samples'].filename == names[0]  # a run that goes on draws what it would have drawn
    sample = test[1]
    assert sample['inputs'].shape == (1, 3, 4, 16, 16)
    assert sample['data_samples'].gt_label.shape == (4 * MOTIONS,)
    with pytest.raises(UserError, match=r'MovingScenesDataset\.frames=0 must be a positive number'):
        MovingScenesDataset(pipeline, num_clips=1, frames=0)
    with pytest.raises(UserError, match=r'MovingScenesDataset\.size=12 must be at least 16'):
        MovingScenesDataset(pipeline, num_clips=1, size=12)  # some scenes of which cannot be drawn
