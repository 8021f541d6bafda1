import pytest
import torch
from mmaction.structures import ActionDataSample

from mmdualformer.errors import UserError
from mmdualformer.models import MovingObjectNeck


def answers(path: list[tuple[float, float]], size: tuple[int, int, int], frames: int = 1) -> torch.Tensor:
    """What tokens say that know everything, of an object that is in the middle of a cell: ``[1, T, H, W, 3f + 3]``."""
    times, height, width = size
    outputs = torch.zeros(1, *size, 3 * frames + 3)
    for t in range(times):
        for y in range(height):
            for x in range(width):
                own = [(place + 0.5) / length - 0.5 for place, length in zip((t, y, x), size)]
                for f in range(frames):
                    dx, dy = (path[t * frames + f][0] - own[2]) * width, (path[t * frames + f][1] - own[1]) * height
                    outputs[0, t, y, x, f] = -(dx**2 + dy**2) / (2 * 0.7**2)
                    outputs[0, t, y, x, frames + 2 * f : frames + 2 * f + 2] = torch.tensor([dx, dy])
                outputs[0, t, y, x, 3 * frames :] = 2 * torch.tensor(own)
    return outputs


@pytest.mark.parametrize(('size', 'frames'), [((2, 3, 4), 1), ((2, 4, 3), 2), ((1, 1, 5), 3)])
def test_tokens_that_know_all_have_no_loss_and_others_have(size, frames):
    path = [(0.3 - 0.2 * i, 0.1 * i - 0.25) for i in range(size[0] * frames)]
    neck = MovingObjectNeck((8,), frames)
    outputs = answers(path, size, frames)
    places = torch.tensor(path)[None]
    assert neck.map_loss(outputs, places) == pytest.approx(0, abs=1e-5)
    for number in range(outputs.shape[-1]):
        worse = outputs.clone()
        worse[..., ::2, number] += 1  # of every other column
        assert neck.map_loss(worse, places) > 1e-4
    if frames > 1:  # each frame has numbers of its own
        assert neck.map_loss(outputs, places.flip(1)) > 0.01


def test_an_object_outside_is_where_it_left_the_frame():
    neck = MovingObjectNeck((8,), 1)
    border, beyond = (torch.tensor([[[x, 0.1]]]) for x in (0.5, 0.9))
    outputs = torch.randn(1, 1, 4, 4, 6)
    assert neck.map_loss(outputs, beyond) == neck.map_loss(outputs, border)


def make_samples(motion: torch.Tensor) -> list[ActionDataSample]:
    return [ActionDataSample().set_gt_label(clip.flatten()) for clip in motion]


@torch.no_grad()
def test_the_head_gets_the_last_map_or_the_class_token_beside_it():
    maps = (torch.randn(2, 8, 4, 4, 4), torch.randn(2, 12, 4, 2, 2))
    token = torch.randn(2, 12)
    neck = MovingObjectNeck((8, 12), loss_weight=0.5)
    samples = make_samples(torch.rand(2, 8, 6) - 0.5)
    assert neck(maps)[0] is maps[1] and neck(maps)[1] == {}
    passed_on, losses = neck(maps, samples)
    assert passed_on is maps[1] and losses.keys() == {'loss_map0', 'loss_map1'}
    pairs = ((maps[0], torch.randn(2, 8)), (maps[1], token))
    passed_on, of_pairs = neck(pairs, data_samples=samples)
    assert passed_on is token and of_pairs == losses
    neck.loss_weight = 1.0
    assert neck(maps, samples)[1]['loss_map1'] == pytest.approx(2 * losses['loss_map1'])


@torch.no_grad()
def test_it_reads_the_object_of_the_motion():
    """The loss is that of the first two of six numbers, in the order of frames."""
    neck = MovingObjectNeck((8,))
    motion = torch.rand(2, 4, 6) - 0.5
    feats = (torch.randn(2, 8, 2, 4, 4),)
    branch = neck.branches[0]
    tokens = branch(feats[0].permute(0, 2, 3, 4, 1))
    expected = 0.1 * neck.map_loss(tokens, motion[..., :2])
    assert neck(feats, make_samples(motion))[1]['loss_map0'] == pytest.approx(expected)


def test_other_frames_than_those_of_the_tokens_are_refused():
    neck = MovingObjectNeck((8,))
    with pytest.raises(UserError, match='4 tokens along time stands for 8 frames, and the clip has 4'):
        neck((torch.randn(1, 8, 4, 2, 2),), make_samples(torch.rand(1, 4, 6)))
