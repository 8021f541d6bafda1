from .dualformer import DualFormer
from .mobile3d import Mobile3D
from .video_mobile_former import VideoMobileFormer
from .vidtr import VidTr

__all__ = ['DualFormer', 'Mobile3D', 'VidTr', 'VideoMobileFormer']
