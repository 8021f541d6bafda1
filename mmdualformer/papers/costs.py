"""What the models of our configs cost, counted as their papers count."""

import functools
from dataclasses import dataclass

import torch
import torch.nn as nn
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope

from mmdualformer.analysis import clip_shape, count_cost

from .families import family_of
from .leaves import named_config


@dataclass(frozen=True)
class ModelCost:
    """What one view costs: GFLOPs in the convention of the model's paper, multiply-adds (1e9), parameters (1e6)."""

    gflops: float
    macs: float
    params: float


_COUNTED: dict[str, ModelCost] = {}


@functools.cache
def model_cost(config: str, counted: str) -> ModelCost:
    """Count the model of a config for the clip that its test pipeline makes; equal models are counted once.

    Args:
        config (str): Name of a config.
        counted (str): 'backbone', or 'model' for backbone and head.
    """
    cfg = named_config(config)
    init_default_scope(cfg.default_scope)
    parts = [cfg.model.backbone] if counted == 'backbone' else [cfg.model.backbone, cfg.model.cls_head]
    parts[0].pop('init_cfg', None)
    shape = clip_shape(cfg)
    family = family_of(config)
    count_flops = family.count_flops if family else None
    key = repr((parts, shape, count_flops))
    if key not in _COUNTED:
        # without weights, but for MMAction2's Swin, which reads a tensor's numbers while it is built
        with torch.device('cpu' if parts[0].type == 'SwinTransformer3D' else 'meta'):
            model = nn.Sequential(*(MODELS.build(part) for part in parts))
        cost = count_cost(model, shape)
        flops = count_flops(model, shape) if count_flops else cost.flops
        _COUNTED[key] = ModelCost(flops / 1e9, cost.macs / 1e9, cost.params / 1e6)
    return _COUNTED[key]


def comparable_gflops(config: str, counted: str) -> float:
    """GFLOPs of a view that can be compared between families: multiply-adds where a paper has its own convention."""
    family, cost = family_of(config), model_cost(config, counted)
    return cost.macs if family and family.count_flops else cost.gflops
