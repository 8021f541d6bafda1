"""A model of ours, fine-tuned on a user's own videos."""

from .batch import find_batch_size
from .config import check_finetuning, finetuning_config, set_batch
from .data import PreparedData, add_data_arguments, check_data_arguments, prepare_data
from .folds import print_folds, summarize_folds

__all__ = [
    'PreparedData',
    'add_data_arguments',
    'check_data_arguments',
    'check_finetuning',
    'find_batch_size',
    'finetuning_config',
    'prepare_data',
    'print_folds',
    'set_batch',
    'summarize_folds',
]
