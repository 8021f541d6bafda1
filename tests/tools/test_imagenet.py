"""From images to a video model, with the tools and real files."""

import re

import cv2
import numpy as np
import pytest
import torch

from mmdualformer.models import DualFormer
from tests.helpers import REPO, assert_one_line

# Without PEG and coarse priors, all of the features of a still clip are those of its frame (tests/checkpoints).
ARCH = dict(embed_dims=(8, 16, 16, 32), num_blocks=(1, 1, 1, 1), num_heads=(1, 2, 2, 4))
BACKBONE = dict(arch=ARCH, position='none', coarse_sizes=(None, None, None, None))
CONFIG = f"""
_base_ = 'mmdualformer::dualformer_t_in1k.py'
blending = _base_.model.data_preprocessor.blending
for augment in blending.augments:
    augment.num_classes = 2
model = dict(
    backbone={dict(BACKBONE, arch=dict(ARCH, _delete_=True))},
    cls_head=dict(num_classes=2, in_channels=32),
    data_preprocessor=dict(blending=blending))
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False, dataset=dict(data_prefix=dict(img='images/train')))
val_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False, dataset=dict(data_prefix=dict(img='images/val')))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1)
"""


@pytest.fixture
def image_folder(tmp_path):
    """Stripes of two directions: 8 training and 4 validation images a class, and a config for them."""
    rng = np.random.default_rng(0)
    for part, number in (('train', 8), ('val', 4)):
        for axis, name in enumerate(('lying', 'standing')):
            (tmp_path / 'images' / part / name).mkdir(parents=True)
            for i in range(number):
                stripes = np.sin(np.arange(256) / rng.uniform(3, 6))[:, None, None] * rng.uniform(60, 120, 3) + 128
                image = (
                    np.broadcast_to(stripes, (256, 320, 3))
                    if axis == 0
                    else np.broadcast_to(stripes.transpose(1, 0, 2), (200, 256, 3))
                )
                cv2.imwrite(str(tmp_path / 'images' / part / name / f'{i}.jpeg'), image.astype(np.uint8))
    (tmp_path / 'images.py').write_text(CONFIG)
    return tmp_path


def test_train_on_images_then_inflate(run_tool, image_folder):
    """One epoch on two processes, a test of its checkpoint, and a video model that starts from it."""
    result = run_tool('tools/dist_train.sh', 'images.py', 2, '--work-dir', 'work')
    assert result.returncode == 0, result.stdout + result.stderr
    checkpoint = image_folder / 'work' / 'epoch_1.pth'
    trained = re.search(r'acc/top1: ([\d.]+)', result.stdout + result.stderr)[1]
    result = run_tool('tools/test.py', 'images.py', checkpoint)
    assert re.search(r'acc/top1: ([\d.]+)', result.stdout + result.stderr)[1] == trained

    weights = torch.load(checkpoint, weights_only=True)['state_dict']
    images = DualFormer(**BACKBONE, clip_size=(1, 224, 224)).double().eval()
    images.load_state_dict(
        {name.removeprefix('backbone.'): value for name, value in weights.items() if name.startswith('backbone.')}
    )
    videos = DualFormer(**BACKBONE, init_cfg=dict(type='Inflated', checkpoint=str(checkpoint)))
    videos.init_weights()
    frame = torch.randn(1, 3, 1, 224, 224, dtype=torch.float64)
    with torch.no_grad():
        expected = images(frame).expand(-1, -1, 16, -1, -1)
        torch.testing.assert_close(
            videos.double().eval()(frame.expand(-1, -1, 32, -1, -1)), expected, rtol=1e-5, atol=1e-6
        )


def test_what_is_missing_is_said_before_the_run(run_tool, image_folder):
    result = run_tool('tools/train.py', REPO / 'configs/dualformer_b_in21k.py')
    assert_one_line(result, "data_prefix.img='data/imagenet21k/train'", 'configs/_base_/data/imagenet21k.py')
    result = run_tool(
        'tools/train.py',
        'images.py',
        '--cfg-options',
        'model.backbone.init_cfg.type=Inflated',
        'model.backbone.init_cfg.checkpoint=none.pth',
    )
    assert_one_line(result, "model.backbone.init_cfg.checkpoint='none.pth', set in --cfg-options, does not exist")
