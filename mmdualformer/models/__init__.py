from .backbones import DualFormer, VidTr

__all__ = ['DualFormer', 'VidTr']
