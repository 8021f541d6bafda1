"""How fast all families are, beside Swin, TimeSformer and X3D."""

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import torch

from mmdualformer.analysis.benchmark.entries import Entry, load
from mmdualformer.analysis.benchmark.measuring import measure
from mmdualformer.analysis.benchmark.output import as_record
from mmdualformer.analysis.benchmark.sources import Source, read_source
from mmdualformer.commands import ROOT
from mmdualformer.errors import describe

from .setting import Setting

SWIN = 'mmaction::recognition/swin/swin-{}-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb.py'
# The first two are of a goal; groups are measured side by side.
GROUPS = (
    ('dualformer_b_k400', SWIN.format('base')),
    ('dualformer_t_k400', SWIN.format('tiny')),
    (
        'vidtr_s_k400',
        'cvidtr_s_k400',
        'mmaction::recognition/timesformer/timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb.py',
    ),
    ('vmf_1g_k400', 'mobile3d_1g_k400', 'mmaction::recognition/x3d/x3d_s_13x6x1_facebook-kinetics400-rgb.py'),
    ('dualformer_s_k400', SWIN.format('small')),
    ('vidtr_m_k400', 'vmf_5g_k400', 'mmaction::recognition/x3d/x3d_m_16x5x1_facebook-kinetics400-rgb.py'),
)
SMALL = (('dualformer_micro_motion', 'mmaction::recognition/x3d/x3d_s_13x6x1_facebook-kinetics400-rgb.py'),)
DTYPES = ('bfloat16', 'float16')
BATCH = {False: 8, True: 4}  # clips of a test and of a training step
EAGER_SHARE = 0.5  # of the time; the rest is for compiled models
COMPILERS = 5  # processes that compile at a time, each with some GB of the GPU's memory


def run(setting: Setting) -> None:
    """Measure inference and training, eager and then compiled, as long as there is time; what is measured is kept."""
    results: dict = {'results': [], 'left_out': {}}
    groups = [[_source(name) for name in group] for group in (SMALL if setting.quick else GROUPS)]
    steps = list(product((False, True), groups))
    end_of_eager = setting.seconds_left * (1 - EAGER_SHARE)
    for train, group in steps:
        entries = list(_entries(setting, 'eager', group, DTYPES, train))
        _measure(setting, results, entries, setting.quick or setting.seconds_left > end_of_eager)
    if setting.is_gpu and not setting.quick:
        compiled = [list(_entries(setting, 'compile', group, DTYPES[:1], train)) for train, group in steps]
        _compile([entry for entries in compiled for entry in entries], setting.seconds_left * 0.6)
        for entries in compiled:
            _measure(setting, results, entries, setting.seconds_left > 10)


def _source(name: str) -> Source:
    return read_source(name if '::' in name else str(ROOT / 'configs' / f'{name}.py'))


def _entries(
    setting: Setting, form: str, group: Sequence[Source], dtypes: Sequence[str], train: bool
) -> Iterator[Entry]:
    batch, shape = (1, (4, 32, 32)) if setting.quick else (BATCH[train], None)
    for source, dtype in product(group, dtypes):
        if setting.is_gpu or dtype != 'float16':  # which a CPU does not train in
            yield Entry(source, form, dtype, setting.device, batch, shape, train)


def _measure(setting: Setting, results: dict, entries: Sequence[Entry], has_time: bool) -> None:
    """Measure entries side by side, and add them to the results."""
    reason = '' if has_time else 'there was no time left'
    if has_time:
        runs = 1 if setting.quick else 9
        try:
            measured, left_out = measure(entries, runs, torch.get_num_threads(), say)
        except RuntimeError as error:  # as of a GPU that is full
            reason = describe(error)
        else:
            results['results'] += map(as_record, measured)
            results['left_out'].update(left_out)
    if reason:
        results['left_out'].update({_title(entry): reason for entry in entries})
    setting.keep('speed', results)
    if setting.is_gpu:
        torch.cuda.empty_cache()


def say(line: str) -> None:
    """Into the log."""
    print(line, file=sys.stderr)


def _title(entry: Entry) -> str:
    return f'{entry.title}{" training" * entry.train}'


def _compile(entries: Sequence[Entry], seconds: float) -> None:
    """Compile models in processes side by side, whose results PyTorch keeps on the disk for this one."""
    context = multiprocessing.get_context('spawn')
    deadline = time.monotonic() + seconds
    waiting = list(entries)
    running: list[multiprocessing.process.BaseProcess] = []
    most = max(min((os.cpu_count() or 1) // 3, COMPILERS), 1)
    while (waiting or running) and time.monotonic() < deadline:
        running = [process for process in running if process.is_alive()]
        while waiting and len(running) < most:
            running.append(context.Process(target=_run_once, args=(waiting.pop(0),)))
            running[-1].start()
        time.sleep(0.2)
    for process in running:
        process.kill()
        process.join()


def _run_once(entry: Entry) -> None:
    load(entry, Path(entry.source.path), 1).call()
