"""Which kernels take the time: what a kernel of our own would have to beat."""

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

from mmdualformer.analysis.benchmark.entries import Entry, load
from mmdualformer.analysis.benchmark.sources import read_source
from mmdualformer.commands import ROOT

from .setting import Setting
from .steps import TrainingStep

KERNELS = 12
STEPS = 3


def run(setting: Setting) -> None:
    """Profile inference of DualFormer-B and training of DualFormer-T, in bfloat16."""
    if setting.quick:
        test, train, batch, shape = 'dualformer_micro_motion', 'dualformer_micro_motion', 1, (4, 32, 32)
    else:
        test, train, batch, shape = 'dualformer_b_k400', 'dualformer_t_k400', 8, None
    path = ROOT / 'configs' / f'{test}.py'
    entry = Entry(read_source(str(path)), 'eager', 'bfloat16', setting.device, batch, shape)
    results = {f'{test}, inference': _profile(load(entry, path, torch.get_num_threads()).call, setting)}
    setting.keep('profile', results)
    step = TrainingStep(train, 2 * batch, setting.device)
    results[f'{train}, training'] = _profile(step, setting)
    setting.keep('profile', results)


def _profile(call: Callable[[], object], setting: Setting) -> dict:
    """The kernels that take the most time of a few calls; on a CPU the operators."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if setting.is_gpu else [])]
    for _ in range(2):
        call()
    with profile(activities=activities) as profiler:
        for _ in range(STEPS):
            call()
        if setting.is_gpu:
            torch.cuda.synchronize(setting.device)
    name = 'self_device_time_total' if setting.is_gpu else 'self_cpu_time_total'
    # of a GPU its kernels, not the operators that have started them, which carry their time again
    kernels = [event for event in profiler.key_averages() if not setting.is_gpu or event.device_type.name == 'CUDA']
    kernels.sort(key=lambda event: -getattr(event, name))
    total = sum(getattr(event, name) for event in kernels) or 1
    rows = [
        {'kernel': event.key[:100], 'calls': event.count // STEPS, 'share': round(getattr(event, name) / total, 4)}
        for event in kernels[:KERNELS]
    ]
    return {'ms': round(total / STEPS / 1e3, 3), 'kernels': rows}
