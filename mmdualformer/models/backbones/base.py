from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch.nn as nn
from mmengine.model import BaseModule
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.models.arguments import InitCfg, show


class VideoBackbone(BaseModule):
    """What all backbones have in common: variants by name, outputs of several stages, and stages that stay frozen.

    The last map of places and times, ``[B, C, T, H, W]``, passes through the submodule ``feature_map`` on its way to
    the score, also where the backbone puts out something else. It changes nothing, and is where Grad-CAM hooks in.

    Subclasses have an ``arch_zoo``, and say in :meth:`frozen_parts` what ``frozen_stages`` freezes. They check their
    arguments (:func:`mmdualformer.models.arguments.check_arguments`), and call :meth:`freeze` when they are built.

    Args:
        num_stages (int): Stages, which ``out_indices`` and ``frozen_stages`` count.
        least_size (tuple): Smallest clip, ``(t, h, w)``.
        in_channels (int): Channels of the clip.
        out_indices (sequence): Stages whose outputs are returned, in ascending order from 0.
        frozen_stages (int): Stages 0 to ``frozen_stages`` are not trained and stay in eval mode; -1 for none.
        with_cp (bool): Recompute each block in the backward pass to save memory.
        init_cfg (dict or list, optional): Initialisation, MMEngine's way.

    Raises:
        UserError: ``out_indices`` or ``frozen_stages`` names no stage.
    """

    arch_zoo: ClassVar[Mapping[str, Mapping[str, Any]]]
    stage_name = 'stages'
    slow_in: ClassVar[Mapping[str, Sequence[str]]] = {}  # type of a device -> dtypes that are slower than float32

    def __init__(
        self,
        num_stages: int,
        least_size: tuple[int, int, int],
        in_channels: int,
        out_indices: Sequence[int],
        frozen_stages: int,
        with_cp: bool,
        init_cfg: InitCfg,
    ) -> None:
        super().__init__(init_cfg)
        if not out_indices or list(out_indices) != [i for i in range(num_stages) if i in out_indices]:
            names = f'{self.stage_name} of 0 to {num_stages - 1}'
            raise UserError(f'out_indices={show(out_indices)} must name {names} in ascending order')
        if not -1 <= frozen_stages < num_stages:
            raise UserError(f'frozen_stages={show(frozen_stages)} must lie between -1 (none) and {num_stages - 1}')
        self.least_size = least_size
        self.in_channels = in_channels
        self.out_indices = out_indices
        self.frozen_stages = frozen_stages
        self.with_cp = with_cp
        self.feature_map = nn.Identity()

    @classmethod
    def look_up_arch(cls, arch: str | Mapping[str, Any]) -> Any:
        """Find a variant by its name; a user's own is what it is.

        Raises:
            UserError: There is no variant of this name.
        """
        if not isinstance(arch, str):
            return arch
        if arch not in cls.arch_zoo:
            raise UserError(
                f'arch={show(arch)} is unknown to {cls.__name__}; choose from {sorted(cls.arch_zoo)} or give a dict'
            )
        return cls.arch_zoo[arch]

    def check_clip(self, x: Tensor) -> None:
        """Check clips ``[B, in_channels, T, H, W]``.

        Raises:
            UserError: They have another number of axes or channels, or are smaller than ``least_size``.
        """
        if x.ndim != 5 or x.shape[1] != self.in_channels:
            raise UserError(
                f'the clip has shape {tuple(map(int, x.shape))}; {type(self).__name__} takes '
                f'[batch, {self.in_channels}, frames, height, width]'
            )
        if any(length < least for length, least in zip(x.shape[2:], self.least_size)):
            raise UserError(
                f'the clip has frames x height x width = {" x ".join(map(str, x.shape[2:]))}; '
                f'{type(self).__name__} takes at least {" x ".join(map(str, self.least_size))}'
            )

    def train(self, mode: bool = True) -> 'VideoBackbone':
        """Set the training mode; what is frozen stays in eval mode."""
        super().train(mode)
        self.freeze()
        return self

    def freeze(self) -> None:
        """Freeze what ``frozen_stages`` says."""
        if self.frozen_stages >= 0:
            for part in self.frozen_parts():
                part.requires_grad_(False)
                if isinstance(part, nn.Module):
                    part.eval()

    def stage_ends(self) -> list[nn.Module]:
        """The modules whose outputs leave the stages that are built, one for each, in their order."""
        return list(getattr(self, self.stage_name))

    @abstractmethod
    def stage_map(self, stage: int, output: Any, size: Sequence[int]) -> Tensor:
        """Make the feature map of a stage from what leaves it. That of the arch's last stage is normalised.

        Args:
            stage (int): The stage, from 0.
            output: What its module of :meth:`stage_ends` puts out.
            size (sequence): ``(T, H, W)`` of the clips that entered the backbone.

        Returns:
            Tensor: ``[B, C, T', H', W']``, without tokens that stand for no place.
        """

    def stage_tokens(self, output: Any) -> Tensor | None:
        """The global tokens ``[B, M, D]`` in what leaves a stage; None of a family that has none."""
        return None

    @abstractmethod
    def frozen_parts(self) -> Iterable[nn.Module | nn.Parameter]:
        """The modules and parameters of the stem and of stages 0 to ``frozen_stages``."""
