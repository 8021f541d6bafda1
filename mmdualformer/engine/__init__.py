from .self_contained_checkpoint import SelfContainedCheckpointHook
from .unreadable_videos import UnreadableVideosHook

__all__ = ['SelfContainedCheckpointHook', 'UnreadableVideosHook']
