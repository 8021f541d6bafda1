import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn as nn
from torch.utils.flop_counter import FlopCounterMode

# What fvcore's counter, which the papers use, adds for an element that a normalisation puts out.
_NORM_COST = {nn.LayerNorm: 5, nn.BatchNorm1d: 2, nn.BatchNorm2d: 2, nn.BatchNorm3d: 2}


@dataclass(frozen=True)
class Cost:
    """Cost of one forward pass.

    Attributes:
        macs (int): Multiply-adds of convolutions, matrix products and attention.
        flops (int): The papers' "FLOPs": ``macs`` and normalisation, as fvcore counts them.
        params (int): Parameters.
    """

    macs: int
    flops: int
    params: int


def count_cost(model: nn.Module, shape: Sequence[int]) -> Cost:
    """Count what a model costs, without computing anything.

    MMEngine's ``FlopAnalyzer`` has to compute the model, which it traces, and misses fused attention. PyTorch's counter
    misses fused attention on the CPU. On the meta device it sees all, so that is where a copy of the model runs.

    Args:
        model (nn.Module): On any device; it stays as it is.
        shape (sequence): Shape of the input, batch included.

    Returns:
        Cost: The cost of the whole input in eval mode.
    """
    model = copy.deepcopy(model).to('meta').eval().requires_grad_(False)  # torch's counter hooks into gradients
    norm_flops = 0

    def count_norm(flops_per_element: int, module: nn.Module, _, output: torch.Tensor) -> None:
        nonlocal norm_flops
        norm_flops += flops_per_element * output.numel()

    for module in model.modules():
        for norm, flops_per_element in _NORM_COST.items():
            if isinstance(module, norm):
                module.register_forward_hook(partial(count_norm, flops_per_element))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.empty(*shape, device='meta'))
    macs = counter.get_total_flops() // 2
    return Cost(macs, macs + norm_flops, sum(parameter.numel() for parameter in model.parameters()))


def split_cost(model: nn.Module, shape: Sequence[int], kinds: Sequence[type[nn.Module]]) -> dict[str, int]:
    """Count the multiply-adds in all modules of some kinds, none of which is within another.

    Args:
        model (nn.Module): On any device; it stays as it is.
        shape (sequence): Shape of the input, batch included.
        kinds (sequence): Classes of modules.

    Returns:
        dict: Name of the class -> multiply-adds of the whole input in eval mode.
    """
    model = copy.deepcopy(model).to('meta').eval().requires_grad_(False)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.empty(*shape, device='meta'))
    counts = counter.get_flop_counts()
    prefix = type(model).__name__
    return {
        kind.__name__: sum(
            sum(counts[f'{prefix}.{name}'].values()) // 2
            for name, module in model.named_modules()
            if isinstance(module, kind)
        )
        for kind in kinds
    }
