"""One way from videos to scores, whatever they come as."""

import json
import shutil

import numpy as np
import pytest
import torch
from mmaction.apis import inference_recognizer

from mmdualformer import Recognizer
from mmdualformer.checkpoints import load_recognizer
from mmdualformer.errors import UserError
from mmdualformer.recognition import Failure, Recognition
from mmdualformer.recognition.pipelines import window_seconds
from mmdualformer.video import VideoError, open_video
from tests.helpers import REPO, write_video
from tests.recognition.conftest import FAMILIES


def frames_of(path: str) -> np.ndarray:
    with open_video(path) as video:
        return np.stack(video.get_frames(range(len(video))))


@pytest.mark.parametrize('family', FAMILIES)
def test_scores_are_those_of_mmaction2(family, checkpoints, clip_file):
    model = load_recognizer(checkpoints[family])
    expected = inference_recognizer(model, clip_file).pred_score.numpy()
    assert expected.max() - expected.min() > 1e-3
    result = Recognizer(checkpoints[family], device='cpu')(clip_file)
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-5)
    np.testing.assert_allclose(Recognizer(model)(clip_file).probabilities, expected, atol=1e-5)


def test_frames_in_memory_score_as_their_file(recognizer, clip_file):
    expected = recognizer(clip_file).probabilities
    frames = frames_of(clip_file)
    fps = 24.0
    forms = [
        frames,
        list(frames),
        torch.from_numpy(frames),
        frames.transpose(0, 3, 1, 2),
        torch.from_numpy(frames).permute(3, 0, 1, 2),
    ]
    for form in forms:
        np.testing.assert_allclose(recognizer(form, fps=fps).probabilities, expected, atol=1e-6)
    first, second = recognizer(np.stack([frames, frames[::-1]]))
    np.testing.assert_allclose(first.probabilities, expected, atol=1e-6)
    assert abs(second.probabilities - expected).max() > 1e-4


def test_frames_are_not_changed(recognizer, clip_file):
    frames = frames_of(clip_file)
    before = frames.copy()
    recognizer(frames)
    np.testing.assert_array_equal(frames, before)


def test_what_a_result_says(recognizer, clip_file):
    result = recognizer(clip_file)
    assert result.name == result.names[0] == f'move {result.labels[0]}'
    assert result.score == max(result.scores) == pytest.approx(float(result.probabilities.max()))
    assert list(result.scores) == sorted(result.scores, reverse=True) and sum(result.scores) == pytest.approx(1)
    assert set(result.names) == set(recognizer.classes)
    with open_video(clip_file) as video:
        assert result.start == 0 and result.end == pytest.approx(len(video) / video.average_fps)
    plain = json.loads(json.dumps(result.to_dict(3)))
    assert plain['source'] == clip_file and plain['names'] == list(result.names[:3])
    assert str(result).splitlines() == [clip_file, *(f'  {score:7.2%}  {name}' for name, score in result.top(5))]


def test_several_labels_have_a_probability_each():
    probabilities = np.array([0.9, 0.2, 0.6, 0.7], np.float32)
    result = Recognition('a.mp4', tuple('abcd'), probabilities, 0, 1, several=True)
    assert [name for name, _ in result.top(1)] == ['a', 'd', 'c']
    assert [line[0] for line in result.lines(4)] == ['*', '*', '*', ' ']


