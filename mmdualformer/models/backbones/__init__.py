from .dualformer import DualFormer
from .video_mobile_former import Mobile3D, VideoMobileFormer
from .vidtr import VidTr

__all__ = ['DualFormer', 'Mobile3D', 'VidTr', 'VideoMobileFormer']
