import pytest
import torch

from mmdualformer.models.layers import DynamicReLU, dynamic_relu, frame_means


def straightforward(act: DynamicReLU, x: torch.Tensor, token: torch.Tensor, excitation=None) -> torch.Tensor:
    """Dynamic ReLU frame by frame, from its definition."""
    if excitation is not None:
        x = x * excitation[:, 0, :, None, None, None]
    frames = []
    for t in range(x.shape[2]):
        frame = x[:, :, t]
        context = token[:, t if token.shape[1] > 1 else 0]
        if act.frame_level:
            context = torch.cat([frame.mean((2, 3)), context], dim=1)
        steps = 2 * torch.clamp(act.fc2(act.fc1(context).relu()) / 6 + 0.5, 0, 1) - 1
        a1, a2 = steps[:, : frame.shape[1], None, None] + 1, steps[:, frame.shape[1] :, None, None]
        frames.append(torch.where(a1 * frame > a2 * frame, a1 * frame, a2 * frame))
    return torch.stack(frames, dim=2)


@pytest.mark.parametrize('cached', [1, 300, 2**20])
@pytest.mark.parametrize('excite', [False, True])
@pytest.mark.parametrize(('frame_level', 'tokens'), [(True, 1), (True, 5), (False, 1), (False, 5)])
def test_equals_its_definition(frame_level, tokens, excite, cached, monkeypatch):
    """In training and in inference, whichever number of frames it works on at a time."""
    monkeypatch.setattr(dynamic_relu, '_CACHED', cached)
    torch.manual_seed(0)
    act = DynamicReLU(6, 8, frame_level).double()
    torch.nn.init.normal_(act.fc2.weight, std=3)  # slopes at and beyond the ends of their ranges
    x = torch.randn(2, 6, 5, 4, 3).double().contiguous(memory_format=torch.channels_last_3d)
    token = torch.randn(2, tokens, 8).double()
    excitation = torch.rand(2, 1, 6).double() if excite else None
    expected = straightforward(act, x, token, excitation)
    torch.testing.assert_close(act(x, token, excitation), expected)
    with torch.no_grad():
        torch.testing.assert_close(act(x.clone(), token, excitation), expected)
        torch.testing.assert_close(act(x.contiguous(), token, excitation), expected)


def test_frame_means():
    x = torch.randn(2, 3, 4, 5, 6)
    torch.testing.assert_close(frame_means(x), x.mean((3, 4)).transpose(1, 2))
    torch.testing.assert_close(frame_means(x.contiguous(memory_format=torch.channels_last_3d)), frame_means(x))
