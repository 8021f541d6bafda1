from mmdualformer.video import VideoError

from .decoding import VideoDecode, VideoInit
from .image_folder import ImageFolderDataset
from .robust_repeat_aug_dataset import RobustRepeatAugDataset
from .robust_video_dataset import RobustVideoDataset
from .strict_video_dataset import StrictVideoDataset
from .switchable_flip import SwitchableFlip
from .token_labels import LoadTokenLabels, ResizeToMultiple, SampleWholeVideo
from .transforms import PillowResize, RandAugment, ShuffleFrames

__all__ = [
    'ImageFolderDataset',
    'LoadTokenLabels',
    'PillowResize',
    'RandAugment',
    'ResizeToMultiple',
    'RobustRepeatAugDataset',
    'RobustVideoDataset',
    'SampleWholeVideo',
    'ShuffleFrames',
    'StrictVideoDataset',
    'SwitchableFlip',
    'VideoDecode',
    'VideoError',
    'VideoInit',
]
