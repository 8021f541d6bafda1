"""Whether a training step waits for the GPU between its first and its last kernel."""

import torch

from mmdualformer.analysis.waiting import find_wait

from .setting import Setting
from .steps import FAMILIES, SMALL, TrainingStep


def run(setting: Setting) -> None:
    """Look at a step of each family; without a GPU on the meta device."""
    results: dict = {'on': setting.device if setting.is_gpu else 'meta', 'waits': {}}
    for config in SMALL if setting.quick else FAMILIES:
        for with_cp in (False, True):
            step = TrainingStep(config, 2, results['on'], with_cp=with_cp)
            if setting.is_gpu:
                step()  # makes the optimizer's state, and loads kernels
            name = f'{config}{" with_cp" * with_cp}'
            results['waits'][name] = find_wait(step, torch.device(results['on']))
            setting.keep('waiting', results)
