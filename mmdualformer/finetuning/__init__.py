"""A model of ours, fine-tuned on a user's own videos."""

from .batch import find_batch_size
from .config import check_finetuning, finetuning_config, set_batch

__all__ = ['check_finetuning', 'find_batch_size', 'finetuning_config', 'set_batch']
