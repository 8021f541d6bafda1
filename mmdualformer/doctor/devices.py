"""PyTorch on this machine's processors: GPUs, number formats, attention, data workers, processes that talk."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from .faults import LIMIT as STACK_LIMIT
from .faults import check_stack
from .packages import install_all
from .running import FAULT, OK, WARNING, Check, Result, first_line, pip, run

CUDA_BUILDS = (118, 124, 126, 128, 129, 130)  # those of PyTorch's wheels, as in its index .../whl/cu126
OLDEST_IN_NEW_BUILDS = (7, 5)  # compute capability; older GPUs are in the builds for CUDA 12.6 and before
FORMATS = ('avx2', 'avx512f', 'avx512_bf16', 'avx512_fp16', 'amx_tile', 'amx_bf16')  # in /proc/cpuinfo
TOLERANCE = 0.05  # of attention in bfloat16, whose numbers have eight bits
GLOO_LIMIT = 20  # seconds
USE_LOOPBACK = 'export GLOO_SOCKET_IFNAME=lo'


def has_nvidia_gpu() -> bool:
    """Whether the system has the device of an NVIDIA GPU, whatever torch says."""
    return any(Path('/dev').glob('nvidia[0-9]*'))


def _install_torch(build: int | None = None) -> str:
    index = f' --index-url https://download.pytorch.org/whl/cu{build}' if build else ''
    return f'{pip("uninstall -y torch")} && {pip("install torch")}{index}'


def check_torch() -> Iterator[Result]:
    """Import torch once, and check what needs it in forks of this process."""
    import torch  # noqa: F401

    yield from run(CHECKS, 2)


def _check_build() -> Iterator[Result]:
    """Build, the memory that it shares with numpy, and the GPUs."""
    import numpy as np
    import torch

    kind = f'CUDA {torch.version.cuda}' if torch.version.cuda else 'ROCm' if torch.version.hip else 'CPU'
    try:
        assert torch.from_numpy(np.ones(2, np.float32)).numpy().sum() == 2
        yield Result('torch', OK, f'{torch.__version__}, the {kind} build, with numpy {np.__version__}')
    except RuntimeError as error:
        text = f'{torch.__version__} does not work with numpy {np.__version__}: {first_line(error)}'
        yield Result('torch', FAULT, text, pip('install --upgrade torch numpy'))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        found = torch.cuda.is_available()
    if found:
        for index in range(torch.cuda.device_count()):
            yield _check_gpu(torch, index)
    elif not has_nvidia_gpu():
        yield Result('GPU', OK, 'none; everything runs on the CPU')
    elif os.environ.get('CUDA_VISIBLE_DEVICES') in ('', '-1'):
        yield Result('GPU', WARNING, 'CUDA_VISIBLE_DEVICES hides the GPU', 'unset CUDA_VISIBLE_DEVICES')
    elif not torch.version.cuda:
        text = f'there is one, but torch is the {kind} build'
        yield Result('GPU', WARNING, text, _install_torch(_build_for_driver()))
    else:
        reason = first_line(caught[0].message) if caught else 'torch finds none'
        text = f'there is one, but torch, built for CUDA {torch.version.cuda}, cannot use it: {reason}'
        yield Result('GPU', FAULT, text, _install_torch(_build_for_driver()))


def _check_gpu(torch, index: int) -> Result:
    name = f'GPU {index}'
    capability = torch.cuda.get_device_capability(index)
    text = f'{torch.cuda.get_device_name(index)}, compute capability {capability[0]}.{capability[1]}'
    try:
        ones = torch.ones(64, 64, device=f'cuda:{index}')
        assert (ones @ ones).sum().item() == 64**3
        free, total = torch.cuda.mem_get_info(index)
    except (RuntimeError, AssertionError) as error:
        build = 126 if capability < OLDEST_IN_NEW_BUILDS else _build_for_driver()
        text += f' cannot run kernels of torch for {" ".join(torch.cuda.get_arch_list())}: {first_line(error)}'
        return Result(name, FAULT, text, _install_torch(build))
    text += f', {free / 2**30:.0f} of {total / 2**30:.0f} GiB free'
    if free < total / 2:
        return Result(name, WARNING, f'{text}; another process uses it', 'nvidia-smi')
    return Result(name, OK, text)


def _build_for_driver() -> int | None:
    """The newest CUDA of PyTorch's builds that the driver is new enough for."""
    with suppress(OSError, subprocess.SubprocessError):
        shown = subprocess.run(['nvidia-smi'], capture_output=True, text=True, timeout=10).stdout
        version = re.search(r'CUDA Version: (\d+)\.(\d+)', shown)
        if version:
            return max((build for build in CUDA_BUILDS if build <= int(version[1] + version[2])), default=None)
    return None


