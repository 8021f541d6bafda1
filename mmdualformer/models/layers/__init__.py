from .attention import RelativePositionBias, multi_head_attention
from .checkpoint import run_checkpointed
from .conv3d import ConvNorm3d, DepthwiseConv3d, FactorizedConv3d, PointwiseConv3d, fold_norm
from .dropout import Dropout
from .dynamic_relu import DynamicReLU, frame_means
from .linear import apply_linear
from .mlp import Mlp
from .sizes import accumulate_strides, count_steps, fit_box, map_size, unview, varies
from .token_conv import TokenConv3d
from .tracing import is_watched, spare
from .windows import merge_windows, partition_windows

__all__ = [
    'ConvNorm3d',
    'DepthwiseConv3d',
    'Dropout',
    'DynamicReLU',
    'FactorizedConv3d',
    'Mlp',
    'PointwiseConv3d',
    'RelativePositionBias',
    'TokenConv3d',
    'accumulate_strides',
    'apply_linear',
    'count_steps',
    'fit_box',
    'fold_norm',
    'frame_means',
    'is_watched',
    'map_size',
    'merge_windows',
    'multi_head_attention',
    'partition_windows',
    'run_checkpointed',
    'spare',
    'unview',
    'varies',
]
