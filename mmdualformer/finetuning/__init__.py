"""A model of ours, fine-tuned on a user's own videos: what ``mmdualformer fit`` does, in the order of its steps."""

from .batch import find_batch_size
from .config import check_config, check_finetuning, explain_options, finetuning_config, set_batch
from .data import PreparedData, add_data_arguments, check_data_arguments, prepare_data
from .display import add_tensorboard, check_tensorboard, show_progress
from .flip import set_flip
from .folds import print_folds, summarize_folds
from .models import DEFAULT_MODEL, check_models, find_config, list_models
from .session import PROCESSES, train_and_test
from .start_settings import adopt_settings, choose_model
from .start_weights import find_packaged_start, write_start
from .tries import check_tries
from .try_settings import make_space
from .work_dir import FinetuningDir, Run, fold_dir

__all__ = [
    'DEFAULT_MODEL',
    'PROCESSES',
    'FinetuningDir',
    'PreparedData',
    'Run',
    'add_data_arguments',
    'add_tensorboard',
    'adopt_settings',
    'check_config',
    'check_data_arguments',
    'check_finetuning',
    'check_models',
    'check_tensorboard',
    'check_tries',
    'choose_model',
    'explain_options',
    'find_batch_size',
    'find_config',
    'find_packaged_start',
    'finetuning_config',
    'fold_dir',
    'list_models',
    'make_space',
    'prepare_data',
    'print_folds',
    'set_batch',
    'set_flip',
    'show_progress',
    'summarize_folds',
    'train_and_test',
    'write_start',
]
