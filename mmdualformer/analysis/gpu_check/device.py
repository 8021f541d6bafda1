"""What the device is, and how fast it multiplies matrices."""

import os
import platform
import shutil
import subprocess
import time
from statistics import median

import torch

from mmdualformer.papers.latency import device_name

from .setting import Setting

DTYPES = ('float32', 'bfloat16', 'float16')
RUNS = 10


def run(setting: Setting) -> None:
    """Name the device and what drives it, and measure products of square matrices."""
    device = torch.device(setting.device)
    facts: dict = {'name': device_name(device), 'torch': torch.__version__, 'python': platform.python_version()}
    facts['cores'] = os.cpu_count()
    if setting.is_gpu:
        properties = torch.cuda.get_device_properties(device)
        facts['memory_gib'] = round(properties.total_memory / 2**30, 1)
        facts['capability'] = f'{properties.major}.{properties.minor}'
        facts['driver'] = _driver()
        facts['cuda'] = torch.version.cuda
        facts['cudnn'] = torch.backends.cudnn.version()
        facts['nccl'] = '.'.join(map(str, torch.cuda.nccl.version()))
    setting.keep('device', facts)
    side = 8192 if setting.is_gpu else 512
    facts['side'] = side
    facts['matmul_tflops'] = {name: round(_rate(getattr(torch, name), side, device), 3) for name in DTYPES}
    setting.keep('device', facts)


def _driver() -> str:
    """The version of the driver, as nvidia-smi says it."""
    if shutil.which('nvidia-smi') is None:
        return 'unknown: there is no nvidia-smi'
    command = ['nvidia-smi', '--query-gpu=driver_version', '--format=csv,noheader']
    lines = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.split()
    return lines[0] if lines else 'unknown'


def _rate(dtype: torch.dtype, side: int, device: torch.device) -> float:
    """Millions of millions of operations a second, two to a multiply-add."""
    a, b = torch.randn(2, side, side, device=device).to(dtype)
    times = []
    for _ in range(RUNS + 2):
        start = time.perf_counter()
        torch.matmul(a, b)
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return 2 * side**3 / median(times[2:]) / 1e12
