from .rollout import RollOut, roll_out, separable_attention

__all__ = ['RollOut', 'roll_out', 'separable_attention']
