"""The latencies of the papers' tables, measured on this machine."""

import platform
from collections.abc import Callable, Sequence

import torch
from mmengine.config import Config
from mmengine.hub import get_config
from torch import nn

from mmdualformer.analysis import build_scorer, clip_shape, median_times

from .leaves import named_config
from .published import UNITS, Row
from .report import markdown_table

LATENCIES = ('latency', 'gpu_latency', 'cpu_latency')


def device_name(device: torch.device) -> str:
    """What a number was measured on."""
    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    return f'CPU ({platform.machine()}), {torch.get_num_threads()} threads'


def measure_latencies(rows: Sequence[Row], device: torch.device, runs: int) -> dict[int, float]:
    """Time a view of each row's model, backbone and head, side by side; the models of an ensemble after each other.

    Args:
        rows (sequence): Rows of the papers. Those that neither a config of ours nor one of MMAction2's stands for, or
            whose model takes images, are left out.
        device (torch.device): What to run on.
        runs (int): Timed runs of each.

    Returns:
        dict: Index of the row -> median in milliseconds.
    """
    models: dict[str, tuple[nn.Module, torch.Tensor]] = {}
    calls = {}
    for i, row in enumerate(rows):
        of_row = []
        for cfg in _configs(row):
            frames = int(row.input) if row.input.isdigit() else None  # Table 12 gives all models as many
            key = repr((cfg.model, frames))
            if key not in models:
                models[key] = _view(cfg, frames, device)
            of_row.append(models[key])
        if of_row:
            calls[i] = _timed(of_row, device)
    with torch.inference_mode():
        return median_times(calls, runs)


def latency_table(rows: Sequence[Row], times: dict[int, float], where: str) -> str:
    """Write what was measured beside what the paper prints."""
    columns = [UNITS[name] for name in LATENCIES if any(name in row.published for row in rows)]
    here = f'here, ms ({where})'
    lines = []
    for i, row in enumerate(rows):
        model = f'mmaction::{row.mmaction}' if row.mmaction else ' + '.join(filter(None, (row.config, row.partner)))
        line = {'row': row.row, 'input': row.input, 'model': model, here: f'{times[i]:.1f}' if i in times else ''}
        for name in LATENCIES:
            line[UNITS[name]] = f'{row.published[name]:g}' if name in row.published else ''
        lines.append(line)
    return markdown_table(['row', 'input', 'model', *columns, here], lines)


def _configs(row: Row) -> list[Config]:
    if row.config:
        return [named_config(config) for config in (row.config, row.partner) if config]
    cfg = get_config(f'mmaction::recognition/{row.mmaction}.py') if row.mmaction else None
    return [cfg] if cfg is not None and cfg.model.type != 'Recognizer2D' else []


def _view(cfg: Config, frames: int | None, device: torch.device) -> tuple[nn.Module, torch.Tensor]:
    batch, channels, length, *size = clip_shape(cfg)
    return build_scorer(cfg).to(device), torch.randn(batch, channels, frames or length, *size, device=device)


def _timed(models: Sequence[tuple[nn.Module, torch.Tensor]], device: torch.device) -> Callable[[], None]:
    def call() -> None:
        for model, clip in models:
            model(clip)
        if device.type == 'cuda':
            torch.cuda.synchronize(device)

    return call
