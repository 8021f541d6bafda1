from mmdualformer.video import VideoError

from .decoding import VideoDecode, VideoInit
from .image_folder import ImageFolderDataset
from .moving_scenes import MovingScenesDataset
from .robust_repeat_aug_dataset import RobustRepeatAugDataset
from .robust_video_dataset import RobustVideoDataset
from .strict_video_dataset import StrictVideoDataset
from .token_labels import LoadTokenLabels, ResizeToMultiple, SampleWholeVideo
from .transforms import PillowResize, RandAugment, ShuffleFrames

__all__ = [
    'ImageFolderDataset',
    'LoadTokenLabels',
    'MovingScenesDataset',
    'PillowResize',
    'RandAugment',
    'ResizeToMultiple',
    'RobustRepeatAugDataset',
    'RobustVideoDataset',
    'SampleWholeVideo',
    'ShuffleFrames',
    'StrictVideoDataset',
    'VideoDecode',
    'VideoError',
    'VideoInit',
]
