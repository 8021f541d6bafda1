"""Takes features while a model scores clips, so that they are those that its scores come from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmdualformer.errors import UserError
from mmdualformer.models.backbones.base import VideoBackbone
from mmdualformer.models.listening import listen

LEVELS = ('clip', 'window', 'token')


@dataclass(frozen=True, eq=False)
class Features:
    """Features of a video.

    Attributes:
        source (str): The file or folder; ``'frames'`` where the caller gave frames.
        level (str): ``'clip'``, ``'window'`` or ``'token'``.
        stage (int, optional): Stage of the backbone that they leave, the first of which is 1; None for what the
            classifier takes, and of tokens for the last map.
        array (np.ndarray): float32. Of a clip ``[C]``, of windows ``[windows, C]``. Of tokens the map ``[T, H, W, C]``,
            or ``[views, T, H, W, C]`` where the test takes several views of a video.
        times (np.ndarray): Start and end in seconds, float64, ``[2]``, of windows ``[windows, 2]``.
        global_tokens (np.ndarray, optional): With tokens of Video Mobile-Former, its global ones: ``[M, D]``, or
            ``[views, M, D]``.
        damage (str): What of the file is damaged, ``''`` for nothing.
    """

    source: str
    level: str
    stage: int | None
    array: np.ndarray
    times: np.ndarray
    global_tokens: np.ndarray | None = None
    damage: str = ''

    def rows(self) -> Iterator[tuple[dict[str, np.ndarray], float, float]]:
        """Yield the arrays of a clip, of each window, or of the tokens, with start and end in seconds."""
        if self.level == 'window':
            for row, (start, end) in zip(self.array, self.times.tolist()):
                yield dict(features=row), start, end
            return
        arrays = dict(features=self.array, global_tokens=self.global_tokens)
        start, end = self.times.tolist()
        yield {name: array for name, array in arrays.items() if array is not None}, start, end

    def __repr__(self) -> str:
        stage = '' if self.stage is None else f', stage {self.stage}'
        return f'Features({self.source!r}, {self.level}{stage}, {" x ".join(map(str, self.array.shape))})'


class Extractor:
    """Takes features of clips while a recognizer scores them.

    Args:
        model (nn.Module): A recognizer of MMAction2 or ours.
        level (str): ``'clip'`` and ``'window'`` for a vector, ``'token'`` for a map. Defaults to ``'clip'``.
        stage (int, optional): Stage of the backbone, the first of which is 1. A vector is then the mean of its map.
            Defaults to None, what the classifier's last linear layer takes, or the last map.

    Raises:
        UserError: The level or the stage is none of the model's.
    """

    def __init__(self, model: nn.Module, level: str = 'clip', stage: int | None = None) -> None:
        if level not in LEVELS:
            raise UserError(f'level={level!r} must be one of {", ".join(LEVELS)}')
        self.model: Any = model
        self.level = level
        self.stage = stage
        backbone = model.backbone
        if (stage is not None or level == 'token') and not isinstance(backbone, VideoBackbone):
            what = f'stage={stage}' if stage is not None else f'level={level!r}'
            raise UserError(
                f'{what} needs a backbone of mmdualformer, and this is a {type(backbone).__name__}; '
                "without a stage, level='clip' and 'window' work"
            )
        if stage is None and level != 'token' and not self._classifiers():
            raise UserError(f'model.cls_head is a {type(model.cls_head).__name__}, which has no linear classifier')
        if stage is not None and isinstance(backbone, VideoBackbone):
            count = len(backbone.stage_ends())
            if not 1 <= stage <= count:
                raise UserError(f'stage={stage} must be one of the {backbone.stage_name} 1 to {count} of this model')

    def __call__(self, score: Callable[[], Any]) -> tuple[np.ndarray, np.ndarray | None]:
        """Take the features of one video.

        Args:
            score (callable): Has the model score the clips of the video, by its test.

        Returns:
            tuple: The vector ``[C]``, averaged over views, or the map ``[T, H, W, C]``, with views in front where there
            are several; and the global tokens, or None.

        Raises:
            UserError: The model's head has no linear classifier.
        """
        if self.stage is None and self.level != 'token':
            return _as_array(self._of_classifier(score).mean(0)), None
        maps, tokens = self._of_backbone(score)
        if self.level != 'token':
            return _as_array(maps.mean((2, 3, 4)).mean(0)), None
        maps = maps.permute(0, 2, 3, 4, 1)
        return _as_array(maps, squeeze=True), None if tokens is None else _as_array(tokens, squeeze=True)

    def _of_classifier(self, score: Callable[[], Any]) -> Tensor:
        """What the last linear layer takes of each view, ``[views, C]``."""
        with listen(self._classifiers(), before=True) as taken:
            score()
        used = [inputs for inputs in taken.values() if inputs]
        if len(used) != 1:
            raise UserError(
                f'model.cls_head is a {type(self.model.cls_head).__name__}, whose scores come from {len(used)} linear '
                'layers; a vector needs one'
            )
        return torch.cat([vector.flatten(0, -2).float() for vector in used[0]])

    def _classifiers(self) -> list[nn.Module]:
        """The linear layers of the head that put out a number for each class."""
        head = self.model.cls_head
        layers = (module for module in head.modules() if isinstance(module, nn.Linear))
        return [layer for layer in layers if layer.out_features == head.num_classes]

    def _of_backbone(self, score: Callable[[], Any]) -> tuple[Tensor, Tensor | None]:
        """The maps ``[views, C, T, H, W]`` of a stage, and its global tokens ``[views, M, D]``."""
        backbone = self.model.backbone
        ends = backbone.stage_ends()
        number = len(ends) - 1 if self.stage is None else self.stage - 1
        with listen([backbone], before=True) as clips, listen([ends[number], backbone.feature_map]) as taken:
            score()
        outputs = [_as_float(output) for output in taken[ends[number]]]
        with torch.no_grad():
            maps = taken[backbone.feature_map]
            if self.stage is not None:
                maps = [backbone.stage_map(number, out, clip.shape[2:]) for out, clip in zip(outputs, clips[backbone])]
            tokens = [backbone.stage_tokens(out) for out in outputs]
        return torch.cat(maps).float(), None if tokens[0] is None else torch.cat(tokens).float()


def _as_float(output: Any) -> Any:
    """What a stage puts out, a tensor or several, in float32."""
    return output.float() if isinstance(output, Tensor) else tuple(map(_as_float, output))


def _as_array(tensor: Tensor, squeeze: bool = False) -> np.ndarray:
    """A tensor of views as an array in memory of its own; ``squeeze`` takes away the axis of a single view."""
    if squeeze and len(tensor) == 1:
        tensor = tensor[0]
    return np.ascontiguousarray(tensor.cpu().numpy())
