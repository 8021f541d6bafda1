"""MMAction2's own tools, demos and inferencers, with our configs and checkpoints."""

import importlib.util
import pickle
import sys
import types
from pathlib import Path

import av
import mmaction
import numpy as np
import pytest
import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmaction.apis.inferencers import ActionRecogInferencer, MMAction2Inferencer
from mmaction.models import FeatureHead
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from PIL import Image

from mmdualformer.compat import mmaction2, mmaction2_tools
from mmdualformer.datasets import VideoDecode, VideoInit
from tests.helpers import REPO

TOOLS = Path(mmaction.__file__).parent / '.mim/tools'
CONFIG = REPO / 'configs/dualformer_micro_motion.py'


def frames_of(path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)])


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    return init_recognizer(str(CONFIG), device='cpu')


@pytest.fixture(scope='module')
def checkpoint(model, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp('checkpoint') / 'model.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return str(path)


@pytest.fixture
def clips(motion_root, tmp_path) -> Path:
    """Four clips under names that lists can be wrong about; the list is where the tools run."""
    folder = tmp_path / 'clips'
    names = ['a.mp4', 'b/a.mp4', 'two words.mp4', str(tmp_path / 'else where.mp4')]
    for name, clip in zip(names, sorted(motion_root.glob('videos_val/*.mp4'))):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(clip.read_bytes())
    (tmp_path / 'list.txt').write_text(''.join(f'{name} 0\n' for name in names))
    return folder


def feature(model, video: Path) -> torch.Tensor:
    """The mean over time and space of what the backbone makes of a video."""
    data = Compose(model.cfg.test_pipeline)(dict(filename=str(video), label=-1, start_index=0, modality='RGB'))
    data = model.data_preprocessor(pseudo_collate([data]))
    with torch.no_grad():
        return model.extract_feat(data['inputs'])[0].mean((0, 2, 3, 4))


def test_feature_extraction_reads_the_folder_that_it_is_given(run_tool, model, checkpoint, clips, tmp_path):
    result = run_tool(
        TOOLS / 'misc/clip_feature_extraction.py',
        CONFIG,
        checkpoint,
        'out',
        '--video-list',
        'list.txt',
        '--video-root',
        clips,
    )
    assert result.returncode == 0, result.stderr
    files = {
        'a.mp4': clips / 'a.mp4',
        'b/a.mp4': clips / 'b/a.mp4',
        'two words.mp4': clips / 'two words.mp4',
        f'{tmp_path}/else where.mp4': tmp_path / 'else where.mp4',
    }
    written = {str(path.relative_to(tmp_path / 'out')): path for path in tmp_path.rglob('*.pkl')}
    assert sorted(written) == sorted(f'{name}.pkl'.lstrip('/') for name in files)
    for name, video in files.items():
        extracted = pickle.loads(written[f'{name}.pkl'.lstrip('/')].read_bytes())
        torch.testing.assert_close(extracted, feature(model, video), rtol=1e-4, atol=1e-5)


def test_feature_extraction_has_no_features_of_missing_videos(run_tool, checkpoint, clips, tmp_path):
    result = run_tool(
        TOOLS / 'misc/clip_feature_extraction.py',
        CONFIG,
        checkpoint,
        'out',
        '--video-list',
        'list.txt',
        '--video-root',
        tmp_path / 'missing',
    )
    assert result.returncode != 0
    assert str(tmp_path / 'missing/a.mp4') in result.stderr
    assert not list(tmp_path.rglob('*.pkl'))


def test_check_videos_names_what_our_decoders_cannot_read(run_tool, clips, tmp_path):
    (clips / 'b/a.mp4').write_bytes(b'no video')
    (clips / 'two words.mp4').unlink()
    result = run_tool(
        TOOLS / 'analysis_tools/check_videos.py',
        CONFIG,
        '--nproc',
        1,
        '--cfg-options',
        f'train_dataloader.dataset.ann_file={tmp_path}/list.txt',
        f'train_dataloader.dataset.data_prefix.video={clips}',
        'train_dataloader.dataset.time_limit=20',
    )
    assert result.returncode == 0, result.stderr
    assert 'Checked 4 videos, 2 are corrupted/missing.' in result.stdout
    assert sorted((tmp_path / 'invalid-video.txt').read_text().splitlines()) == [
        str(clips / 'b/a.mp4'),
        str(clips / 'two words.mp4'),
    ]


def test_browse_dataset_writes_the_frames_of_each_step(fork_tool, motion_root, tmp_path):
    result = fork_tool(
        TOOLS / 'visualizations/browse_dataset.py',
        CONFIG,
        'out',
        '-n',
        1,
        '-m',
        'pipeline',
        '--cfg-options',
        f'train_dataloader.dataset.data_root={motion_root}',
    )
    assert result.returncode == 0, result.stderr
    (video,) = (tmp_path / 'out').iterdir()
    frames = frames_of(video)
    assert len(frames) == 18
    assert frames.shape[2] > 64 + 40 + 32  # those of VideoDecode, Resize and RandomCrop side by side


def test_vis_cam_shows_where_the_features_of_the_backbone_come_from(fork_tool, checkpoint, clip_file, tmp_path):
    result = fork_tool(
        TOOLS / 'visualizations/vis_cam.py',
        CONFIG,
        checkpoint,
        clip_file,
        '--device',
        'cpu',
        '--target-layer-name',
        'backbone',
        '--out-filename',
        'cam.gif',
    )
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / 'cam.gif') as gif:
        assert (gif.size, gif.n_frames) == ((32, 32), 18)


