from .token_label import TokenLabelHead
from .video_mobile_former import VideoMobileFormerHead

__all__ = ['TokenLabelHead', 'VideoMobileFormerHead']
