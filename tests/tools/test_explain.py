import av
import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.checkpoints.recognizer import KEY, describe_recognizer
from tests.helpers import REPO, assert_one_line, write_video

TOOL = 'tools/explain.py'
CLASSES = ('wave', 'point', 'Ça va\x1b[2J')


@pytest.fixture(scope='module')
def checkpoints(tmp_path_factory) -> dict:
    """A checkpoint of each family that describes itself, of random weights and three classes."""
    folder, files = tmp_path_factory.mktemp('checkpoints'), {}
    init_default_scope('mmaction')
    for family in ('vmf', 'dualformer', 'vidtr'):
        cfg = Config.fromfile(REPO / f'configs/own_videos/{family}_micro.py')
        cfg.model.cls_head.num_classes = len(CLASSES)
        meta = {KEY: describe_recognizer(cfg), 'dataset_meta': dict(classes=CLASSES)}
        torch.manual_seed(0)
        files[family] = folder / f'{family}.pth'
        torch.save(dict(meta=meta, state_dict=MODELS.build(cfg.model).state_dict()), files[family])
    return files


def frames_of(path) -> np.ndarray:
    """The frames of a video ``[T, H, W, 3]``, and its rate."""
    with av.open(str(path)) as file:
        rate = float(file.streams.video[0].average_rate)
        return np.stack([frame.to_ndarray(format='rgb24') for frame in file.decode(video=0)]), rate


@pytest.mark.parametrize(
    ('family', 'parts'),
    [
        ('vmf', {f'token_{i}' for i in range(1, 7)}),
        ('dualformer', {'stage_1', 'stage_2', 'stage_3'}),
        ('vidtr', {'spatial', 'temporal'}),
    ],
)
def test_each_family_needs_no_config_and_no_layer(fork_tool, checkpoints, clip_file, tmp_path, family, parts):
    result = fork_tool(TOOL, checkpoints[family], clip_file, '--out', 'new/maps.npz')
    assert result.returncode == 0, result.stderr
    assert '16 frames from 0.00 to 1.13 s, attention, for all classes' in result.stdout
    with np.load(tmp_path / 'new/maps.npz', allow_pickle=False) as file:
        whole = dict(file)
    assert whole['maps'].shape == (16, 64, 64)
    assert (whole['maps'].min(), whole['maps'].max()) == (0, pytest.approx(1))
    assert (str(whole['method']), whole['scores'].shape) == ('attention', (3,))
    assert (np.diff(whole['frame_numbers']) >= 1).all() and whole['frame_numbers'][-1] <= 17
    np.testing.assert_allclose(whole['times'], whole['frame_numbers'] / 15, atol=1e-3)  # of 15 frames a second
    assert str(whole['class_name']) == CLASSES[int(whole['class_number'])] == CLASSES[whole['scores'].argmax()]
    assert parts <= whole.keys() and all(whole[name].shape == (16, 64, 64) for name in parts)

    result = fork_tool(TOOL, checkpoints[family], clip_file, '--out', 'cam.npz', '--class', 'point')
    assert result.returncode == 0, result.stderr
    assert 'Grad-CAM of point' in result.stdout
    with np.load(tmp_path / 'cam.npz', allow_pickle=False) as file:
        assert (str(file['method']), int(file['class_number']), str(file['class_name'])) == ('grad_cam', 1, 'point')
        assert file['maps'].shape == (16, 64, 64) and not np.array_equal(file['maps'], whole['maps'])


