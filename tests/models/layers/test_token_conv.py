import pytest
import torch
import torch.nn.functional as F

from mmdualformer.models.layers import TokenConv3d


@pytest.mark.parametrize('size', [(4, 6, 8), (3, 5, 7), (1, 1, 1)])
def test_a_map_is_extended_by_repeating_its_border(size):
    torch.manual_seed(0)
    conv = TokenConv3d(3, 5, (2, 3, 4)).double()
    x = torch.randn(2, *size, 3, dtype=torch.float64)
    channels_first = x.movedim(-1, 1)
    width, height, frames = (-length % step for length, step in zip(size[::-1], (4, 3, 2)))
    padded = F.pad(channels_first, (0, width, 0, height, 0, frames), mode='replicate')
    expected = F.conv3d(padded, conv.weight, conv.bias, stride=(2, 3, 4)).movedim(1, -1)
    torch.testing.assert_close(conv(x), expected)
