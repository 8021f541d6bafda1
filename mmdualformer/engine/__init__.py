from .agreement import Agreement
from .checkpoint_hook import CheckpointHook
from .interruption import InterruptionHook
from .layer_decay import LayerDecayOptimWrapperConstructor
from .loss_spike_hook import LossSpikeHook
from .mirror_hook import MirrorHook
from .non_finite_hook import NonFiniteHook
from .optim_wrappers import FiniteAmpOptimWrapper, FiniteOptimWrapper
from .progress_hook import ProgressHook
from .quiet_runner import QuietRunner
from .self_contained_checkpoint import SelfContainedCheckpointHook
from .stall import StallHook
from .train_loop import ExactEpochBasedTrainLoop
from .unreadable_videos import UnreadableVideosHook

__all__ = [
    'Agreement',
    'CheckpointHook',
    'ExactEpochBasedTrainLoop',
    'FiniteAmpOptimWrapper',
    'FiniteOptimWrapper',
    'InterruptionHook',
    'LayerDecayOptimWrapperConstructor',
    'LossSpikeHook',
    'MirrorHook',
    'NonFiniteHook',
    'ProgressHook',
    'QuietRunner',
    'SelfContainedCheckpointHook',
    'StallHook',
    'UnreadableVideosHook',
]
