import torch
from mmaction.datasets.transforms import Flip
from mmaction.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SwitchableFlip(Flip):
    """MMAction2's ``Flip`` that mirrors nothing until it is switched on, also in data workers that run already.

    It draws the same random numbers either way, so that what other transforms draw does not depend on it. Workers see
    the switch at once: turn it between two epochs, when none of them reads ahead.

    Args:
        flip_ratio (float): Share of the clips that are mirrored when it is on. Defaults to 0.5.
        **kwargs: Those of ``Flip``.
    """

    def __init__(self, flip_ratio: float = 0.5, **kwargs) -> None:
        self._is_on = torch.zeros(1, dtype=torch.bool).share_memory_()  # shared under fork and under spawn
        super().__init__(flip_ratio, **kwargs)

    def switch(self, on: bool) -> None:
        """Mirror clips from now on, or no longer."""
        self._is_on.fill_(on)

    @property
    def flip_ratio(self) -> float:
        """Share of the clips that are mirrored now."""
        return self._flip_ratio if self._is_on.item() else 0.0

    @flip_ratio.setter
    def flip_ratio(self, ratio: float) -> None:
        self._flip_ratio = ratio
