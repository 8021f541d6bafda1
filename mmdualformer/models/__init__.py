from .backbones import DualFormer, Mobile3D, VideoMobileFormer, VidTr
from .data_preprocessors import MixedSizeDataPreprocessor
from .heads import TokenLabelHead, VideoMobileFormerHead
from .losses import MotionLoss
from .necks import MovingObjectNeck
from .recognizers import MixedSizeRecognizer3D, TokenLabelRecognizer3D, TokenTeacher

__all__ = [
    'DualFormer',
    'MixedSizeDataPreprocessor',
    'MixedSizeRecognizer3D',
    'Mobile3D',
    'MotionLoss',
    'MovingObjectNeck',
    'TokenLabelHead',
    'TokenLabelRecognizer3D',
    'TokenTeacher',
    'VidTr',
    'VideoMobileFormer',
    'VideoMobileFormerHead',
]
