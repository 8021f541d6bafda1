import pytest
import torch
import torch.nn.functional as F

from mmdualformer.models.layers import attention_kernels
from mmdualformer.models.layers.attention_kernels import attend, attend_in_blocks, blocks_are_faster


def parts(dtype: torch.dtype, keys: int = 11) -> list[torch.Tensor]:
    """Queries, keys and values of 2 clips and 3 heads, of which those of the last are views with other strides."""
    torch.manual_seed(0)
    return [torch.randn(2, length, 3, 8, dtype=dtype).transpose(1, 2) for length in (17, keys, keys)]


# of 6 matrices of 17 x 11: a few rows of one, one with a rest, several with a rest, all
@pytest.mark.parametrize('block', [1, 55, 187, 4 * 187, 2**20])
def test_blocks_of_any_size_give_the_same(monkeypatch, block):
    monkeypatch.setattr(attention_kernels, 'BLOCK', max(1, block // torch.get_num_threads()))
    inputs = parts(torch.float64)
    assert (attend_in_blocks(*inputs) - F.scaled_dot_product_attention(*inputs)).abs().max() < 1e-14


@pytest.mark.parametrize('flags, blocks', [('avx512_bf16', True), ('avx512_bf16 amx_tile', False), ('avx512f', False)])
def test_the_cpu_decides(monkeypatch, flags, blocks):
    monkeypatch.setattr(attention_kernels, 'cpu_flags', lambda: frozenset(flags.split()))
    assert blocks_are_faster() is blocks


@pytest.fixture
def blocked(monkeypatch) -> list[torch.dtype]:
    """What is computed in blocks, by its dtype."""
    taken: list[torch.dtype] = []

    def note(q: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        taken.append(q.dtype)
        return attend_in_blocks(q, *others)

    monkeypatch.setattr(attention_kernels, 'blocks_are_faster', lambda: True)
    monkeypatch.setattr(attention_kernels, 'attend_in_blocks', note)
    return taken


def test_bfloat16_is_near_float32_in_blocks(blocked):
    inputs = parts(torch.bfloat16)
    with torch.no_grad():
        found = attend(*inputs)
    exact = F.scaled_dot_product_attention(*(x.float() for x in inputs))
    assert found.dtype == torch.bfloat16 and blocked == [torch.bfloat16]
    assert (found - exact).norm() / exact.norm() < 0.01  # 0.004, and 0.002 of PyTorch's own


def test_all_else_is_left_to_pytorch(blocked):
    inputs = parts(torch.bfloat16)
    attend(*inputs)  # has gradients
    with torch.no_grad():
        attend(*parts(torch.float32))
        attend(*inputs, mask=torch.ones(2, 1, 1, 11, dtype=torch.bool))
        torch.jit.trace(attend, inputs, check_trace=False)  # the check runs it eagerly
        torch.func.vmap(attend)(*inputs)
    assert blocked == []
