from .backbones import DualFormer
from .data_preprocessors import MixedSizeDataPreprocessor
from .recognizers import MixedSizeRecognizer3D

__all__ = ['DualFormer', 'MixedSizeDataPreprocessor', 'MixedSizeRecognizer3D']
