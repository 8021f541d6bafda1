import types

import torch
from mmaction.structures import ActionDataSample

from mmdualformer.engine import LossSpikeHook

CLIP = ActionDataSample(metainfo=dict(filename='a.mp4')).set_gt_label(3)


def run(epochs) -> list:
    """The warnings of a run with these losses."""
    warnings = []
    runner = types.SimpleNamespace(logger=types.SimpleNamespace(warning=warnings.append), iter=0, epoch=0)
    hook = LossSpikeHook(factor=10.0, window=5)
    for losses in epochs:
        hook.before_train_epoch(runner)
        for loss in losses:
            hook.after_train_iter(runner, 0, dict(data_samples=[CLIP]), dict(loss=torch.tensor(loss)))
            runner.iter += 1
        runner.epoch += 1
    return warnings


def test_a_spike_is_said_once_an_epoch():
    calm = [2.0, 1.5, 1.2, 1.0, 0.9, 1.1]
    spikes = run([[*calm, 30.0, *calm, 99.0], [*calm, 50.0]])
    assert spikes == [
        'the loss jumps to 30 at step 7, epoch 1, from a median of 1.1; the clips are a.mp4 (label 3)',
        'the loss jumps to 50 at step 21, epoch 2, from a median of 1.1; the clips are a.mp4 (label 3)',
    ]


def test_no_alarm():
    assert run([[30.0, 1.0, 1.0, 1.0]]) == []  # too few to compare with
    assert run([[1.0] * 6 + [9.0, 1.0]]) == []
    assert run([[0.001] * 5 + [0.3]]) == []  # of a model that has learnt almost all
    assert run([[1.0] * 6 + [float('nan'), float('inf')]]) == []  # what is not finite has its own hook
