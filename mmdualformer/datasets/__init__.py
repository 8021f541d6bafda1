from mmdualformer.video import VideoError

from .decoding import VideoDecode, VideoInit
from .image_folder import ImageFolderDataset
from .moving_scenes import MovingScenesDataset
from .robust_repeat_aug_dataset import RobustRepeatAugDataset
from .robust_video_dataset import RobustVideoDataset
from .strict_video_dataset import StrictVideoDataset
from .switchable_flip import SwitchableFlip
from .token_labels import LoadTokenLabels, ResizeToMultiple, SampleWholeVideo
from .transforms import PillowResize, RandAugment, ShuffleFrames
from .whole_clip import RandomPart, SampleEvenly

__all__ = [
    'ImageFolderDataset',
    'LoadTokenLabels',
    'MovingScenesDataset',
    'PillowResize',
    'RandAugment',
    'RandomPart',
    'ResizeToMultiple',
    'RobustRepeatAugDataset',
    'RobustVideoDataset',
    'SampleEvenly',
    'SampleWholeVideo',
    'ShuffleFrames',
    'StrictVideoDataset',
    'SwitchableFlip',
    'VideoDecode',
    'VideoError',
    'VideoInit',
]
