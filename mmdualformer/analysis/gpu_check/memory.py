"""How much memory a training step takes, with and without computing blocks again."""

import gc

import torch

from mmdualformer.analysis.training_memory import estimate_training_memory

from .setting import Setting
from .steps import TrainingStep

# config and clips; the first is of a goal
STEPS = (
    ('dualformer_t_k400', 64),
    ('dualformer_b_k400', 8),
    ('vidtr_s_k400', 8),
    ('cvidtr_s_k400', 8),
    ('vmf_1g_k400', 8),
)
SMALL = (('dualformer_micro_motion', 2), ('vmf_micro_motion', 2))


def run(setting: Setting) -> None:
    """Measure each step on a GPU, and estimate what a GPU would need anywhere."""
    steps = [(*step, with_cp) for step in (SMALL if setting.quick else STEPS) for with_cp in (False, True)]
    if setting.quick and not setting.is_gpu:
        steps.insert(0, (*STEPS[0], False))  # of a goal, and an estimate takes seconds
    rows: list[dict] = [dict(zip(('config', 'batch', 'with_cp'), step)) for step in steps]
    for row, step in zip(rows, steps) if setting.is_gpu else ():  # first, as only a GPU can
        row.update(_measure(*step, setting.device))
        setting.keep('memory', {'rows': rows})
    for row, step in zip(rows, steps):
        row['estimate_gib'] = round(_estimate(*step) / 2**30, 3)
        setting.keep('memory', {'rows': rows})


def _estimate(config: str, batch: int, with_cp: bool) -> int:
    step = TrainingStep(config, batch, 'meta', torch.float32, with_cp)  # the casts are those of a GPU
    return estimate_training_memory(step.model, lambda _: step.loss())


def _measure(config: str, batch: int, with_cp: bool, device: str) -> dict:
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    try:
        step = TrainingStep(config, batch, device, with_cp=with_cp)
        for _ in range(2):  # the second has the optimizer's state
            step()
        torch.cuda.synchronize(device)
    except torch.cuda.OutOfMemoryError:
        return {'measured_gib': None, 'reason': 'more than the GPU has'}
    return {
        'measured_gib': round(torch.cuda.max_memory_allocated(device) / 2**30, 3),
        'reserved_gib': round(torch.cuda.max_memory_reserved(device) / 2**30, 3),
    }
