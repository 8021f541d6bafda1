from .attention import multi_head_attention
from .mlp import Mlp
from .windows import merge_windows, pad_to_multiple, partition_windows

__all__ = ['Mlp', 'merge_windows', 'multi_head_attention', 'pad_to_multiple', 'partition_windows']
