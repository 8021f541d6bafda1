from .dualformer import DualFormer
from .vidtr import VidTr

__all__ = ['DualFormer', 'VidTr']
