from .motion import MotionLoss

__all__ = ['MotionLoss']
