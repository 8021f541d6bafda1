from .dualformer import DualFormer

__all__ = ['DualFormer']
