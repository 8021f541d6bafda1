from .mixed_size import MixedSizeRecognizer3D

__all__ = ['MixedSizeRecognizer3D']
