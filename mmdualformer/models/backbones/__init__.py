from .dualformer import DualFormer
from .video_mobile_former import Mobile3D, VideoMobileFormer

__all__ = ['DualFormer', 'Mobile3D', 'VideoMobileFormer']
