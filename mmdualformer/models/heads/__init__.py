from .token_label import TokenLabelHead

__all__ = ['TokenLabelHead']
