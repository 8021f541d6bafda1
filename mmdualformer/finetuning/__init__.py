"""A model of ours, fine-tuned on a user's own videos."""

from .batch import find_batch_size
from .config import check_finetuning, finetuning_config, set_batch
from .display import add_tensorboard, check_tensorboard, show_progress
from .work_dir import FinetuningDir

__all__ = [
    'FinetuningDir',
    'add_tensorboard',
    'check_finetuning',
    'check_tensorboard',
    'find_batch_size',
    'finetuning_config',
    'set_batch',
    'show_progress',
]
