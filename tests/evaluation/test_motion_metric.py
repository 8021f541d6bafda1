import warnings

import numpy as np
import pytest
import torch

from mmdualformer.evaluation import MotionMetric


def measure(predicted: np.ndarray, true: np.ndarray, dtype=torch.float32) -> tuple[float, float]:
    """The shares of clips ``[N, frames, 6]``, of the object and of the camera."""
    metric = MotionMetric()
    for one, other in zip(predicted, true):
        sample = dict(pred_score=torch.tensor(one).flatten().to(dtype), gt_label=torch.tensor(other).flatten())
        metric.process(None, [sample])
    shares = metric.evaluate(len(true))
    assert shares.keys() == {'motion/object_r2', 'motion/camera_r2'}
    return shares['motion/object_r2'], shares['motion/camera_r2']


@pytest.fixture
def true():
    return np.random.default_rng(0).normal(size=(30, 4, 6)) + np.arange(4)[:, None]


def test_what_is_seen_is_1_and_the_mean_of_each_frame_0(true):
    assert measure(true, true) == pytest.approx((1, 1))
    assert measure(np.broadcast_to(true.mean(axis=0), true.shape).copy(), true) == pytest.approx((0, 0), abs=1e-6)


def test_each_axis_counts_alike(true):
    """Half of the deviation that is missed leaves three quarters of the variance, whatever the unit of the axis."""
    true = true * (1, 100, 1, 1, 1, 100)
    mean = true.mean(axis=0)
    shares = measure(mean + np.array([1, 0.5, 1, 1, 0, 0.5]) * (true - mean), true)
    assert shares == pytest.approx(((1 + 0.75) / 2, (1 + 1 + 0 + 0.75) / 4), abs=1e-5)


def test_an_axis_of_no_motion_counts_for_nothing(true):
    """As that of few clips, whose cameras are still."""
    true[..., 2:4] = 0
    predicted = true.copy()
    predicted[..., 2:4] = 0.1
    with warnings.catch_warnings(action='error'):
        assert measure(predicted, true) == pytest.approx((1, 1))
        assert np.isnan(measure(predicted[:1], true[:1])).all()


def test_bfloat16(true):
    assert measure(true, true, torch.bfloat16) == pytest.approx((1, 1), abs=1e-2)
