"""What a model file says of itself, as JSON: how to make its clips, and what its numbers mean."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf, isfinite
from typing import Any

import torch.nn as nn
from mmaction.models import Recognizer3D

from mmdualformer.analysis import clip_shape, find_test_pipeline
from mmdualformer.checkpoints.recognizer import plain_values, refuse_unknown
from mmdualformer.errors import UserError

KEY = 'mmdualformer'  # of the text in a file's metadata
DTYPES = ('float32', 'float16', 'bfloat16', 'int8')
AXES = {'batch': (0,), 'time': (2,), 'space': (3, 4)}  # of a clip [N, 3, T, H, W]
Shape = tuple[int, int, int, int, int]
AVERAGES = (None, 'score', 'prob')
MOST_CLASSES = 1_000_000  # that a file may say it has; each takes memory, and weights in a file that is honest


@dataclass(frozen=True)
class ModelDescription:
    """What a model file says of itself.

    Attributes:
        test_pipeline (list): Transforms that make clips from a video, each a dict, as in a checkpoint's description.
        mean, std (tuple): Of the three channels, for pixels of 0 to 255.
        num_classes (int): Classes that it tells apart.
        classes (tuple): Their names in the order of the scores; empty where they are not known.
        multi_class (bool): Whether each class has a probability of its own (sigmoid); otherwise it is a softmax.
        average_clips (str, optional): How the head averages the views of a video: ``'score'``, ``'prob'`` or None.
        preprocessing (bool): Whether uint8 pixels go in and logits and probabilities come out; otherwise normalised
            float32 clips go in and logits come out.
        dtype (str): ``'float32'``, ``'float16'``, ``'bfloat16'`` or ``'int8'``: what it computes in.
        clip_shape (tuple): ``(1, 3, T, H, W)`` of the test pipeline's clip.
        clip_seconds (float, optional): How long the videos were that the model has learned from.
        dynamic (tuple): Which of ``'batch'``, ``'time'`` and ``'space'`` may be of other lengths.
    """

    test_pipeline: list[dict]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    num_classes: int
    classes: tuple[str, ...]
    multi_class: bool
    average_clips: str | None
    preprocessing: bool
    dtype: str
    clip_shape: Shape
    dynamic: tuple[str, ...]
    clip_seconds: float | None = None

    def to_json(self) -> str:
        """Write it as JSON, whose lists stand for tuples too."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str, path: str) -> 'ModelDescription':
        """Read what :meth:`to_json` wrote, from a file that anyone may have made.

        Lists of JSON become tuples, but for those of dicts, such as a pipeline.

        Args:
            text (str): The JSON.
            path (str): The file, for messages.

        Raises:
            UserError: It is no such text, or names a transform that no registry knows.
        """
        try:
            values = json.loads(text)
            described = cls(**{name: restore_tuples(value) for name, value in values.items()})
            _check(described)
        except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise UserError(f'model {path!r} has a description that cannot be used: {error}') from None
        refuse_unknown(described.test_pipeline, f'model {path!r}')
        return described

    @property
    def fixed_shape(self) -> tuple[int | None, ...]:
        """Its clip's shape, with None for what may be of another length."""
        free = {axis for name in self.dynamic for axis in AXES[name]}
        return tuple(None if axis in free else length for axis, length in enumerate(self.clip_shape))


