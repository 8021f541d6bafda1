from .backbones import DualFormer, Mobile3D, VideoMobileFormer
from .heads import VideoMobileFormerHead

__all__ = ['DualFormer', 'Mobile3D', 'VideoMobileFormer', 'VideoMobileFormerHead']
