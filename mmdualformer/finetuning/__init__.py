"""A model of ours, fine-tuned on a user's own videos."""

from .batch import find_batch_size
from .config import check_finetuning, finetuning_config, set_batch
from .flip import find_mirrored_names, set_flip
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
    'find_mirrored_names',
    'finetuning_config',
    'order_classes',
    'order_videos',
    'set_batch',
    'set_flip',
    'write_start',
]
