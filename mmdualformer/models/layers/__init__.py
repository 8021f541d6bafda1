from .attention import RelativePositionBias, multi_head_attention
from .mlp import Mlp
from .token_conv import TokenConv3d
from .windows import Size, merge_windows, pad_to_multiple, partition_windows

__all__ = [
    'Mlp', 'RelativePositionBias', 'Size', 'TokenConv3d', 'merge_windows', 'multi_head_attention', 'pad_to_multiple',
    'partition_windows'
]
