from .unreadable_videos import UnreadableVideosHook

__all__ = ['UnreadableVideosHook']
