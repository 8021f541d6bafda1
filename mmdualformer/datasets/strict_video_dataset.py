from mmaction.registry import DATASETS

from .robust_video_dataset import RobustVideoDataset


@DATASETS.register_module()
class StrictVideoDataset(RobustVideoDataset):
    """A ``RobustVideoDataset`` that stops at the first video that cannot be read, in training and in testing.

    It is for what no other sample and no blank frames can stand in for, such as features. There is no time limit.
    """

    def prepare_data(self, idx: int) -> dict:
        """Read a video.

        Args:
            idx (int): Its place in the list.

        Returns:
            dict: What the pipeline makes of it.

        Raises:
            VideoError: It cannot be read.
        """
        return self.pipeline(self.get_data_info(idx))
