"""What of a config is measured."""

import pytest
import torch
from mmengine.config import Config

from mmdualformer.analysis import build_scorer, clip_shape
from mmdualformer.errors import UserError
from tests.helpers import REPO


def test_the_scorer_takes_the_clip_of_the_test_pipeline():
    cfg = Config.fromfile(REPO / 'configs/dualformer_micro_motion.py')
    assert clip_shape(cfg) == (1, 3, 18, 32, 32)
    scorer = build_scorer(cfg)
    assert not scorer.backbone.training and not scorer.cls_head.training
    with torch.inference_mode():
        assert scorer(torch.zeros(clip_shape(cfg))).shape == (1, 8)


@pytest.mark.parametrize('key', ['clip_len', 'crop_size'])
def test_a_pipeline_without_clips_is_refused(key):
    cfg = Config.fromfile(REPO / 'configs/dualformer_micro_motion.py')
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline[:] = [step for step in pipeline if key not in step]
    with pytest.raises(UserError, match=r"steps with 'clip_len' and 'crop_size', not .*VideoDecode"):
        clip_shape(cfg)
