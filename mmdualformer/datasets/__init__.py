from .transforms import ShuffleFrames

__all__ = ['ShuffleFrames']
