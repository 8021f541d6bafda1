from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
import torch.nn as nn
from mmengine.model import BaseModule
from torch import Tensor
from torch.fx import Proxy

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
        with_cp (bool): Recompute parts in the backward pass to save memory.
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

    def check_clip(self, x: Tensor | Proxy) -> None:
        """Check clips ``[B, in_channels, T, H, W]``.

        Raises:
            UserError: They have another number of axes or channels, are smaller than ``least_size``, or have numbers of
                another type than the weights; or they have no sizes, as those of ``torch.fx``.
        """
        if isinstance(x, Proxy):
            raise UserError(
                f'torch.fx traces {type(self).__name__} without a clip, on whose size its layers depend; use '
                'torch.export.export or torch.compile'
            )
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
        if not x.is_floating_point():
            raise UserError(
                f'the clip has pixels of {x.dtype}; {type(self).__name__} takes floating-point ones, normalised by the '
                'mean and std of model.data_preprocessor'
            )
        weight = next(self.parameters(), x)  # FSDP may leave none
        if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
            raise UserError(
                f'the clip has pixels of {x.dtype}, {type(self).__name__} weights of {weight.dtype}; give both one '
                'type or use torch.autocast'
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

    @property
    def num_features(self) -> int:
        """Channels of the last output, as timm's models say it."""
        return self.out_channels[-1]

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of each output, of which there is one for each of ``out_indices``."""
        channels = self.stage_channels()
        return tuple(channels[i] for i in self.out_indices)

    @property
    def strides(self) -> tuple[tuple[float, int, int], ...]:
        """Frames, rows and columns ``(t, h, w)`` of the clip to one place in the map of each output."""
        strides = self.stage_strides()
        return tuple(strides[i] for i in self.out_indices)

    @property
    def feature_info(self) -> list[dict]:
        """A dict for each stage that is built, as timm's models have it.

        ``num_chs`` are its channels, ``reduction`` is its stride over the height, ``stride`` that over ``(t, h, w)``,
        and ``module`` is the name of what it leaves, for hooks.
        """
        names = {module: name for name, module in self.named_modules()}
        stages = zip(self.stage_ends(), self.stage_channels(), self.stage_strides())
        return [
            dict(num_chs=channels, reduction=stride[1], stride=stride, module=names[module])
            for module, channels, stride in stages
        ]

    def no_weight_decay(self) -> set[str]:
        """Names of the parameters that weight decay is not for, as timm's models say it.

        They are the embeddings of places and the tokens: all that is no weight and no bias of a layer.
        """
        return {name for name, _ in self.named_parameters() if name.rpartition('.')[2] not in ('weight', 'bias')}

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Say how deep a parameter lies, for learning rates that decay from layer to layer, as in MMPretrain.

        What comes before the first block has depth 0 and the blocks have 1, 2, ... What lies between two blocks, such
        as a merging of patches, counts with the block before it. What comes after the last block counts with the head.

        Args:
            param_name (str): Name of a parameter.
            prefix (str): What the names of the backbone's parameters begin with, such as ``'backbone.'``. One that does
                not begin so comes after the backbone. Defaults to ``''``.

        Returns:
            tuple: The depth, from 0 to ``num_layers - 1``, and ``num_layers``.
        """
        names = {module: f'{name}.' for name, module in self.named_modules()}
        blocks = [names[block] for block in self.list_blocks()]
        depth, depths = 0, {}
        for name, _ in self.named_parameters():  # in the order in which a clip meets them
            depth = next((i for i, block in enumerate(blocks, 1) if name.startswith(block)), depth)
            depths[name] = depth
        for name in reversed(depths):
            if name.startswith(blocks[-1]):
                break
            depths[name] = len(blocks) + 1
        inner = param_name.removeprefix(prefix) if param_name.startswith(prefix) else ''
        return depths.get(inner, len(blocks) + 1), len(blocks) + 2

    @abstractmethod
    def list_blocks(self) -> list[nn.Module]:
        """The blocks of all stages, in their order."""

    @abstractmethod
    def stage_channels(self) -> list[int]:
        """Channels of the map of each stage that is built."""

    @abstractmethod
    def stage_strides(self) -> list[tuple[float, int, int]]:
        """Frames, rows and columns of the clip to one place in the map of each stage that is built."""

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
