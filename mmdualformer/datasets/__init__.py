from .token_labels import LoadTokenLabels, ResizeToMultiple, SampleWholeVideo
from .transforms import ShuffleFrames

__all__ = ['LoadTokenLabels', 'ResizeToMultiple', 'SampleWholeVideo', 'ShuffleFrames']
