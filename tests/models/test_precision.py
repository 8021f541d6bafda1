import pytest
import torch
from mmaction.registry import OPTIM_WRAPPERS

from mmdualformer.engine import FiniteOptimWrapper
from mmdualformer.models import Mobile3D, VideoMobileFormer, precision
from mmdualformer.models.precision import choose_dtype, compute_in, has_bfloat16

SLOW = 'VideoMobileFormer is slower in bfloat16 than in float32 on a CPU: it is computed in float32'


@pytest.fixture
def said(monkeypatch) -> list[str]:
    monkeypatch.setattr(precision, 'has_bfloat16', lambda: True)
    return []


def small(backbone: type) -> torch.nn.Module:
    arch = dict(dim=8, num_blocks=(1,), expansion=2.25, temporal_strides=(2, 1))
    return torch.nn.Sequential(backbone(arch, out_indices=(0,)))


def test_what_is_slower_stays_in_float32(said):
    model = small(VideoMobileFormer)
    assert choose_dtype(model, torch.bfloat16, 'cpu', said.append) == torch.float32
    assert said == [SLOW]
    assert choose_dtype(model, torch.bfloat16, 'cuda', said.append) == torch.bfloat16
    assert choose_dtype(model, torch.float32, 'cpu', said.append) == torch.float32
    assert choose_dtype(torch.nn.Linear(1, 1), torch.bfloat16, 'cpu', said.append) == torch.bfloat16
    assert choose_dtype(small(Mobile3D), torch.bfloat16, 'cpu', said.append) == torch.bfloat16  # not measured
    assert len(said) == 1


def test_a_cpu_without_bfloat16_gets_a_warning(said, monkeypatch):
    monkeypatch.setattr(precision, 'has_bfloat16', lambda: False)
    assert choose_dtype(torch.nn.Linear(1, 1), torch.bfloat16, 'cpu', said.append) == torch.bfloat16
    assert len(said) == 1 and said[0].startswith('warning: this CPU has no bfloat16 of its own')


def test_a_line_is_said_once(capsys):
    for _ in range(2):
        precision.say_once('a line of test_precision')
    assert capsys.readouterr().err == 'a line of test_precision\n'


def test_what_linux_says_of_a_cpu(tmp_path):
    for flag, has in (('avx512_bf16', True), ('amx_bf16', True), ('avx512f', False)):
        path = tmp_path / flag  # each is read once
        path.write_text(f'flags : sse {flag}')
        assert has_bfloat16(path) is has
    assert has_bfloat16(tmp_path / 'none')


def test_products_are_computed_in_it():
    factors = torch.ones(2, 2)
    for dtype in (torch.float32, torch.bfloat16):
        with compute_in(dtype, 'cpu'):
            assert (factors @ factors).dtype == dtype


@pytest.mark.skipif(torch.cuda.is_available(), reason='of a machine without a GPU')
def test_training_says_it_once_too(said, monkeypatch):
    model = small(VideoMobileFormer)
    monkeypatch.setattr(FiniteOptimWrapper, '_say', staticmethod(lambda message, level: said.append(message)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = OPTIM_WRAPPERS.build(dict(type='AmpOptimWrapper', optimizer=optimizer, dtype='bfloat16'))
    for _ in range(2):
        with wrapper.optim_context(model):
            assert not torch.is_autocast_enabled('cpu')
    assert said == [SLOW]