def describe_model(
    recognizer: nn.Module,
    shape: Shape,
    dtype: str = 'float32',
    preprocessing: bool = False,
    dynamic: Sequence[str] = ('batch',),
) -> ModelDescription:
    """Describe a recognizer that is to be exported.

    Args:
        recognizer (nn.Module): From :func:`~mmdualformer.checkpoints.load_recognizer`.
        shape (sequence): Shape of its clip, ``(1, 3, T, H, W)``.
        dtype (str): What the file computes in. Defaults to ``'float32'``.
        preprocessing (bool): Whether it normalises, and makes probabilities. Defaults to False.
        dynamic (sequence): Axes of any length. Defaults to ``('batch', )``.

    Raises:
        UserError: It is no recognizer of clips, or has parts that are not exported.
    """
    if not isinstance(recognizer, Recognizer3D) or recognizer.with_neck:
        what = type(recognizer).__name__ + (' with a neck' if isinstance(recognizer, Recognizer3D) else '')
        raise UserError(f'a {what} cannot be exported; a Recognizer3D of a backbone and a head can')
    preprocessor: Any = recognizer.data_preprocessor
    if preprocessor.to_rgb:
        raise UserError('a model with data_preprocessor.to_rgb=True cannot be exported; it must be False')
    head: Any = recognizer.cls_head
    meta = getattr(recognizer, 'dataset_meta', None) or {}
    has_mean = hasattr(preprocessor, 'mean')
    mean, std = (
        tuple(getattr(preprocessor, name).flatten().tolist()) if has_mean else (float(name == 'std'),) * 3
        for name in ('mean', 'std')
    )
    return ModelDescription(
        test_pipeline=plain_values(find_test_pipeline(recognizer.cfg)),
        mean=mean,
        std=std,
        classes=tuple(map(str, meta.get('classes') or ())),
        num_classes=head.num_classes,
        multi_class=bool(head.multi_class),
        average_clips=head.average_clips,
        preprocessing=preprocessing,
        dtype=dtype,
        clip_shape=shape,
        dynamic=tuple(dynamic),
        clip_seconds=meta.get('clip_seconds'),
    )


def shape_of_clips(recognizer: Any, frames: int | None = None, size: int | None = None) -> Shape:
    """Shape ``(1, 3, T, H, W)`` of a recognizer's clips in its test, or of others.

    Args:
        recognizer (nn.Module): With its config.
        frames (int, optional): Frames. Defaults to None, the test's.
        size (int, optional): Height and width. Defaults to None, the test's.
    """
    batch, channels, test_frames, height, width = clip_shape(recognizer.cfg)
    return batch, channels, frames or test_frames, size or height, size or width


def restore_tuples(value: Any) -> Any:
    """Turn the lists of JSON into the tuples that MMAction2's transforms want; a list of dicts stays one."""
    if isinstance(value, Mapping):
        return {key: restore_tuples(part) for key, part in value.items()}
    if isinstance(value, list):
        parts = [restore_tuples(part) for part in value]
        return parts if parts and all(isinstance(part, dict) for part in parts) else tuple(parts)
    return value


def _check(described: ModelDescription) -> None:
    """Check the values of a description from a file.

    Raises:
        ValueError: One is wrong.
    """

    def is_whole(value: object) -> bool:
        return type(value) is int and value > 0

    is_right = {
        'test_pipeline': bool(described.test_pipeline)
        and isinstance(described.test_pipeline, list)
        and all(isinstance(step.get('type'), str) for step in described.test_pipeline),
        'mean': _are_numbers(described.mean),
        'std': _are_numbers(described.std) and all(value > 0 for value in described.std),
        'classes': isinstance(described.classes, tuple) and all(isinstance(name, str) for name in described.classes),
        'num_classes': is_whole(described.num_classes)
        and described.num_classes <= MOST_CLASSES
        and len(described.classes) in (0, described.num_classes),
        'multi_class': isinstance(described.multi_class, bool),
        'average_clips': described.average_clips in AVERAGES,
        'preprocessing': isinstance(described.preprocessing, bool),
        'dtype': described.dtype in DTYPES,
        'clip_shape': isinstance(described.clip_shape, tuple)
        and len(described.clip_shape) == 5
        and all(map(is_whole, described.clip_shape))
        and described.clip_shape[1] == 3,
        'clip_seconds': described.clip_seconds is None
        or (isinstance(described.clip_seconds, int | float) and 0 < described.clip_seconds < inf),
        'dynamic': isinstance(described.dynamic, tuple) and set(described.dynamic) <= AXES.keys(),
    }
    wrong = [name for name, right in is_right.items() if not right]
    if wrong:
        raise ValueError(f'its {wrong[0]} is wrong')


def _are_numbers(values: object) -> bool:
    return (
        isinstance(values, tuple)
        and len(values) == 3
        and all(isinstance(value, int | float) and isfinite(value) for value in values)
    )
