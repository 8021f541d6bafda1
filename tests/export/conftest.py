import pytest
import torch
import torch.nn as nn
from mmengine.config import Config

from mmdualformer.checkpoints import load_recognizer
from mmdualformer.checkpoints.recognizer import describe_recognizer
from tests.helpers import REPO, randomize_norms

CLASSES = tuple('abcdefgh')
# As small as a family can be, so that its exporters take seconds.
TINY = {
    'dualformer': dict(
        backbone=dict(
            arch=dict(_delete_=True, embed_dims=(8, 16), num_blocks=(1, 1), num_heads=(1, 2)),
            clip_size=(8, 32, 32),
            window_size=(2, 4, 4),
            temporal_strides=(1,),
            block_types=('LG', 'LG'),
            fine_sizes=((2, 2, 2), 'whole'),
            coarse_sizes=(None, None),
            out_indices=(1,),
        ),
        cls_head=dict(in_channels=16),
    ),
    'vmf': dict(
        backbone=dict(
            arch=dict(_delete_=True, dim=8, num_blocks=(1,), expansion=2.25, temporal_strides=(2, 1)),
            token_dim=16,
            out_indices=(0,),
        ),
        cls_head=dict(in_channels=8, token_dim=16, hidden_dim=24),
    ),
    'vidtr': dict(
        backbone=dict(
            arch=dict(_delete_=True, embed_dims=24, num_layers=2, num_heads=3, feedforward_channels=48),
            clip_size=(8, 32, 32),
        ),
        cls_head=dict(in_channels=24),
    ),
}
TINY['vidtr_compact'] = dict(
    TINY['vidtr'], backbone=dict(TINY['vidtr']['backbone'], pool_layers=(0,), pool_frames=(2,))
)


def tiny_config(family: str) -> Config:
    """A config of the quick start's clips, 8 frames of them, with a tiny model."""
    cfg = Config.fromfile(REPO / f'configs/{family.partition("_")[0]}_micro_motion.py')
    cfg.merge_from_dict(dict(model=TINY[family]))
    cfg.test_dataloader.dataset.pipeline[1].update(clip_len=8, frame_interval=2)
    cfg.test_pipeline = cfg.test_dataloader.dataset.pipeline
    return cfg


def build_recognizer(family: str, **head) -> nn.Module:
    """A recognizer whose logits differ much from class to class and from clip to clip."""
    torch.manual_seed(0)
    cfg = tiny_config(family)
    cfg.model.cls_head.update(head)
    model = load_recognizer('none', cfg=cfg)
    randomize_norms(model)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
    model.dataset_meta = dict(classes=CLASSES)
    return model.eval()


def save_recognizer(model: nn.Module, path) -> str:
    """Write a checkpoint that describes its model."""
    meta = dict(recognizer=describe_recognizer(model.cfg), dataset_meta=model.dataset_meta)
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return str(path)


@pytest.fixture(params=list(TINY))
def recognizer(request) -> nn.Module:
    """A tiny recognizer of each family."""
    return build_recognizer(request.param)
