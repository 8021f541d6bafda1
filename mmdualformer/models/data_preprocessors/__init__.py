from .mixed_size import MixedSizeDataPreprocessor

__all__ = ['MixedSizeDataPreprocessor']
