from .image_folder import ImageFolderDataset
from .token_labels import LoadTokenLabels, ResizeToMultiple, SampleWholeVideo
from .transforms import PillowResize, RandAugment, ShuffleFrames

__all__ = [
    'ImageFolderDataset', 'LoadTokenLabels', 'PillowResize', 'RandAugment', 'ResizeToMultiple', 'SampleWholeVideo',
    'ShuffleFrames'
]
