from .attention import RelativePositionBias, multi_head_attention
from .checkpoint import run_checkpointed
from .conv3d import ConvNorm3d, DepthwiseConv3d, FactorizedConv3d, PointwiseConv3d
from .dynamic_relu import DynamicReLU, frame_means
from .mlp import Mlp
from .token_conv import TokenConv3d
from .windows import Size, merge_windows, partition_windows

__all__ = [
    'ConvNorm3d',
    'DepthwiseConv3d',
    'DynamicReLU',
    'FactorizedConv3d',
    'Mlp',
    'PointwiseConv3d',
    'RelativePositionBias',
    'Size',
    'TokenConv3d',
    'frame_means',
    'merge_windows',
    'multi_head_attention',
    'partition_windows',
    'run_checkpointed',
]
