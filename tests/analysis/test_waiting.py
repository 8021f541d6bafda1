import pytest
import torch
from mmaction.models import I3DHead
from mmaction.structures import ActionDataSample

from mmdualformer.analysis.gpu_check.steps import SMALL, TrainingStep
from mmdualformer.analysis.waiting import find_wait
from mmdualformer.models.layers import RelativePositionBias

META = torch.device('meta')


@pytest.mark.parametrize(
    'call',
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.sum() > 0),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: x.cpu(),
        lambda x: torch.tensor([0.0, 1.0], device=x.device),
        lambda x: torch.arange(3).to(x.device),
        lambda x: x[torch.tensor([1, 0])],
    ],
)
def test_what_waits_is_found(call):
    x = torch.ones(3, device=META)
    assert find_wait(lambda: call(x), META).startswith('test_waiting.py:')


def test_what_does_not_wait_is_not_found():
    x = torch.ones(3, device=META)
    assert find_wait(lambda: (x * 2 + torch.arange(3, device=META))[1:].softmax(0), META) is None


@pytest.mark.parametrize('config', SMALL)
def test_a_training_step_of_each_family(config):
    """From the clips on the device to the optimizer's step, with the accuracy of the head."""
    assert find_wait(TrainingStep(config, 2, 'meta'), META) is None


def test_relative_position_bias():
    bias = RelativePositionBias((2, 3, 3), 2).to(META)
    assert find_wait(lambda: bias((2, 2, 3)), META) is None


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_a_head_on_a_device_has_the_losses_of_one_on_a_cpu(smoothing, monkeypatch):
    """What a GPU computes, computed here."""
    torch.manual_seed(0)
    head = I3DHead(num_classes=7, in_channels=4, label_smooth_eps=smoothing, topk=(1, 3))
    scores = torch.randn(16, 7)
    samples = [ActionDataSample().set_gt_label(i % 7) for i in range(16)]
    expected = head.loss_by_feat(scores, samples)

    class OnDevice(torch.Tensor):
        device = META  # to the mend, which then takes the way of a GPU

        @property
        def is_cuda(self) -> bool:
            return True

    monkeypatch.setattr(torch.Tensor, 'to', lambda tensor, *args, **kwargs: tensor)
    losses = head.loss_by_feat(scores.as_subclass(OnDevice), samples)
    assert losses.keys() == expected.keys() == {'top1_acc', 'top3_acc', 'loss_cls'}
    for name, value in losses.items():
        torch.testing.assert_close(value.as_subclass(torch.Tensor), expected[name])
