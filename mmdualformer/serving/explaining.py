"""Explanations as pictures in a text, for an answer in JSON."""

import base64
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from mmdualformer.recognition import Recognizer
from mmdualformer.recognition.scorers import TorchScorer
from mmdualformer.visualization import draw_maps, explain, scale_frames, view_of

SHOWN = 8  # frames
SIDE = 144  # pixels of their short side
QUALITY = 85  # of JPEG


def can_explain(recognizer: Recognizer) -> bool:
    """Whether a recognizer has a model to look into."""
    return isinstance(recognizer.scorer, TorchScorer)


def explain_sample(recognizer: Recognizer, sample: Mapping) -> dict[str, Any]:
    """Explain what a recognizer makes of the middle view of a video.

    Args:
        recognizer (Recognizer): One of PyTorch.
        sample (mapping): What ``recognizer.read`` has read of a file.

    Returns:
        dict: ``method``, ``name`` of the class, ``score`` of this view, ``views`` that the test has, and ``frames``,
        each with its ``number`` and ``time`` and an ``image``, as a ``data:`` address.

    Raises:
        UserError: The model cannot be explained.
    """
    assert isinstance(recognizer.scorer, TorchScorer)
    model = recognizer.scorer.model
    view = view_of(model, sample, sample['video']['sampled'])
    explanation = explain(model, view.clips, times=view.times)
    drawn = draw_maps(scale_frames(view.frames, SIDE), explanation.maps)
    frames = []
    for i in np.unique(np.linspace(0, len(drawn) - 1, SHOWN).round().astype(int)).tolist():
        time = None if view.times is None else round(float(view.times[i]), 3)
        frames.append(dict(number=int(view.numbers[i]), time=time, image=_as_address(drawn[i])))
    return dict(
        method=explanation.method,
        name=recognizer.classes[explanation.label],
        score=float(explanation.scores[explanation.label]),
        views=view.count,
        frames=frames,
    )


def _as_address(picture: np.ndarray) -> str:
    """An RGB picture as a ``data:`` address."""
    _, content = cv2.imencode('.jpg', picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return 'data:image/jpeg;base64,' + base64.b64encode(content.tobytes()).decode('ascii')
