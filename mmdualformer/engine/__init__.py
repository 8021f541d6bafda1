from .agreement import Agreement
from .checkpoint_hook import CheckpointHook
from .self_contained_checkpoint import SelfContainedCheckpointHook
from .train_loop import ExactEpochBasedTrainLoop
from .unreadable_videos import UnreadableVideosHook

__all__ = [
    'Agreement',
    'CheckpointHook',
    'ExactEpochBasedTrainLoop',
    'SelfContainedCheckpointHook',
    'UnreadableVideosHook',
]
