from .motion_metric import MotionMetric
from .robust_acc_metric import RobustAccMetric

__all__ = ['MotionMetric', 'RobustAccMetric']
