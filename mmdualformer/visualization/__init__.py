from .grad_cam import grad_cam
from .rollout import RollOut, draw_maps, roll_out, separable_attention

__all__ = ['RollOut', 'draw_maps', 'grad_cam', 'roll_out', 'separable_attention']
