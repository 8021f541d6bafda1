"""A model of ours, fine-tuned on a user's own videos."""

from .batch import find_batch_size
from .config import check_finetuning, finetuning_config, set_batch
from .display import add_tensorboard, check_tensorboard, show_progress
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
from .work_dir import FinetuningDir

__all__ = [
    'FinetuningDir',
    'add_tensorboard',
    'adopt_settings',
    'carry_head',
    'check_finetuning',
    'check_tensorboard',
    'choose_model',
    'compare_classes',
    'find_batch_size',
    'find_mirrored_names',
    'finetuning_config',
    'order_classes',
    'order_videos',
    'set_batch',
    'set_flip',
    'show_progress',
    'write_start',
]
