import types
from pathlib import Path

import pytest
import torch

from mmdualformer.doctor import devices
from mmdualformer.doctor.running import FAULT, OK, WARNING


def gpu(capability=(9, 0), free=70, run=lambda *_, **__: torch.ones(64, 64)) -> types.SimpleNamespace:
    """A torch with a GPU."""
    return types.SimpleNamespace(
        ones=run,
        version=types.SimpleNamespace(cuda='13.0'),
        cuda=types.SimpleNamespace(
            get_device_capability=lambda _: capability,
            get_device_name=lambda _: 'H100',
            get_arch_list=lambda: ['sm_80', 'sm_90'],
            mem_get_info=lambda _: (free << 30, 80 << 30),
        ),
    )


def no_kernel(*_, **__):
    raise RuntimeError('CUDA error: no kernel image is available\nmore')


def test_gpus():
    assert devices._check_gpu(gpu(), 0).status == OK
    result = devices._check_gpu(gpu(free=2), 0)
    assert result.status == WARNING and result.mend == 'nvidia-smi'
    result = devices._check_gpu(gpu((6, 1), run=no_kernel), 0)
    assert result.status == FAULT and 'no kernel image' in result.text and 'more' not in result.text
    assert result.mend.endswith('whl/cu126')  # the last one with kernels for it


@pytest.mark.parametrize(('cuda', 'build'), [('12.4', 124), ('12.7', 126), ('13.2', 130), ('10.2', None)])
def test_the_build_is_one_that_the_driver_can_run(cuda, build, tmp_path, monkeypatch):
    (tmp_path / 'nvidia-smi').write_text(f'#!/bin/sh\necho "| Driver Version: 550.54    CUDA Version: {cuda} |"\n')
    (tmp_path / 'nvidia-smi').chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:/bin:/usr/bin')
    assert devices._build_for_driver() == build


@pytest.mark.skipif(torch.cuda.is_available(), reason='a GPU is there')
@pytest.mark.parametrize(
    ('hidden', 'build', 'status', 'text'),
    [
        (None, None, WARNING, 'torch is the CPU build'),
        ('', None, WARNING, 'CUDA_VISIBLE_DEVICES hides'),
        (None, '13.0', FAULT, 'built for CUDA 13.0, cannot use it'),
    ],
)
def test_a_gpu_that_torch_does_not_use(hidden, build, status, text, monkeypatch):
    monkeypatch.setattr(devices, 'has_nvidia_gpu', lambda: True)
    monkeypatch.setattr(torch.version, 'cuda', build)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    if hidden is not None:
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', hidden)
    *_, result = devices._check_build()
    assert (result.name, result.status) == ('GPU', status) and text in result.text
    assert 'install' in result.mend or result.mend == 'unset CUDA_VISIBLE_DEVICES'


def test_attention_that_is_wrong_is_found(monkeypatch):
    assert [result.status for result in devices._check_attention()] == [OK, OK]
    monkeypatch.setattr(torch.nn.functional, 'scaled_dot_product_attention', lambda q, k, v: v)
    assert FAULT in {result.status for result in devices._check_attention()}


@pytest.mark.parametrize(
    ('flags', 'text'),
    [
        ('fpu avx2 avx512f amx_bf16', 'has avx2, avx512f, amx_bf16; bfloat16 is fast'),
        ('fpu avx2', 'has avx2; bfloat16 is slow'),
        ('fpu', 'has none of avx2'),
    ],
)
def test_number_formats_of_cpus(flags, text, tmp_path):
    path = tmp_path / 'cpuinfo'
    path.write_text(f'processor : 0\nflags : {flags}\n')
    assert text in devices.describe_cpu_formats(path)
    assert 'none of' in devices.describe_cpu_formats(Path('/no/such/file'))