def window_of_demo(monkeypatch, tool: str, config, checkpoint=None) -> tuple:
    """What MMAction2's demos of long videos and cameras do: take out what reads frames, which they do themselves.

    Returns:
        tuple: The recognizer, its pipeline without the steps that they know, and the frames of a window.
    """
    main = types.SimpleNamespace(__file__=tool, init_recognizer=init_recognizer)
    monkeypatch.setitem(sys.modules, '__main__', main)
    mmaction2_tools.name_what_running_tool_looks_for()
    model = main.init_recognizer(str(config), checkpoint, device='cpu')
    steps = [step for step in model.cfg.test_pipeline if 'SampleFrames' in step['type']]
    pipeline = [step for step in model.cfg.test_pipeline if step not in steps]
    return model, pipeline, sum(step['clip_len'] * step['num_clips'] for step in steps)


def test_demos_of_long_videos_and_cameras_score_their_own_frames(monkeypatch, model, checkpoint, clip_file):
    frames = list(frames_of(clip_file))
    expected = inference_recognizer(model, clip_file).pred_score
    demo, pipeline, window = window_of_demo(monkeypatch, 'demo/webcam_demo.py', CONFIG, checkpoint)
    assert window == 18
    data = dict(img_shape=(64, 64), modality='RGB', label=-1, num_clips=1, clip_len=18)
    scores = inference_recognizer(demo, dict(data, imgs=frames), Compose(pipeline)).pred_score
    torch.testing.assert_close(scores, expected, rtol=1e-3, atol=1e-4)

    pipeline.insert(1, dict(type='ArrayDecode'))
    array = dict(data, array=frames, frame_inds=np.arange(18))
    scores = inference_recognizer(demo, array, Compose(pipeline)).pred_score
    torch.testing.assert_close(scores, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('tool', ['long_video_demo.py', 'webcam_demo.py'])
def test_demos_find_how_many_frames_a_uniform_sample_has(monkeypatch, tool):
    _, pipeline, window = window_of_demo(monkeypatch, tool, REPO / 'configs/vmf_micro_motion.py')
    assert window == 18
    cfg = Config.fromfile(REPO / 'configs/vmf_micro_motion.py')
    cfg.test_pipeline[1] = dict(type='UniformSample', clip_len=16, test_mode=True)
    monkeypatch.setattr(Config, 'fromfile', lambda *args, **kwargs: cfg)
    _, pipeline, window = window_of_demo(monkeypatch, tool, 'uniform.py')
    assert window == 16
    assert [step['type'] for step in pipeline[:2]] == ['VideoInit', 'VideoDecode']


def test_other_scripts_are_left_alone(monkeypatch):
    main = types.SimpleNamespace(__file__='demo.py', init_recognizer=init_recognizer)
    monkeypatch.setitem(sys.modules, '__main__', main)
    mmaction2_tools.name_what_running_tool_looks_for()
    assert main.init_recognizer is init_recognizer


def test_inferencers_read_files_with_the_decoders_of_the_config(model, checkpoint, clip_file, tmp_path):
    expected = inference_recognizer(model, clip_file).pred_score
    frames = frames_of(clip_file)
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f'img_{i + 1:05}.jpg', quality=95)
    for input_format, video, atol in (
        ('video', clip_file, 1e-4),
        ('array', frames, 1e-4),
        ('rawframes', str(tmp_path), 2e-2),
    ):
        inferencer = MMAction2Inferencer(str(CONFIG), checkpoint, device='cpu', input_format=input_format)
        scores = inferencer(video)['predictions'][0]['rec_scores'][0]
        torch.testing.assert_close(torch.tensor(scores), expected, rtol=0, atol=atol)
        steps = inferencer.actionrecog_inferencer.pipeline.transforms
        assert sum(isinstance(step, (VideoInit, VideoDecode)) for step in steps) == 2 * (input_format == 'video')


