import random

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.analysis.data_speed import (
    PIPELINES,
    SAMPLINGS,
    build_loader,
    time_cpu,
    time_loaders,
    use_pipeline,
    write_sample_videos,
)
from tests.helpers import REPO


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return write_sample_videos(tmp_path_factory.mktemp('samples'), 2, seconds=2.5, workers=1)


@pytest.fixture
def loaders(videos, tmp_path, request):
    """MMAction2's loader and ours of the training clips of Kinetics-400, or of other clips."""
    sampling = SAMPLINGS.get(getattr(request, 'param', None))
    init_default_scope('mmaction')
    dataset = Config.fromfile(REPO / 'configs/dualformer_t_k400.py').train_dataloader.dataset
    return {
        name: build_loader(use_pipeline(dataset, name, sampling), videos, 4, 2, 0, tmp_path / f'{name}.txt')
        for name in PIPELINES
    }


@pytest.mark.parametrize('loaders', SAMPLINGS, indirect=True)
def test_pixels_and_crops_are_mmaction2s_for_the_same_random_state(loaders):
    for seed in range(3):
        clips = {}
        for name, loader in loaders.items():
            np.random.seed(seed)
            random.seed(seed)
            clips[name] = loader.dataset[seed]['inputs']
        assert clips['MMAction2'].shape[-2:] == (224, 224)
        assert clips['MMAction2'].float().std() > 10
        assert torch.equal(*clips.values())


def test_all_clips_are_timed(loaders):
    rates = time_loaders(loaders, rounds=2)
    assert rates.keys() == PIPELINES.keys()
    assert all(rate > 0 for rate in rates.values())
    seconds = time_cpu({name: loader.dataset for name, loader in loaders.items()}, clips=2)
    assert all(0 < value < 10 for value in seconds.values())


def test_our_decoding_is_exchanged_for_mmaction2s_and_back():
    dataset = Config.fromfile(REPO / 'configs/dualformer_t_k400.py').train_dataloader.dataset
    theirs = use_pipeline(dataset, 'MMAction2')
    assert theirs['type'] == 'VideoDataset'
    assert [step['type'] for step in theirs['pipeline']][:4] == ['DecordInit', 'SampleFrames', 'DecordDecode', 'Resize']
    assert use_pipeline(theirs, 'mmdualformer') == dataset