def _check_attention() -> Iterator[Result]:
    """The kernels of ``scaled_dot_product_attention``, each against the formula; and half precision."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    on_gpu = torch.cuda.is_available()
    device = 'cuda' if on_gpu else 'cpu'
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 4, 196, 64, device=device)
    expected = torch.softmax(q.double() @ k.double().mT / 8, -1) @ v.double()
    works: dict[str, list[str]] = {}
    for backend in (
        SDPBackend.FLASH_ATTENTION,
        SDPBackend.EFFICIENT_ATTENTION,
        SDPBackend.CUDNN_ATTENTION,
        SDPBackend.MATH,
    ):
        kernel = backend.name.removesuffix('_ATTENTION').lower()
        for dtype in (torch.float32, torch.bfloat16, torch.float16):
            kind = str(dtype).removeprefix('torch.')
            try:
                with sdpa_kernel(backend), warnings.catch_warnings():
                    warnings.simplefilter('ignore')  # why a kernel is not for this device
                    out = torch.nn.functional.scaled_dot_product_attention(*(x.to(dtype) for x in (q, k, v)))
            except RuntimeError:  # no such kernel here
                continue
            if (out.double() - expected).abs().max() > TOLERANCE:
                yield Result('attention', FAULT, f'{kernel} in {kind} is wrong on the {device}', _install_torch())
            works.setdefault(kernel, []).append(kind)
    text = f'on the {"GPU" if on_gpu else "CPU"}: ' + '; '.join(
        f'{kernel} in {", ".join(kinds)}' for kernel, kinds in works.items()
    )
    if on_gpu and not {'flash', 'efficient', 'cudnn'} & set(works):
        yield Result('attention', WARNING, f'{text}; no fast kernel', _install_torch(_build_for_driver()))
    else:
        yield Result('attention', OK, text)
    yield Result('number formats', OK, _describe_gpu_formats(torch) if on_gpu else describe_cpu_formats())


def _describe_gpu_formats(torch) -> str:
    has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return f'the GPU has float16{" and bfloat16" if has_bfloat16 else ", and no bfloat16"}'


def describe_cpu_formats(cpuinfo: Path = Path('/proc/cpuinfo')) -> str:
    """What the flags of a CPU say about its speed in bfloat16.

    Args:
        cpuinfo (Path): Linux' description of the CPUs. Defaults to that of this machine.
    """
    flags = set(cpuinfo.read_text().split()) if cpuinfo.exists() else set()
    there = ', '.join(flag for flag in FORMATS if flag in flags) or f'none of {", ".join(FORMATS)}'
    return f'the CPU has {there}; bfloat16 is {"fast" if {"amx_bf16", "avx512_bf16"} & flags else "slow"}'


def _check_data_workers() -> Iterator[Result]:
    """A real data loader, whose workers give their tensors through shared memory."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    clips = TensorDataset(torch.arange(4.0).reshape(4, 1).expand(4, 1 << 18))  # 1 MiB each
    total = sum(batch.sum().item() for (batch,) in DataLoader(clips, batch_size=2, num_workers=2))
    assert total == 6 * (1 << 18)
    yield Result(
        'data workers', OK, f'2 workers sent 4 MiB by {torch.multiprocessing.get_sharing_strategy().replace("_", " ")}'
    )


def _check_gloo() -> Iterator[Result]:
    """Two processes of this machine that add a number, as the ranks of a run do."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    ranks = [Check('gloo', partial(_add_up, rank, port), USE_LOOPBACK, GLOO_LIMIT) for rank in range(2)]
    results = list(run(ranks, 2))
    yield next((result for result in results if result.status == FAULT), results[0])


def _add_up(rank: int, port: int) -> Iterator[Result]:
    from datetime import timedelta

    import torch
    import torch.distributed as dist

    limit = timedelta(seconds=GLOO_LIMIT - 5)
    dist.init_process_group('gloo', f'tcp://127.0.0.1:{port}', limit, world_size=2, rank=rank)
    total = torch.tensor([rank + 1.0])
    dist.all_reduce(total)
    assert total.item() == 3
    dist.destroy_process_group()
    yield Result('gloo', OK, 'two processes added a number over the loopback')


CHECKS = (
    Check('torch', _check_build, _install_torch(), 40),
    Check('attention', _check_attention, _install_torch(), 40),
    Check('mmdualformer', check_stack, install_all(), STACK_LIMIT + 5),
    Check('data workers', _check_data_workers, 'sudo mount -o remount,size=8g /dev/shm', 30),
    Check('gloo', _check_gloo, USE_LOOPBACK, GLOO_LIMIT + 5),
)