def test_inferencers_keep_what_decoders_are_told_and_take_one_clip(monkeypatch):
    cfg = Config.fromfile(REPO / 'configs/dualformer_t_k400.py')
    steps = cfg.test_dataloader.dataset.pipeline
    steps[0].told = 'much'
    monkeypatch.setattr(VideoInit, '__init__', lambda self, **kwargs: setattr(self, 'kwargs', kwargs))
    assert steps[1].num_clips == 4
    cfg.model = Config.fromfile(CONFIG).model
    inferencer = ActionRecogInferencer(cfg, device='cpu')
    _, init, sample, decode, *_ = inferencer.pipeline.transforms
    assert (type(init), type(decode), sample.num_clips) == (VideoInit, VideoDecode, 1)
    assert init.kwargs == dict(told='much')


def test_feature_head_takes_the_map_of_a_pair():
    head = FeatureHead()
    features, tokens = torch.rand(2, 5, 3, 4, 4), torch.rand(2, 6, 7)
    torch.testing.assert_close(head((features, tokens)), features.mean((2, 3, 4)))
    slowfast = FeatureHead(backbone_name='slowfast')
    assert slowfast((features, features)).shape == (2, 10)


@pytest.fixture
def image_sequence_clip(monkeypatch):
    monkeypatch.delitem(sys.modules, 'moviepy.editor', raising=False)
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    mmaction2.write_videos_without_moviepy()
    from moviepy.editor import ImageSequenceClip

    return ImageSequenceClip


def test_videos_are_written_without_moviepy(image_sequence_clip, tmp_path):
    shades = np.arange(0, 250, 25)
    frames = [np.full((33, 48, 3), (shade, 255 - shade, 100), np.uint8) for shade in shades]
    clip = image_sequence_clip(frames, fps=5)
    clip.write_videofile(str(tmp_path / 'clip.mp4'), remove_temp=True, logger=None)
    written = frames_of(tmp_path / 'clip.mp4')
    assert written.shape == (10, 32, 48, 3)
    assert np.abs(written.mean((1, 2)) - np.stack(frames).mean((1, 2))).max() < 4
    with av.open(str(tmp_path / 'clip.mp4')) as container:
        assert container.streams.video[0].average_rate == 5

    clip.write_gif(str(tmp_path / 'clip.gif'), logger=None)
    with Image.open(tmp_path / 'clip.gif') as gif:
        assert (gif.size, gif.n_frames, gif.info['duration']) == ((48, 33), 10, 200)


def test_moviepy_that_can_is_left_alone(monkeypatch, tmp_path):
    (tmp_path / 'editor.py').touch()
    monkeypatch.delitem(sys.modules, 'moviepy.editor', raising=False)
    monkeypatch.setattr(
        importlib.util,
        'find_spec',
        lambda name: types.SimpleNamespace(submodule_search_locations=[str(tmp_path)]),
    )
    mmaction2.write_videos_without_moviepy()
    assert 'moviepy.editor' not in sys.modules
