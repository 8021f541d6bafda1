"""A model of ours, fine-tuned on a user's own videos."""

from .batch import find_batch_size
from .config import check_finetuning, finetuning_config, set_batch
from .start import (
    adopt_settings,
    carry_head,
    choose_model,
    compare_classes,
    order_classes,
    order_videos,
    write_start,
)

__all__ = [
    'adopt_settings',
    'carry_head',
    'check_finetuning',
    'choose_model',
    'compare_classes',
    'find_batch_size',
    'finetuning_config',
    'order_classes',
    'order_videos',
    'set_batch',
    'write_start',
]
