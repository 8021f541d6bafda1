"""Draw figures/explain.png: where small models of each family, trained for it, look in a generated clip.

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
from PIL import Image
from torch import Tensor

import mmdualformer  # noqa: F401  (registers the models)
from mmdualformer.datasets.motion_clips import CLASSES, draw_clip
from mmdualformer.visualization import contact_sheet, explain

ROOT = Path(__file__).parents[2]
FRAMES, SIZE, RADIUS = 8, 48, 7
COLOURS = ((255, 40, 40), (40, 90, 255))
FAMILIES = {'dualformer': 'DF', 'vmf': 'VMF', 'vidtr': 'VidTr'}
STEPS = 120


def draw_ends(seed: int) -> np.ndarray:
    """Draw where the disc begins and ends, ``[2, 2]``."""
    return np.random.default_rng(seed).uniform(RADIUS, SIZE - RADIUS, (2, 2))


def draw(label: int, seed: int) -> np.ndarray:
    """Draw a clip ``[T, H, W, 3]``."""
    frames = draw_clip(seed % len(CLASSES), seed, SIZE)[:FRAMES].copy()
    start, end = draw_ends(seed)
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
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    model.train()
    for step in range(STEPS):
        labels = torch.arange(12) % 3
        clips = prepare([draw(int(label), 12 * step + i) for i, label in enumerate(labels)])
        loss = nn.functional.cross_entropy(model.cls_head(model.backbone(clips)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def find_clip() -> np.ndarray:
    """Draw a clip that was not trained on, and in which the disc goes far."""
    seed = 10**6
    while np.linalg.norm(np.diff(draw_ends(seed), axis=0)) < SIZE - 3 * RADIUS:
        seed += 1
    return draw(0, seed)


def explain_all(clip: np.ndarray) -> dict[str, np.ndarray]:
    """Train the models and explain a clip, a row each of the figure."""
    rows = {}
    for family, name in FAMILIES.items():
        model = train(family)
        for method, said in (('attention', 'attention'), ('grad_cam', 'CAM')):
            explanation = explain(model, prepare([clip]), method)
            print(name, method, explanation.scores.round(3), flush=True)
            rows[f'{name} {said}'] = explanation.maps
    return rows


def write(path: Path, clip: np.ndarray, rows: dict[str, np.ndarray]) -> None:
    """Write every second frame, in few colours, which makes a small file."""
    sheet = contact_sheet(clip[::2], {name: maps[::2] for name, maps in rows.items()}, np.arange(0, FRAMES, 2) / 15)
    Image.fromarray(sheet).resize((sheet.shape[1] * 3 // 4, sheet.shape[0] * 3 // 4)).quantize(256).save(path)


def main() -> None:
    init_default_scope('mmaction')
    clip = find_clip()
    write(ROOT / 'docs/figures/explain.png', clip, explain_all(clip))


if __name__ == '__main__':
    main()
