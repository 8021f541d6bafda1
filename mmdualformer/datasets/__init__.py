from .decoding import VideoDecode, VideoError, VideoInit
from .robust_video_dataset import RobustVideoDataset
from .token_labels import LoadTokenLabels, ResizeToMultiple, SampleWholeVideo
from .transforms import ShuffleFrames

__all__ = [
    'LoadTokenLabels', 'ResizeToMultiple', 'RobustVideoDataset', 'SampleWholeVideo', 'ShuffleFrames', 'VideoDecode',
    'VideoError', 'VideoInit'
]