def test_overlays_and_sheets_show_the_frames_of_the_clip(fork_tool, checkpoints, tmp_path):
    """Gray frames, each lighter than the one before, under the maps."""
    video = write_video(tmp_path / 'gray.mp4')
    result = fork_tool(TOOL, checkpoints['vmf'], video, '--out', 'overlay.mp4')
    assert result.returncode == 0, result.stderr
    frames, rate = frames_of(tmp_path / 'overlay.mp4')
    assert frames.shape == (16, 256, 256, 3)
    assert rate == pytest.approx(16, abs=1)  # 16 of the 24 frames of a second
    assert np.polyfit(np.arange(16), frames.mean((1, 2, 3)), 1)[0] > 3

    result = fork_tool(TOOL, checkpoints['vidtr'], video, '--out', 'sheet.png')
    assert result.returncode == 0, result.stderr
    sheet = cv2.imread(str(tmp_path / 'sheet.png'))
    assert sheet.shape == (18 + 4 * 112, 120 + 8 * 112, 3)  # frames, attention, spatial, temporal
    shown = sheet[18:130, 120:].reshape(112, 8, 112, 3).mean((0, 2, 3))
    assert (np.diff(shown) > 5).all() and sheet[18:130, 120:].std(axis=2).max() < 4

    result = fork_tool(TOOL, checkpoints['vmf'], video, '--out', 'sheet.jpg', '--method', 'grad-cam', '--class', '2')
    assert result.returncode == 0, result.stderr
    assert cv2.imread(str(tmp_path / 'sheet.jpg')).shape == (18 + 2 * 112, 120 + 8 * 112, 3)
    assert '\x1b' not in result.stdout and 'Ça va\\x1b[2J' in result.stdout


def test_models_of_mmaction2_need_a_config(fork_tool, clip_file, tmp_path):
    arguments = (REPO / 'configs/mobile3d_micro_motion.py', 'none', clip_file, '--out', 'cam.mp4')
    result = fork_tool(TOOL, *arguments, '--target-layer', 'backbone/stages/1')
    assert_one_line(result, "no score of the Mobile3D comes from 'backbone/stages/1'", 'backbone/feature_map')
    result = fork_tool(TOOL, *arguments, '--target-layer', 'backbone/stages/1/0')
    assert result.returncode == 0, result.stderr
    assert '18 frames' in result.stdout and 'Grad-CAM of' in result.stdout
    assert len(frames_of(tmp_path / 'cam.mp4')[0]) == 18


def test_models_of_frames_are_explained_too(fork_tool, clip_file, tmp_path):
    pipeline = [
        dict(type='VideoInit'),
        dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=4, test_mode=True),
        dict(type='VideoDecode'),
        dict(type='Resize', scale=(48, 32), keep_ratio=False),
        dict(type='ThreeCrop', crop_size=32),
        dict(type='FormatShape', input_format='NCHW'),
        dict(type='PackActionInputs'),
    ]
    model = dict(
        type='Recognizer2D',
        backbone=dict(type='ResNet', depth=18, norm_eval=False),
        cls_head=dict(type='TSNHead', num_classes=4, in_channels=512, average_clips='prob'),
        data_preprocessor=dict(type='ActionDataPreprocessor', mean=[128.0] * 3, std=[50.0] * 3, format_shape='NCHW'),
    )
    cfg = dict(
        model=model,
        test_pipeline=pipeline,
        test_dataloader=dict(dataset=dict(type='RobustVideoDataset', pipeline=pipeline)),
        default_scope='mmaction',
        custom_imports=dict(imports=['mmdualformer']),
    )
    Config(cfg).dump(tmp_path / 'tsn.py')
    result = fork_tool(TOOL, 'tsn.py', 'none', clip_file, '--out', 'cam.npz', '--target-layer', 'backbone/layer1')
    assert result.returncode == 0, result.stderr
    assert '4 frames' in result.stdout and 'the middle one of 3 views' in result.stdout
    with np.load(tmp_path / 'cam.npz') as file:
        assert file['maps'].shape == (4, 32, 32) and len(file['frame_numbers']) == 4
    result = fork_tool(TOOL, 'tsn.py', 'none', clip_file, '--out', 'cam.png')
    assert result.returncode == 0, result.stderr