def test_folders_patterns_and_lists(recognizer, clip_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('10.mp4', '9.mp4', 'deep/1.mp4'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(clip_file, tmp_path / name)
    (tmp_path / 'broken.mp4').write_bytes(b'no video')
    (tmp_path / 'notes.md').write_text('no video either')
    (tmp_path / 'list.txt').write_text('9.mp4\n\nmissing.mp4\n')
    expected = recognizer(clip_file).probabilities

    results = recognizer(tmp_path)
    assert [result.source for result in results] == [
        str(tmp_path / name) for name in ('9.mp4', '10.mp4', 'broken.mp4', 'deep/1.mp4')
    ]
    for result in results:
        if isinstance(result, Recognition):
            np.testing.assert_allclose(result.probabilities, expected, atol=1e-6)
        else:
            assert result.source.endswith('broken.mp4') and 'Invalid data' in result.reason and not result
    assert [result.source for result in recognizer('[0-9]*.mp4')] == ['9.mp4', '10.mp4']
    listed = recognizer('list.txt')
    assert isinstance(listed[1], Failure) and 'does not exist' in listed[1].reason
    assert [bool(result) for result in recognizer(['9.mp4', frames_of(clip_file), 'broken.mp4'])] == [True, True, False]


@pytest.mark.parametrize(
    ('source', 'said'),
    [
        ('missing.mp4', "'missing.mp4' does not exist"),
        ('*.avi', "no file fits '*.avi'"),
        (np.zeros((4, 8, 8), np.uint8), 'frames of shape [4, 8, 8] must be RGB'),
        (np.zeros((4, 8, 8, 3)), 'frame 0 is float64'),
        (np.zeros((0, 8, 8, 3), np.uint8), 'there are no frames'),
        (7, 'a int is no video'),
    ],
)
def test_what_is_no_video_is_said_in_one_line(recognizer, source, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        recognizer(source)
    assert said in str(error.value) and '\n' not in str(error.value)


def test_a_broken_video_alone_is_an_error(recognizer, tmp_path):
    (tmp_path / 'broken.mp4').write_bytes(b'no video')
    with pytest.raises(VideoError, match=r'broken\.mp4'):
        recognizer(tmp_path / 'broken.mp4')


def test_bad_arguments(checkpoints, tmp_path):
    with pytest.raises(UserError, match="dtype='int8' must be one of float32"):
        Recognizer(checkpoints['vmf'], dtype='int8')
    (tmp_path / 'names.txt').write_text('a\nb\n')
    with pytest.raises(UserError, match='names 2 classes, the model has 8'):
        Recognizer(checkpoints['vmf'], labels=tmp_path / 'names.txt')


def test_a_config_for_a_checkpoint_that_does_not_say_what_it_is(checkpoints, clip_file, tmp_path):
    torch.save(torch.load(checkpoints['vidtr'])['state_dict'], tmp_path / 'bare.pth')
    with pytest.raises(UserError, match='give its config too'):
        Recognizer(tmp_path / 'bare.pth')
    with Recognizer(tmp_path / 'bare.pth', REPO / 'configs/vidtr_micro_motion.py', device='cpu') as bare:
        assert bare.classes == tuple('01234567')
        expected = Recognizer(checkpoints['vidtr'], device='cpu')(clip_file).probabilities
        np.testing.assert_allclose(bare(clip_file).probabilities, expected, atol=1e-6)


def test_bfloat16_is_near(checkpoints, clip_file):
    expected = Recognizer(checkpoints['dualformer'], device='cpu')(clip_file).probabilities
    low = Recognizer(checkpoints['dualformer'], device='cpu', dtype='bfloat16')(clip_file).probabilities
    assert 0 < abs(low - expected).max() < 0.05


def test_windows_score_as_the_part_that_they_show(recognizer, tmp_path):
    """The first and the last window of a file against a file of their frames alone."""
    path = write_video(tmp_path / 'long.mp4', frames=30)
    windows = list(recognizer.watch(path, window=0.75, step=0.25))  # 18 of 24 frames a second
    assert [(round(window.start, 3), round(window.end, 3)) for window in windows] == [(0, 0.75), (0.25, 1), (0.5, 1.25)]
    frames = frames_of(path)
    for window, first in zip(windows, (0, 6, 12)):
        alone = recognizer(frames[first : first + 18], fps=24)
        np.testing.assert_allclose(window.probabilities, alone.probabilities, atol=1e-5)


def test_the_window_is_what_the_model_has_learned_from(recognizer, tmp_path):
    path = write_video(tmp_path / 'long.mp4', frames=30)
    sampling = next(step for step in recognizer.scorer.test_pipeline if 'clip_len' in step)
    (first, *_) = recognizer.watch(path)
    assert first.end == pytest.approx(sampling['clip_len'] * sampling['frame_interval'] / 24)


def test_where_a_clip_is_spread_over_a_video_the_window_is_as_long_as_those():
    spread = [dict(type='SampleEvenly', clip_len=16)]
    assert window_seconds(spread, 2.7, rate=24) == 2.7
    assert window_seconds(spread, None, rate=24) == 2
    assert window_seconds([dict(clip_len=16, frame_interval=4)], 2.7, rate=32) == 2
    assert window_seconds([dict(clip_len=16, frame_interval=4, target_fps=64)], 2.7, rate=32) == 1
