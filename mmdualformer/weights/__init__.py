"""Checkpoints: safe reading, what is in them, and whether they fit a model. It knows models as modules, no layers."""

from .fitting import check_checkpoint, check_fit, hand_over, load_checked
from .reading import check_read, load_safely, read_file, read_progress, read_weights, take_weights, tensors_of
from .training_state import check_state_of_training
from .writing import write_weights

__all__ = [
    'check_checkpoint',
    'check_fit',
    'check_read',
    'check_state_of_training',
    'hand_over',
    'load_checked',
    'load_safely',
    'read_file',
    'read_progress',
    'read_weights',
    'take_weights',
    'tensors_of',
    'write_weights',
]
