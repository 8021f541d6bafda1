"""Clips in which a small square moves, and recognizers to which nothing else matters."""

import pytest
import torch
import torch.nn as nn
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

from tests.helpers import REPO

FRAMES, SIZE, SQUARE = 8, 32, 8
COLOURS = torch.tensor([[2.5, -2.5, 0.0], [-2.5, 2.5, 0.0]])


def place_square(clip: Tensor, label: int, row: int, rightwards: bool) -> Tensor:
    """Let a square of a class's colour cross a clip ``[3, T, H, W]``; returns where it is, ``[T, H, W]``."""
    where = torch.zeros(clip.shape[1:], dtype=torch.bool)
    for t in range(FRAMES):
        column = 3 * t if rightwards else SIZE - SQUARE - 3 * t
        where[t, row : row + SQUARE, column : column + SQUARE] = True
    clip.copy_(torch.where(where, COLOURS[label][:, None, None, None], clip))
    return where


def draw_batch(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Clips of noise with a square of class 0 or 1, or, of class 2, without one; labels; where the squares are."""
    generator = torch.Generator().manual_seed(seed)
    clips = torch.randn(count, 3, FRAMES, SIZE, SIZE, generator=generator) / 2
    labels = torch.arange(count) % 3
    rows = torch.randint(SIZE - SQUARE + 1, (count,), generator=generator).tolist()
    rightwards = torch.rand(count, generator=generator) < 0.5
    where = torch.zeros(count, FRAMES, SIZE, SIZE, dtype=torch.bool)
    for i in range(count):
        if labels[i] < 2:
            where[i] = place_square(clips[i], int(labels[i]), rows[i], bool(rightwards[i]))
    return clips, labels, where


def build_recognizer(family: str, **backbone) -> nn.Module:
    """Build a recognizer of three classes for these clips, smaller than the micro ones, of random weights."""
    init_default_scope('mmaction')
    cfg = Config.fromfile(REPO / f'configs/own_videos/{family}_micro.py')
    cfg.model.cls_head.update(num_classes=3, dropout_ratio=0.0)
    if family == 'vmf':
        cfg.model.backbone.update(out_indices=(1,))
        cfg.model.cls_head.update(in_channels=32)
    else:
        cfg.model.backbone.update(clip_size=(FRAMES, SIZE, SIZE))
    if family == 'dualformer':
        cfg.model.backbone.update(
            arch=dict(embed_dims=(24,), num_blocks=(1,), num_heads=(2,)),
            out_indices=(0,),
            temporal_strides=(),
            window_size=(4, 4, 4),
            block_types=('LG',),
            fine_sizes=((4, 8, 8),),
            coarse_sizes=(None,),
        )
        cfg.model.cls_head.update(in_channels=24)
    if family == 'vidtr':
        cfg.model.backbone.arch.update(num_layers=2)
    cfg.model.backbone.update(backbone)
    torch.manual_seed(0)
    return MODELS.build(cfg.model)


@pytest.fixture(scope='session')
def trained() -> dict[str, nn.Module]:
    """A recognizer of each family that tells the classes of new clips apart."""
    models = {}
    for family, steps in (('vmf', 40), ('dualformer', 80), ('vidtr', 60)):
        model = build_recognizer(family)
        model.init_weights()
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
        model.train()
        for step in range(steps):
            clips, labels, _ = draw_batch(15, seed=step)
            loss = nn.functional.cross_entropy(model.cls_head(model.backbone(clips)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        models[family] = model.eval()
    return models


@pytest.fixture
def built():
    """Recognizers in which nothing passes from one place to another but at the end, where colours are read off.

    The first two channels of a patch are how much it has of the colours of the two classes.
    """

    def build(family: str) -> nn.Module:
        settings = dict(position='none') if family == 'dualformer' else dict(out_indices=(0,))
        model = build_recognizer(family, **settings).eval()
        backbone, head = model.backbone, model.cls_head.fc_cls
        if family == 'dualformer':
            patches = backbone.stages[0].patch_embed.proj
            layers = backbone.stages[0].blocks[0].layers
        else:
            patches, layers = backbone.patch_embed, backbone.layers
            backbone.grid_embed.position.data.zero_()
            for tokens in backbone.grid_embed.cls_tokens:
                tokens.data.zero_()
        weights = [patches, head, *(layer.attn.proj for layer in layers), *(layer.mlp.fc2 for layer in layers)]
        for module in weights:
            module.weight.data.zero_()
            module.bias.data.zero_()
        patches.weight.data[:2] = COLOURS[:, :, None, None, None] / patches.weight[0, 0].numel()
        head.weight.data[:2, :2] = torch.eye(2)
        if family == 'vidtr':  # its class token takes from all patches alike
            attn = layers[0].attn
            attn.qkv.weight.data.zero_()
            attn.qkv.bias.data.zero_()
            attn.qkv.weight.data[-len(attn.qkv.weight) // 3 :] = torch.eye(attn.proj.in_features)
            attn.proj.weight.data.copy_(torch.eye(attn.proj.in_features))
        return model

    return build
