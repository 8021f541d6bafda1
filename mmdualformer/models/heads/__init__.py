from .video_mobile_former_head import VideoMobileFormerHead

__all__ = ['VideoMobileFormerHead']
