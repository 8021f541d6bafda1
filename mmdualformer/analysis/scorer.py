"""The part of a config's recognizer that is measured and exported, and the clip it is measured with."""

from collections import OrderedDict

import torch.nn as nn
from mmaction.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

from mmdualformer.datasets.wrappers import iterate_configs
from mmdualformer.errors import UserError


def as_scorer(model: nn.Module) -> nn.Module:
    """Take backbone and head of a recognizer: from a normalised clip to logits."""
    names = ('backbone', 'cls_head')  # the recognizer's
    scorer = nn.Sequential(OrderedDict((name, model.get_submodule(name)) for name in names))
    return scorer.train(model.training)


def build_scorer(cfg: Config) -> nn.Module:
    """Build backbone and head of a config's recognizer, in eval mode."""
    init_default_scope(cfg.default_scope)
    return as_scorer(MODELS.build(cfg.model).eval())


def find_test_pipeline(cfg: Config) -> list[ConfigDict]:
    """Find the pipeline of a config's test data, of several data sets that of the first."""
    return next(iterate_configs('test_dataloader.dataset', cfg.test_dataloader.dataset))[1]['pipeline']


def clip_shape(cfg: Config) -> tuple[int, int, int, int, int]:
    """Shape of the single clip and view that a config's test pipeline makes, batch included.

    Raises:
        UserError: No step of the pipeline samples frames, or none says how large they become.
    """
    pipeline = find_test_pipeline(cfg)
    frames = next((step.clip_len for step in pipeline if 'clip_len' in step), None)
    crops = [(step.crop_size, step.crop_size) for step in pipeline if 'crop_size' in step]
    squeezed = [tuple(step.scale) for step in pipeline if step.get('keep_ratio') is False]  # width and height
    if frames is None or not crops + squeezed:
        raise UserError(
            f"the test pipeline must have steps with 'clip_len' and 'crop_size', not "
            f'{", ".join(step.type for step in pipeline)}'
        )
    width, height = (crops + squeezed)[0]
    return 1, 3, frames, height, width
