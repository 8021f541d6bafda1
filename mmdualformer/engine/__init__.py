from .agreement import Agreement
from .checkpoint_hook import CheckpointHook
from .loss_spike_hook import LossSpikeHook
from .non_finite_hook import NonFiniteHook
from .optim_wrappers import FiniteAmpOptimWrapper, FiniteOptimWrapper
from .self_contained_checkpoint import SelfContainedCheckpointHook
from .train_loop import ExactEpochBasedTrainLoop
from .unreadable_videos import UnreadableVideosHook

__all__ = [
    'Agreement',
    'CheckpointHook',
    'ExactEpochBasedTrainLoop',
    'FiniteAmpOptimWrapper',
    'FiniteOptimWrapper',
    'LossSpikeHook',
    'NonFiniteHook',
    'SelfContainedCheckpointHook',
    'UnreadableVideosHook',
]
