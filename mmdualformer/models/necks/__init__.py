from .moving_object import MovingObjectNeck

__all__ = ['MovingObjectNeck']
