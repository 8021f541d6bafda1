from typing import NoReturn

from mmaction.registry import DATASETS

from mmdualformer.video import VideoError

from .robust_video_dataset import RobustVideoDataset


@DATASETS.register_module()
class StrictVideoDataset(RobustVideoDataset):
    """A ``RobustVideoDataset`` that stops at the first video that cannot be read, in training and in testing.

    It is for what neither other samples nor blank frames can stand in for, such as features.
    """

    def leave_out(self, video: str, reason: str) -> NoReturn:
        """Stop.

        Raises:
            VideoError: Always.
        """
        raise VideoError(f'video {video!r} cannot be read: {reason}', reason)
