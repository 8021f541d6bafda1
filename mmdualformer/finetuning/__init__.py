"""A model of ours, fine-tuned on a user's own videos."""

from .batch import find_batch_size
from .config import check_finetuning, finetuning_config, set_batch
from .flip import find_mirrored_names, set_flip

__all__ = [
    'check_finetuning',
    'find_batch_size',
    'find_mirrored_names',
    'finetuning_config',
    'set_batch',
    'set_flip',
]
