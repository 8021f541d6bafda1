from .inflate import Inflated

__all__ = ['Inflated']
