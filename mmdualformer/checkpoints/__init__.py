from .inflate import Inflated
from .recognizer import load_recognizer

__all__ = ['Inflated', 'load_recognizer']