def test_the_middle_view_is_explained(fork_tool, clip_file, tmp_path):
    """Of three clips the second, and of three crops the one in the centre."""
    options = ('test_pipeline.1.clip_len=4', 'test_pipeline.1.num_clips=3')
    config = REPO / 'configs/vmf_micro_motion.py'
    result = fork_tool(TOOL, config, 'none', clip_file, '--out', 'a.npz', '--cfg-options', *options)
    assert result.returncode == 0, result.stderr
    assert 'the middle one of 3 views' in result.stdout
    with np.load(tmp_path / 'a.npz') as file:
        numbers = file['frame_numbers']
        assert file['maps'].shape == (4, 32, 32) and len(numbers) == 4
        assert abs(numbers.mean() - 8.5) <= 1

    torch.manual_seed(0)
    init_default_scope('mmaction')
    cfg = Config.fromfile(config)
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / 'weights.pth')
    maps = []
    for crop, views in (('ThreeCrop', 3), ('CenterCrop', 1)):
        cfg.test_pipeline[3:5] = [
            dict(type='Resize', scale=(48, 32), keep_ratio=False),
            dict(type=crop, crop_size=32),
        ]
        cfg.test_dataloader.dataset.pipeline = cfg.test_pipeline
        cfg.dump(tmp_path / f'{crop}.py')
        result = fork_tool(TOOL, f'{crop}.py', 'weights.pth', clip_file, '--out', f'{crop}.npz')
        assert result.returncode == 0, result.stderr
        assert (f'the middle one of {views} views' in result.stdout) == (views > 1)
        with np.load(tmp_path / f'{crop}.npz') as file:
            maps.append(file['maps'])
    np.testing.assert_array_equal(*maps)


def test_mistakes_are_one_line(fork_tool, checkpoints, clip_file, tmp_path):
    checkpoint, out = checkpoints['dualformer'], ('--out', 'map.png')
    (tmp_path / 'folder.png').mkdir()
    (tmp_path / 'text.mp4').write_text('no video')
    for arguments, parts, status in (
        ((clip_file, '--out', 'map.gif'), ("'map.gif' must end in .mp4, .png, .jpg or .npz",), 2),
        ((clip_file, '--out', 'folder.png'), ('is a folder',), 1),
        ((clip_file,), ('--out',), 2),
        ((clip_file, *out, '--class', 'Pont'), ("'Pont' is no class", "did you mean 'point'", '0 to 2'), 1),
        ((clip_file, *out, '--class', '3'), ('it has wave, point', '0 to 2'), 1),
        ((clip_file, *out, '--class', 'wave', '--method', 'attention'), ("--class 'wave' needs --method grad-cam",), 1),
        ((clip_file, *out, '--target-layer', 'backbone/stages/0'), ('no channels first', 'backbone/feature_map'), 1),
        ((clip_file, *out, '--target-layer', 'backbone/layer4'), ("has no layer 'backbone/layer4'",), 1),
        (('missing.mp4', *out), ("'missing.mp4' does not exist",), 1),
        (('text.mp4', *out), ("video 'text.mp4' cannot be read",), 1),
    ):
        assert_one_line(fork_tool(TOOL, checkpoint, *arguments), *parts, status=status)
    assert not (tmp_path / 'map.png').exists()
    compact = REPO / 'configs/cvidtr_micro_motion.py'
    result = fork_tool(TOOL, compact, 'none', clip_file, *out, '--method', 'attention')
    assert_one_line(result, 'this VidTr has no attention to draw', 'Grad-CAM draws it')
    result = fork_tool(TOOL, compact, 'none', clip_file, *out)
    assert result.returncode == 0 and 'Grad-CAM of' in result.stdout, result.stderr


def test_labels_name_the_classes_and_the_video_is_not_replaced(fork_tool, checkpoints, tmp_path):
    video = tmp_path / 'gray.mp4'
    write_video(video)
    before = video.read_bytes()
    (tmp_path / 'names.txt').write_text('sit\nstand\nfall\n')
    options = ('--labels', 'names.txt', '--class', 'stand')
    result = fork_tool(TOOL, checkpoints['vmf'], video, '--out', 'cam.npz', *options)
    assert result.returncode == 0, result.stderr
    with np.load(tmp_path / 'cam.npz', allow_pickle=False) as file:
        assert (int(file['class_number']), str(file['class_name'])) == (1, 'stand')
    result = fork_tool(TOOL, checkpoints['vmf'], video, '--out', video)
    assert_one_line(result, 'is the video itself')
    assert video.read_bytes() == before
    result = fork_tool(TOOL, 'model.onnx', video, '--out', 'other.npz')
    assert_one_line(result, "'model.onnx' is an exported model", 'give the checkpoint')
