from .mixed_size import MixedSizeRecognizer3D
from .token_label import TokenLabelRecognizer3D, TokenTeacher

__all__ = ['MixedSizeRecognizer3D', 'TokenLabelRecognizer3D', 'TokenTeacher']
