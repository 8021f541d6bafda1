from .backbones import DualFormer, VidTr
from .data_preprocessors import MixedSizeDataPreprocessor
from .heads import TokenLabelHead
from .recognizers import MixedSizeRecognizer3D, TokenLabelRecognizer3D, TokenTeacher

__all__ = [
    'DualFormer', 'MixedSizeDataPreprocessor', 'MixedSizeRecognizer3D', 'TokenLabelHead', 'TokenLabelRecognizer3D',
    'TokenTeacher', 'VidTr'
]
