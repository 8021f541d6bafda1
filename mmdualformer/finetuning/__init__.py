"""A model of ours, fine-tuned on a user's own videos: what ``mmdualformer fit`` does, in the order of its steps."""

from .batch import find_batch_size
from .config import check_finetuning, finetuning_config, set_batch
from .data import PreparedData, add_data_arguments, check_data_arguments, prepare_data
from .display import add_tensorboard, check_tensorboard, show_progress
from .flip import find_mirrored_names, set_flip
from .folds import print_folds, summarize_folds
from .session import PROCESSES, train_and_test
from .start import (
    adopt_settings,
    carry_head,
    choose_model,
    compare_classes,
    order_classes,
    write_start,
)
from .tries import check_tries, list_models, make_space
from .work_dir import FinetuningDir, Run

__all__ = [
    'PROCESSES',
    'FinetuningDir',
    'PreparedData',
    'Run',
    'add_data_arguments',
    'add_tensorboard',
    'adopt_settings',
    'carry_head',
    'check_data_arguments',
    'check_finetuning',
    'check_tensorboard',
    'check_tries',
    'choose_model',
    'compare_classes',
    'find_batch_size',
    'find_mirrored_names',
    'finetuning_config',
    'list_models',
    'make_space',
    'order_classes',
    'prepare_data',
    'print_folds',
    'set_batch',
    'set_flip',
    'show_progress',
    'summarize_folds',
    'train_and_test',
    'write_start',
]
