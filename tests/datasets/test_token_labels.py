import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import Flip, RandomResizedCrop, Resize

from mmdualformer.datasets import LoadTokenLabels, ResizeToMultiple, SampleWholeVideo
from mmdualformer.datasets.token_labels import label_file, write_token_labels
from mmdualformer.errors import UserError

HEIGHT, WIDTH = 64, 96


def place(x, y, t):
    """What is to be found at a place of the video: three classes that grow along its axes."""
    return 1 + x / WIDTH, 1 + y / HEIGHT, 1 + t / 100


@pytest.fixture
def root(tmp_path):
    """Labels of two clips of eight frames, one in two, whose map has a token for 2 x 8 x 8."""
    frames = np.stack([np.arange(0, 16, 2), np.arange(20, 36, 2)])
    y, x = torch.meshgrid(torch.arange(4, HEIGHT, 8), torch.arange(4, WIDTH, 8), indexing='ij')
    logits = torch.zeros(2, 5, 4, HEIGHT // 8, WIDTH // 8)
    for clip, start in enumerate((0, 20)):
        for token in range(4):
            values = place(x, y, start + 4 * token + 1)
            for label, value in enumerate(values):
                logits[clip, label, token] = torch.as_tensor(value)
    write_token_labels(label_file(tmp_path, 'class/video.mp4'), logits, frames, num_labels=3)
    assert [path.name for path in (tmp_path / 'class').iterdir()] == ['video.mp4.npz']
    return tmp_path


def results(frame_inds, **kwargs) -> dict:
    return dict(filename='class/video.mp4', frame_inds=np.array(frame_inds), num_clips=1, **kwargs)


def test_a_whole_clip_reads_what_was_written(root):
    logits = LoadTokenLabels(str(root), 5, (4, 8, 12))(results(np.arange(20, 36, 2)))['token_logits']
    assert logits.shape == (5, 4, 8, 12)
    assert logits[3:].abs().max() == 0
    x, y, t = place(8 * 5 + 4, 8 * 3 + 4, 20 + 4 * 2 + 1)
    torch.testing.assert_close(logits[:3, 2, 3, 5], torch.tensor([x, y, t]), rtol=2e-3, atol=0)


def test_each_frame_takes_the_moment_nearest_to_it(root):
    """Frames 10 and 30 are nearest to the tokens around 9 and 29; a token of both is their average."""
    load = LoadTokenLabels(str(root), 5, (1, 2, 2))
    times = [load(results(frames))['token_logits'][2, 0, 0, 0] for frames in ([10], [30], [10, 30])]
    torch.testing.assert_close(torch.stack(times), torch.tensor([1.09, 1.29, 1.19]), rtol=2e-3, atol=0)


@pytest.mark.parametrize('seed', range(4))
def test_labels_follow_random_crops_and_flips(root, seed):
    """The same transforms on pictures of the coordinates: what a token sees is what its label says."""
    np.random.seed(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32) + 0.5
    data = results([1, 3], imgs=[np.stack([x, y, x], -1) for _ in range(2)], img_shape=(HEIGHT, WIDTH), modality='RGB')
    for step in (
        RandomResizedCrop(area_range=(0.2, 0.5)),
        Resize(scale=(28, 28), keep_ratio=False),
        Flip(flip_ratio=seed % 2),
        LoadTokenLabels(str(root), 5, (1, 7, 7)),
    ):
        data = step(data)
    seen = torch.as_tensor(data['imgs'][0]).unflatten(0, (7, 4)).unflatten(2, (7, 4)).mean((1, 3))  # [7, 7, 3]
    inner = slice(1, -1)  # the frame's border has no label further out
    label_x, label_y, _, _, _ = data['token_logits'][:, 0]
    assert (label_x - 1 - seen[..., 0] / WIDTH)[inner, inner].abs().max() < 0.012
    assert (label_y - 1 - seen[..., 1] / HEIGHT)[inner, inner].abs().max() < 0.012
    assert label_x.std() > 0.05


def test_vertical_flips(root):
    load = LoadTokenLabels(str(root), 5, (1, 4, 4))
    plain = load(results([0]))['token_logits']
    flipped = load(results([0], flip=True, flip_direction='vertical'))['token_logits']
    torch.testing.assert_close(flipped, plain.flip(2))
    assert not torch.allclose(flipped, plain)


@pytest.mark.parametrize('total', [5, 15, 100])
def test_a_whole_video_is_covered(total):
    data = SampleWholeVideo(clip_len=8, frame_interval=2, out_of_bound_opt='repeat_last')(
        dict(total_frames=total, start_index=0)
    )
    clips = data['frame_inds'].reshape(data['num_clips'], 8)
    assert clips.min() == 0 and clips.max() >= total - 2 and clips.max() < total
    assert np.diff(np.unique(clips)).max() <= 2
    assert (np.diff(clips[:, 0]) <= 16).all()


def test_frames_become_multiples():
    data = dict(imgs=[np.zeros((240, 427, 3), np.uint8)], img_shape=(240, 427), modality='RGB')
    assert ResizeToMultiple(256, 32)(data)['imgs'][0].shape == (256, 448, 3)


def test_missing_labels_are_named(root, tmp_path):
    with pytest.raises(UserError, match=r'LoadTokenLabels\.root=.*nowhere.*tools/write_token_labels\.py'):
        LoadTokenLabels(str(tmp_path / 'nowhere'), 5, (1, 1, 1))
    load = LoadTokenLabels(str(root), 5, (1, 1, 1))
    with pytest.raises(UserError, match=r"'a/other\.mp4' has no token labels: there is no .*a/other\.mp4\.npz"):
        load(dict(results([0]), filename='a/other.mp4'))
    with pytest.raises(UserError, match=r'one clip a video, not SampleFrames\.num_clips=2'):
        load(dict(results([0]), num_clips=2))
