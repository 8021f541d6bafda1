"""What is measured: models of configs and of checkpoints, and model files for other runtimes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn as nn
from mmaction.models import Recognizer2D, Recognizer3D
from mmengine.config import Config
from mmengine.hub import get_config
from torch import Tensor

from mmdualformer.analysis import as_scorer, clip_shape, find_test_pipeline
from mmdualformer.checkpoints import load_recognizer
from mmdualformer.commands import ROOT
from mmdualformer.configs import read_inference_config
from mmdualformer.errors import UserError, printable
from mmdualformer.export import find_format
from mmdualformer.papers.families import FAMILIES
from mmdualformer.papers.published import Row, load_rows, rows_of_configs


@dataclass(frozen=True)
class Source:
    """Something to measure.

    Attributes:
        path (str): A config, ``mmaction::recognition/...``, a checkpoint that describes its model, or a model file.
        kind (str): ``'config'``, ``'checkpoint'`` or ``'file'``.
        name (str): What it is called in tables.
    """

    path: str
    kind: str
    name: str

    def build(self) -> Any:
        """Build its recognizer, on the CPU and in eval mode; of a config with random weights, the same each time.

        Raises:
            UserError: It cannot be built, or is no recognizer of clips or frames.
        """
        torch.manual_seed(0)
        if self.kind == 'checkpoint':
            recognizer = load_recognizer(self.path)
        else:
            recognizer = load_recognizer('none', cfg=self.read_config())
        if not isinstance(recognizer, Recognizer2D | Recognizer3D):
            raise UserError(
                f'{self.path!r} is a {type(recognizer).__name__}; it must be a Recognizer2D or Recognizer3D'
            )
        return recognizer

    def find_row(self) -> Row | None:
        """The row of a paper that prints its accuracy; None where there is none."""
        if self.kind != 'config':
            return None
        for paper in FAMILIES:
            row = rows_of_configs(paper).get(self._config_name())
            if row and 'top1' in row.published:
                return row
        if self.path.startswith('mmaction::'):
            name = Path(self.path.partition('::')[2]).with_suffix('').as_posix().removeprefix('recognition/')
            rows = (row for paper in FAMILIES for row in load_rows(paper))
            return next((row for row in rows if row.mmaction == name and 'top1' in row.published), None)
        return None

    def _config_name(self) -> str:
        if '::' in self.path:
            return self.path.partition('::')[2].removesuffix('.py')
        path, configs = Path(self.path).resolve(), (ROOT / 'configs').resolve()
        return path.relative_to(configs).with_suffix('').as_posix() if path.is_relative_to(configs) else ''

    def read_config(self) -> Config:
        """Read its config, if it is one.

        Raises:
            UserError: There is none, or it cannot be used.
        """
        if '::' not in self.path:
            return read_inference_config(self.path)
        try:
            return get_config(self.path if self.path.endswith('.py') else f'{self.path}.py')
        except (FileNotFoundError, ImportError, AssertionError, ValueError):
            raise UserError(
                f'{self.path!r} is no config of an installed package; it must be such as '
                'mmaction::recognition/x3d/x3d_s_13x6x1_facebook-kinetics400-rgb.py'
            ) from None


def read_source(text: str) -> Source:
    """Find out what an argument names.

    Raises:
        UserError: It does not exist, or is a config that cannot be used.
    """
    path = Path(text)
    if '::' in text or path.suffix == '.py':
        source = Source(text, 'config', path.stem if path.suffix == '.py' else path.name)
        source.read_config()
        return source
    if not path.is_file():
        raise UserError(f'{text!r} does not exist (looked in {Path.cwd()})')
    if find_format(path) is not None:
        return Source(text, 'file', path.name)
    return Source(text, 'checkpoint', path.name)


def read_models(texts: Sequence[str]) -> list[Source]:
    """Find out what arguments name that are to be configs or checkpoints.

    Raises:
        UserError: One does not exist, cannot be used, or is a model file.
    """
    sources = [read_source(text) for text in texts]
    for source in sources:
        if source.kind == 'file':
            raise UserError(f'{printable(source.path)} is a model file; give a config or a checkpoint')
    return sources


class FramesScorer(nn.Module):
    """A recognizer of frames, or with a neck, as a function from normalised frames to logits.

    Args:
        recognizer (nn.Module): MMAction2's ``Recognizer2D`` or ``Recognizer3D``.
    """

    def __init__(self, recognizer: Any) -> None:
        super().__init__()
        self.recognizer = recognizer
        self.of_frames = isinstance(recognizer, Recognizer2D)

    def forward(self, clips: Tensor) -> Tensor:
        """Map ``[N, 3, T, H, W]`` to logits ``[N, classes]``."""
        inputs = clips.transpose(1, 2).contiguous() if self.of_frames else clips[:, None]
        logits, _ = self.recognizer.extract_feat(inputs, stage='head')
        return logits


def as_logits(recognizer: Any) -> nn.Module:
    """A recognizer as a module from normalised clips ``[N, 3, T, H, W]`` to logits."""
    plain = isinstance(recognizer, Recognizer3D) and not recognizer.with_neck
    return as_scorer(recognizer) if plain else FramesScorer(recognizer).train(recognizer.training)


def shape_of(recognizer: Any) -> tuple[int, int, int]:
    """Frames, height and width of a view of a recognizer's test; those of frames see one of each segment.

    Raises:
        UserError: The test pipeline does not say.
    """
    _, _, frames, *size = clip_shape(recognizer.cfg)
    if isinstance(recognizer, Recognizer2D):
        steps = [step for step in find_test_pipeline(recognizer.cfg) if 'clip_len' in step]
        frames *= steps[0].get('num_clips', 1)
    return (frames, size[0], size[1])
