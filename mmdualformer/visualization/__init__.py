from .rollout import RollOut, draw_maps, roll_out, separable_attention

__all__ = ['RollOut', 'draw_maps', 'roll_out', 'separable_attention']
