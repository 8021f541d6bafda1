"""The quick start's training, by the launcher and in mixed precision."""

import json
import os
import socket
import subprocess
from pathlib import Path

import torch.distributed

from mmdualformer.commands import ROOT
from mmdualformer.datasets.motion_clips import write_dataset
from mmdualformer.errors import UserError

from .setting import Setting

LEAST = 0.95  # top-1 accuracy
DTYPES = ('float16', 'bfloat16')

CONFIG = """_base_ = {base!r}

optim_wrapper = dict(dtype={dtype!r})
train_dataloader = dict(num_workers={workers}, persistent_workers={keep}, dataset=dict(data_root={data!r}))
val_dataloader = dict(num_workers={workers}, persistent_workers={keep}, dataset=dict(data_root={data!r}))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs={epochs})
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='EarlyStoppingHook', monitor='acc/top1', rule='greater', stopping_threshold={least}, patience={epochs}
    ),
]
"""


def run(setting: Setting) -> None:
    """Train until the accuracy is reached, in all dtypes side by side.

    Raises:
        UserError: A training fails.
    """
    data = setting.folder / 'motion'
    write_dataset(data, *((16, 8) if setting.quick else (1600, 160)), workers=os.cpu_count() or 1)
    workers = 0 if setting.quick else max(min((os.cpu_count() or 2) // 2 - 2, 6), 1)
    backend = 'nccl' if setting.is_gpu and torch.distributed.is_nccl_available() else 'gloo'
    results = {dtype: {'top1': None, 'epochs': 0, 'backend': backend} for dtype in DTYPES}
    runs = {}
    for dtype in DTYPES:
        config = setting.folder / f'training_{dtype}.py'
        base = str(ROOT / 'configs/dualformer_micro_motion.py')
        epochs = 1 if setting.quick else 12
        config.write_text(
            CONFIG.format(
                base=base, dtype=dtype, workers=workers, keep=workers > 0, data=str(data), epochs=epochs, least=LEAST
            )
        )
        command = [
            'bash',
            str(ROOT / 'tools/dist_train.sh'),
            str(config),
            '1',
            '--work-dir',
            str(_work(setting, dtype)),
        ]
        hidden = {} if setting.is_gpu else {'CUDA_VISIBLE_DEVICES': ''}
        runs[dtype] = subprocess.Popen(command, env={**os.environ, **hidden, 'PORT': str(_free_port())})
    try:
        _watch(setting, runs, results)
    finally:
        for process in runs.values():
            process.kill()
            process.wait()
    statuses = {dtype: process.returncode for dtype, process in runs.items() if process.returncode}
    if statuses:
        dtype, status = next(iter(statuses.items()))
        raise UserError(f'training in {dtype} ended with exit status {status}; see training.log')


def _watch(setting: Setting, runs: dict[str, subprocess.Popen], results: dict) -> None:
    """Note the accuracy of each run from time to time, until all have ended."""
    running = True
    while running:
        running = False
        for dtype, process in runs.items():
            try:
                process.wait(1.0)
            except subprocess.TimeoutExpired:
                running = True
            values = _accuracies(_work(setting, dtype))
            if values:
                results[dtype].update(top1=max(values), epochs=len(values))
        setting.keep('training', results)


def _work(setting: Setting, dtype: str) -> Path:
    return setting.folder / f'training_{dtype}'


def _accuracies(work_dir: Path) -> list[float]:
    """Top-1 of each validation, from the log of numbers that MMEngine writes."""
    lines = [line for path in work_dir.glob('*/vis_data/scalars.json') for line in path.read_text().splitlines()]
    records = [json.loads(line) for line in lines if line.endswith('}')]
    return [record['acc/top1'] for record in records if 'acc/top1' in record]


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        return server.getsockname()[1]
