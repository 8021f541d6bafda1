"""Tests of one checkpoint with several numbers of views."""

import runpy

import pytest
from mmengine.config import Config

from mmdualformer.errors import UserError
from tests.helpers import REPO

set_views = runpy.run_path(str(REPO / 'tools/analysis/sweep_views.py'))['set_views']


def test_three_crops_lie_along_a_side():
    cfg = Config.fromfile(REPO / 'configs/dualformer_t_k400.py')
    set_views(cfg, clips=2, crops=3)
    steps = {step.type: step for step in cfg.test_dataloader.dataset.pipeline}
    assert steps['SampleFrames'].num_clips == 2 and 'ThreeCrop' in steps

    cfg = Config.fromfile(REPO / 'configs/dualformer_micro_motion.py')
    with pytest.raises(UserError, match=r'^--crops 3 needs frames of which a side is crop_size=32, .*scale=\(-1, 40\)'):
        set_views(cfg, clips=1, crops=3)
    set_views(cfg, clips=1, crops=1)
