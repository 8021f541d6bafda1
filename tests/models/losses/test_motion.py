import pytest
import torch

from mmdualformer.models import MotionLoss


def loss(*frames: tuple, **options) -> float:
    """The loss of a clip whose motion is off by so much in each frame."""
    motion = torch.tensor(frames).flatten()[None]
    return float(MotionLoss(**options)(motion, torch.zeros_like(motion)))


STILL = (0.0,) * 6


def test_the_object_counts_more_than_the_camera():
    """Beyond beta an error counts by its size, less half of beta; each part is a mean over its numbers."""
    assert loss(STILL, STILL) == 0
    assert loss((1.0, 1.0, 0, 0, 0, 0)) == pytest.approx(1 - 0.025)
    assert loss((0.0, 0, 1, 1, 1, 1)) == pytest.approx(0.15 * (1 - 0.025))
    assert loss((1.0, 0, 0, 0, 0, 0), STILL) == pytest.approx((1 - 0.025) / 4)
    assert loss((0.0, 0, 0, 0, 0, 1), STILL, camera_weight=1.0) == pytest.approx((1 - 0.025) / 8)


def test_a_small_error_counts_by_its_square():
    assert loss((0.02, 0.02, 0, 0, 0, 0)) == pytest.approx(0.02**2 / 2 / 0.05)
    assert loss((0.02, 0.02, 0, 0, 0, 0), beta=0.01) == pytest.approx(0.02 - 0.005)


def test_half_precision_is_compared_in_full():
    motion = torch.full((2, 12), 0.5, dtype=torch.bfloat16, requires_grad=True)
    value = MotionLoss()(motion, torch.zeros(2, 12))
    assert value.dtype == torch.float32
    value.backward()
    assert (motion.grad > 0).all()
