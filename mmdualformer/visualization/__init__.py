from .attention import attention_maps, has_attention, pyramid_attention, token_attention
from .drawing import contact_sheet, draw_maps, scale_frames, write_overlay, write_picture
from .explanation import Explanation, default_method, explain
from .grad_cam import grad_cam
from .rollout import RollOut, roll_out, separable_attention
from .views import View, read_view, view_of

__all__ = [
    'Explanation',
    'RollOut',
    'View',
    'attention_maps',
    'contact_sheet',
    'default_method',
    'draw_maps',
    'explain',
    'grad_cam',
    'has_attention',
    'pyramid_attention',
    'read_view',
    'roll_out',
    'scale_frames',
    'separable_attention',
    'token_attention',
    'view_of',
    'write_overlay',
    'write_picture',
]
