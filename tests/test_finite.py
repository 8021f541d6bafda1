import math

import pytest
import torch

from mmdualformer.errors import UserError
from mmdualformer.finite import find_non_finite, find_non_finite_state, is_finite, refuse_non_finite


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize('number', [math.nan, math.inf, -math.inf])
def test_one_number_among_many(dtype, number):
    tensor = torch.zeros(3, 5, dtype=dtype)
    assert is_finite(tensor)
    tensor[1, 2] = number
    assert not is_finite(tensor)


@pytest.mark.parametrize('dtype', [torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e8m0fnu])
def test_numbers_of_one_byte(dtype):
    tensor = torch.ones(3, 5)
    assert is_finite(tensor.to(dtype))
    tensor[1, 2] = math.nan
    assert not is_finite(tensor.to(dtype))


def test_what_holds_no_numbers_is_finite():
    sparse = torch.sparse_coo_tensor([[0]], [1.0], (2,))
    for tensor in (torch.ones(2, dtype=torch.long), torch.empty(0), torch.empty(2, device='meta'), sparse):
        assert is_finite(tensor)


def test_the_first_is_named():
    weights = dict(a=torch.ones(1), b=torch.tensor([math.nan]), c=torch.tensor([math.inf]))
    assert find_non_finite(weights) == 'b'
    assert find_non_finite(dict(a=weights['a'])) is None
    optimizer = dict(state={0: dict(step=torch.ones(1), exp_avg=weights['c'])}, param_groups=[dict(lr=1.0)])
    assert find_non_finite_state(dict(state_dict={}, optimizer=optimizer)) == 'optimizer.state.0.exp_avg'
    assert find_non_finite_state(dict(message_hub=weights)) is None
    with pytest.raises(UserError, match=r"checkpoint 'a\.pth' cannot be used: b holds NaN or infinity"):
        refuse_non_finite(weights, 'a.pth')


def test_what_holds_itself_ends():
    nested: list = [torch.ones(1)]
    nested.append(nested)
    assert find_non_finite(dict(nested=nested)) is None
