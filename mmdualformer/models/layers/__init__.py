from .attention import RelativePositionBias, multi_head_attention
from .checkpoint import run_checkpointed
from .conv3d import DepthwiseConv3d, PointwiseConv3d
from .dynamic_relu import DynamicReLU, frame_means
from .mlp import Mlp
from .windows import Size, merge_windows, pad_to_multiple, partition_windows

__all__ = [
    'DepthwiseConv3d', 'DynamicReLU', 'Mlp', 'PointwiseConv3d', 'RelativePositionBias', 'Size', 'frame_means',
    'merge_windows', 'multi_head_attention', 'pad_to_multiple', 'partition_windows', 'run_checkpointed'
]
