import numpy as np
import pytest
import torch
from mmaction.datasets import RepeatAugDataset, repeat_pseudo_collate
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.datasets import RobustRepeatAugDataset, VideoDecode, VideoInit
from mmdualformer.errors import UserError
from tests.helpers import REPO

CROP = [dict(type='FormatShape', input_format='NCTHW'), dict(type='PackActionInputs', meta_keys=('frame_inds', 'flip'))]


def build(root, kind: str = 'RobustRepeatAugDataset', augment=(), **kwargs):
    cfg = Config.fromfile(REPO / 'configs/dualformer_micro_motion.py')
    init_default_scope('mmaction')
    sample = dict(type='SampleFrames', clip_len=4, frame_interval=1, num_clips=1)
    pipeline = [dict(type='VideoInit'), sample, dict(type='VideoDecode'), *augment, *CROP]
    return DATASETS.build(
        {**cfg.train_dataloader.dataset, 'type': kind, 'data_root': str(root), **kwargs, 'pipeline': pipeline}
    )


@pytest.fixture
def whole(motion_root):
    """All frames of the first training clip, ``[18, 64, 64, 3]``."""
    video = str(sorted(motion_root.glob('videos_train/*.mp4'))[0])
    opened = VideoInit()(dict(filename=video))
    return np.stack(VideoDecode()(dict(opened, frame_inds=np.arange(18)))['imgs'])


def frames_of(sample: dict) -> np.ndarray:
    """The clip of a sample, ``[T, H, W, 3]``."""
    return sample['inputs'][0].permute(1, 2, 3, 0).numpy()


def test_a_video_is_opened_and_decoded_once_for_its_samples(motion_root, whole, monkeypatch):
    dataset = build(motion_root, num_repeats=5)
    calls = []
    for step in (VideoInit, VideoDecode):
        transform = step.transform
        monkeypatch.setattr(
            step,
            'transform',
            lambda self, results, transform=transform: calls.append(type(self)) or transform(self, results),
        )
    np.random.seed(0)
    samples = dataset[0]
    assert calls == [VideoInit, VideoDecode]
    assert len(samples) == 5
    for sample in samples:
        wanted = sample['data_samples'].frame_inds
        assert wanted.shape == (4,)
        np.testing.assert_array_equal(frames_of(sample), whole[wanted])
    assert len({tuple(sample['data_samples'].frame_inds) for sample in samples}) > 1


def test_samples_have_the_same_frames_if_they_are_drawn_once(motion_root):
    samples = build(motion_root, num_repeats=3, sample_once=True)[0]
    assert len(samples) == 3
    for sample in samples:
        assert sample['data_samples'].frame_inds.tolist() == samples[0]['data_samples'].frame_inds.tolist()
        np.testing.assert_array_equal(frames_of(sample), frames_of(samples[0]))


def test_augmentation_in_place_stays_in_its_sample(motion_root, whole):
    flip = dict(type='Flip', flip_ratio=0.5)
    dataset = build(motion_root, augment=[flip], num_repeats=16, sample_once=True)
    np.random.seed(0)
    samples = dataset[0]
    clip = whole[samples[0]['data_samples'].frame_inds]
    assert 0 < sum(sample['data_samples'].flip for sample in samples) < 16
    for sample in samples:
        np.testing.assert_array_equal(frames_of(sample), clip[:, :, ::-1] if sample['data_samples'].flip else clip)


def test_another_video_takes_the_place_of_a_broken_one(motion_root, tmp_path):
    (tmp_path / 'train.txt').write_text('broken.mp4 1\ngood.mp4 2\n')
    (tmp_path / 'videos_train').mkdir()
    (tmp_path / 'videos_train/broken.mp4').write_bytes(b'no video')
    (tmp_path / 'videos_train/good.mp4').write_bytes(next(motion_root.glob('videos_train/*.mp4')).read_bytes())
    loader = torch.utils.data.DataLoader(build(tmp_path, num_repeats=3), 2, collate_fn=repeat_pseudo_collate)
    (batch,) = loader
    assert [sample.gt_label.item() for sample in batch['data_samples']] == 6 * [2]
    assert torch.stack(batch['inputs']).shape == (6, 1, 3, 4, 64, 64)


def test_mmaction2s_own_takes_our_decoders(motion_root):
    dataset = build(motion_root, 'RepeatAugDataset', num_repeats=2)
    assert type(dataset) is RepeatAugDataset
    np.random.seed(3)
    expected = [frames_of(sample) for sample in dataset[1]]
    np.random.seed(3)
    robust = build(motion_root, num_repeats=2)
    assert isinstance(robust, RobustRepeatAugDataset)
    np.testing.assert_array_equal([frames_of(sample) for sample in robust[1]], expected)


def test_nothing_to_repeat_is_refused(motion_root):
    with pytest.raises(UserError, match='num_repeats=0 must be at least 1'):
        build(motion_root, num_repeats=0)
