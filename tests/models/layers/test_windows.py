import pytest
import torch

from mmdualformer.models.backbones.dualformer import LocalWindowAttention
from mmdualformer.models.layers import merge_windows, multi_head_attention, partition_windows


@pytest.mark.parametrize('size', [(4, 8, 6), (5, 7, 9), (1, 1, 1)])
def test_merging_undoes_partitioning(size):
    x = torch.randn(2, *size, 3)
    window = tuple(map(min, (2, 4, 3), size))
    windows, mask = partition_windows(x, window)
    assert windows.shape[1] == window[0] * window[1] * window[2]
    assert (mask is None) == (size != (5, 7, 9))
    if mask is not None:
        assert mask.sum() == x[..., 0].numel()
    torch.testing.assert_close(merge_windows(windows, window, size), x)


def test_what_stands_in_the_padding_of_a_window_changes_nothing():
    torch.manual_seed(0)
    x = torch.randn(2, 5, 7, 9, 4, dtype=torch.float64)
    windows, mask = partition_windows(x, (2, 4, 3))
    changed = torch.where(mask[..., None], windows, 100 * torch.randn_like(windows))
    outputs = [multi_head_attention(w, w, w, 2, mask)[mask] for w in (windows, changed)]
    torch.testing.assert_close(*outputs)


@pytest.mark.parametrize('relative_bias', [False, True])
def test_padded_windows_attend_as_windows_of_their_real_tokens(relative_bias):
    """Row 4 of 5 is alone in its window of 4: it must see itself only."""
    torch.manual_seed(0)
    attention = LocalWindowAttention(4, 2, (1, 4, 3), relative_bias).double()
    x = torch.randn(1, 1, 5, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(attention(x)[:, :, 4:], attention(x[:, :, 4:]))
