"""Draw figures/explain.png: where small models of each family look in a generated clip. It trains them, in two minutes.

A disc flies over a scene that moves as well. Its colour is the class; a third class has no disc.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn as nn
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

import mmdualformer  # noqa: F401  (registers the models)
from mmdualformer.datasets.motion_clips import CLASSES, draw_clip
from mmdualformer.visualization import contact_sheet, explain, write_picture

ROOT = Path(__file__).parents[2]
FRAMES, SIZE, RADIUS = 8, 64, 8
COLOURS = ((255, 40, 40), (40, 90, 255))
FAMILIES = {'dualformer': 'DualFormer', 'vmf': 'VMF', 'vidtr': 'VidTr'}
STEPS = 150


def draw(label: int, seed: int) -> np.ndarray:
    """Draw a clip ``[T, H, W, 3]``."""
    frames = draw_clip(seed % len(CLASSES), seed, SIZE)[:FRAMES].copy()
    rng = np.random.default_rng(seed)
    start, end = rng.uniform(RADIUS, SIZE - RADIUS, (2, 2))
    for i, frame in enumerate(frames):
        centre = start + (end - start) * i / (FRAMES - 1)
        if label < len(COLOURS):
            cv2.circle(frame, tuple(map(int, centre)), RADIUS, COLOURS[label], -1, cv2.LINE_AA)
    return frames


def prepare(clips: list[np.ndarray]) -> Tensor:
    """Make what the models take ``[B, 3, T, H, W]`` of clips."""
    return torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3).float() / 58 - 2


def train(family: str) -> nn.Module:
    """Train the micro model of a family."""
    cfg = Config.fromfile(ROOT / f'configs/own_videos/{family}_micro.py')
    cfg.model.cls_head.update(num_classes=3, dropout_ratio=0.0)
    if family != 'vmf':
        cfg.model.backbone.clip_size = (FRAMES, SIZE, SIZE)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    for step in range(STEPS):
        labels = torch.arange(12) % 3
        clips = prepare([draw(int(label), 12 * step + i) for i, label in enumerate(labels)])
        loss = nn.functional.cross_entropy(model.cls_head(model.backbone(clips)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def main() -> None:
    init_default_scope('mmaction')
    clip, rows = draw(0, 10**6 + 3), {}
    for family, name in FAMILIES.items():
        model = train(family)
        for method, said in (('attention', 'attn'), ('grad_cam', 'CAM')):
            explanation = explain(model, prepare([clip]), method)
            print(name, method, explanation.scores.round(3))
            rows[f'{name} {said}'] = explanation.maps
    write_picture(ROOT / 'docs/figures/explain.png', contact_sheet(clip, rows))


if __name__ == '__main__':
    main()
