from .backbones import DualFormer

__all__ = ['DualFormer']
