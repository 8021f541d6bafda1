"""Features are what the scores of the test come from."""

import threading

import numpy as np
import pytest
import torch
from mmaction.apis import init_recognizer
from mmaction.models import FeatureHead
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch import nn

from mmdualformer import Recognizer
from mmdualformer.errors import UserError
from mmdualformer.features import Extractor
from mmdualformer.models import DualFormer, Mobile3D, VideoMobileFormer, VidTr
from tests.helpers import REPO, randomize_norms

FAMILIES = ('dualformer_micro_motion', 'vmf_micro_motion', 'mobile3d_micro_motion', 'vidtr_micro_motion')
TSN = dict(
    type='Recognizer2D',
    backbone=dict(type='ResNet', depth=18, pretrained=None),
    cls_head=dict(type='TSNHead', num_classes=8, in_channels=512, average_clips='prob'),
    data_preprocessor=dict(type='ActionDataPreprocessor', mean=[127.0] * 3, std=[60.0] * 3, format_shape='NCHW'),
)


def build(name: str, views: int = 1, **changes) -> Recognizer:
    """A recognizer with random weights, whose test takes several parts of a video."""
    cfg = Config.fromfile(REPO / f'configs/{name}.py')
    cfg.merge_from_dict(changes)
    pipeline = cfg.test_dataloader.dataset.pipeline
    if views > 1:
        place = next(i for i, step in enumerate(pipeline) if 'Sample' in step.type)
        pipeline[place] = dict(type='SampleFrames', clip_len=8, frame_interval=1, num_clips=views, test_mode=True)
    cfg.test_pipeline = pipeline
    torch.manual_seed(0)
    model = init_recognizer(cfg, device='cpu')
    randomize_norms(model)
    return Recognizer(model)


def run(recognizer: Recognizer, video: str) -> tuple:
    """What the backbone and the head put out for each view of a video, without any hook."""
    model, sample = recognizer.scorer.model, recognizer.read(video)
    data = model.data_preprocessor(pseudo_collate([dict(inputs=sample['inputs'], data_samples=sample['data_samples'])]))
    inputs = data['inputs'] if isinstance(data['inputs'], torch.Tensor) else torch.stack(data['inputs'])
    with torch.no_grad():
        features, kwargs = model.extract_feat(inputs, test_mode=True)
        return features, model.cls_head(features, **kwargs)


@pytest.mark.parametrize('views', [1, 3])
@pytest.mark.parametrize('name', FAMILIES)
def test_the_classifier_makes_the_logits_of_a_vector(name, views, clip_file):
    recognizer = build(name, views)
    _, logits = run(recognizer, clip_file)
    assert len(logits) == views
    found = recognizer.features(clip_file)
    head = recognizer.scorer.model.cls_head
    classify = head.fc2 if name.startswith('mobile3d') else head.fc_cls
    with torch.no_grad():
        torch.testing.assert_close(classify(torch.from_numpy(found.array)), logits.mean(0), rtol=1e-5, atol=1e-5)
    assert (found.source, found.level, found.stage, found.array.dtype) == (clip_file, 'clip', None, np.float32)
    assert found.times.tolist() == pytest.approx([0, recognizer(clip_file).end])


def test_the_vector_of_other_models_of_mmaction2(clip_file):
    recognizer = build('dualformer_micro_motion', 3, model=dict(TSN, _delete_=True))
    recognizer.scorer.test_pipeline[-2] = dict(type='FormatShape', input_format='NCHW')
    recognizer = Recognizer(recognizer.scorer.model)
    logits = run(recognizer, clip_file)[1]
    vector = torch.from_numpy(recognizer.features(clip_file).array)
    assert vector.shape == (512,)
    torch.testing.assert_close(recognizer.scorer.model.cls_head.fc_cls(vector)[None], logits, rtol=1e-5, atol=1e-5)
    with pytest.raises(UserError, match="level='token' needs a backbone of mmdualformer, and this is a ResNet; "):
        recognizer.features(clip_file, 'token')


def test_tokens_are_the_map_that_is_pooled(clip_file):
    recognizer = build('dualformer_micro_motion')
    (expected,) = run(recognizer, clip_file)[0].permute(0, 2, 3, 4, 1)
    found = recognizer.features(clip_file, 'token')
    assert found.global_tokens is None
    np.testing.assert_allclose(found.array, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(recognizer.features(clip_file, 'token', 3).array, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('views', [1, 2])
def test_tokens_of_video_mobile_former_come_with_the_global_ones(clip_file, views):
    recognizer = build('vmf_micro_motion', views)
    maps, tokens = run(recognizer, clip_file)[0]
    expected = maps.permute(0, 2, 3, 4, 1)
    found = recognizer.features(clip_file, 'token')
    assert found.array.ndim == (4 if views == 1 else 5)
    np.testing.assert_allclose(found.array, expected.squeeze(0) if views == 1 else expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.global_tokens, tokens.squeeze(0) if views == 1 else tokens, rtol=1e-5, atol=1e-6)


def test_views_that_the_model_takes_one_by_one_are_all_there(clip_file):
    recognizer = build('vmf_micro_motion', 3)
    whole = [recognizer.features(clip_file, level, stage) for level, stage in (('token', 2), ('clip', None))]
    recognizer.scorer.model.test_cfg = dict(max_testing_views=1)
    for expected in whole:
        found = recognizer.features(clip_file, expected.level, expected.stage)
        np.testing.assert_allclose(found.array, expected.array, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    'make',
    [
        lambda **kwargs: DualFormer(
            dict(embed_dims=(8, 16, 24), num_blocks=(1, 1, 1), num_heads=(1, 2, 3)),
            temporal_strides=(1, 2),
            block_types=('LG',) * 3,
            fine_sizes=('auto', 'auto', 'whole'),
            coarse_sizes=(None,) * 3,
            **kwargs,
        ),
        lambda **kwargs: VideoMobileFormer(
            dict(dim=8, num_blocks=(1, 2, 1), expansion=2.0, temporal_strides=(2, 1, 1, 1)),
            tokens_per_frame=True,
            token_dim=16,
            **kwargs,
        ),
        lambda **kwargs: Mobile3D(
            dict(dim=8, num_blocks=(1, 2, 1), expansion=2.0, temporal_strides=(2, 1, 2, 1)), **kwargs
        ),
    ],
    ids=['DualFormer', 'VideoMobileFormer', 'Mobile3D'],
)
def test_the_map_of_a_stage_is_what_out_indices_names(make):
    torch.manual_seed(0)
    backbone = make(out_indices=(0, 1, 2)).eval()
    clip = torch.rand(2, 3, 8, 64, 32)
    left: dict[int, object] = {}
    for i, end in enumerate(backbone.stage_ends()):
        end.register_forward_hook(lambda module, inputs, output, i=i: left.update({i: output}))
    with torch.no_grad():
        outputs = backbone(clip)
        assert len(left) == 3
        for i, expected in enumerate(outputs):
            if isinstance(expected, tuple):
                expected, tokens = expected
                torch.testing.assert_close(backbone.stage_tokens(left[i]), tokens)
            torch.testing.assert_close(backbone.stage_map(i, left[i], clip.shape[2:]), expected)


@pytest.mark.parametrize(
    'kind',
    [
        dict(attention='separable'),
        dict(attention='joint'),
        dict(attention='spatial'),
        dict(attention='axial', patch_size=(2, 8, 8)),
        dict(pool_layers=(1,), pool_frames=(2,), pooling='avg'),
    ],
    ids=lambda kind: kind.get('attention', 'compact'),
)
def test_the_map_of_a_layer_of_vidtr_has_its_patches_at_their_places(kind):
    """Layers that add nothing put out the embedded patches, and class tokens."""
    torch.manual_seed(0)
    arch = dict(embed_dims=24, num_layers=3, num_heads=2, feedforward_channels=24)
    model = VidTr(arch, **{'clip_size': (4, 24, 16), 'patch_size': (1, 8, 8), **kind}).eval()
    for name, parameter in model.named_parameters():
        if '.attn.proj.' in name or '.mlp.fc2.' in name:
            nn.init.zeros_(parameter)
    nn.init.uniform_(model.norm.weight, 0.5, 1.5)
    clip = torch.rand(2, 3, 4, 23, 16)
    left = []
    for layer in model.stage_ends():
        layer.register_forward_hook(lambda module, inputs, output: left.append(output))
    with torch.no_grad():
        expected = model.patch_embed(clip.permute(0, 2, 3, 4, 1)).permute(0, 4, 1, 2, 3)
        model(clip)
        torch.testing.assert_close(model.stage_map(0, left[0], clip.shape[2:]), expected)
        if 'pool_frames' in kind:
            expected = expected.unflatten(2, (2, 2)).mean(3)
        expected = model.norm(expected.movedim(1, -1)).movedim(-1, 1)
        torch.testing.assert_close(model.stage_map(2, left[2], clip.shape[2:]), expected)


def test_tokens_of_vidtr_are_what_its_last_layer_attends_to(clip_file):
    recognizer = build('vidtr_micro_motion')
    model, kept = recognizer.scorer.model, []
    model.backbone.layers[-1].norm1.register_forward_hook(lambda module, inputs, output: kept.append(output))
    found = recognizer.features(clip_file, 'token').array
    frames, height, width, channels = found.shape
    expected = kept[0].view(frames + 1, height * width + 1, channels)[1:, 1:]
    np.testing.assert_allclose(found.reshape(frames, -1, channels), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', FAMILIES)
def test_the_vector_of_a_stage_is_the_mean_of_its_map(name, clip_file):
    recognizer = build(name, 2)
    backbone, left = recognizer.scorer.model.backbone, []
    backbone.stage_ends()[1].register_forward_hook(lambda module, inputs, output: left.append(output))
    tokens = recognizer.features(clip_file, 'token', 2).array
    (output,) = left
    maps = backbone.stage_map(1, output, (8, 32, 32))
    np.testing.assert_allclose(tokens, maps.permute(0, 2, 3, 4, 1), rtol=1e-5, atol=1e-6)
    found = recognizer.features(clip_file, stage=2)
    assert found.stage == 2
    np.testing.assert_allclose(found.array, tokens.mean((0, 1, 2, 3)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', FAMILIES)
def test_feature_head_takes_the_vector(name, clip_file):
    """MMAction2's head pools the last map; VidTr's vector stays what it is."""
    recognizer = build(name)
    expected = FeatureHead()(run(recognizer, clip_file)[0])[0]
    stage = 3 if name.startswith(('vmf', 'mobile3d')) else None
    np.testing.assert_allclose(recognizer.features(clip_file, stage=stage).array, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('stage', [0, 4])
def test_a_stage_that_is_not_there_is_refused(stage, clip_file):
    with pytest.raises(UserError, match=rf'stage={stage} must be one of the stages 1 to 3 of this model'):
        build('dualformer_micro_motion').features(clip_file, stage=stage)


def test_arguments_that_mean_nothing_are_refused(clip_file):
    recognizer = build('vidtr_micro_motion')
    with pytest.raises(UserError, match=r'stage=9 must be one of the layers 1 to 4 of this model'):
        recognizer.features(clip_file, stage=9)
    with pytest.raises(UserError, match=r"level='frame' must be one of clip, window, token"):
        recognizer.features(clip_file, 'frame')
    with pytest.raises(UserError, match=r"window and step are for level='window', not 'clip'"):
        recognizer.features(clip_file, window=1.0)


def test_heads_without_one_linear_classifier_are_refused(clip_file):
    recognizer = build('dualformer_micro_motion')
    head = recognizer.scorer.model.cls_head
    linear = head.fc_cls
    head.fc_cls = nn.Sequential(nn.Linear(128, 8), nn.Linear(8, 8))
    with pytest.raises(UserError, match='a I3DHead, whose scores come from 2 linear layers; a vector needs one'):
        recognizer.features(clip_file)
    head.fc_cls = nn.Sequential(nn.Flatten(), nn.Bilinear(1, 1, 8))
    with pytest.raises(UserError, match='a I3DHead, which has no linear classifier'):
        recognizer.features(clip_file)
    head.fc_cls = linear
    assert recognizer.features(clip_file, stage=1).array.shape == (32,)


def test_an_exported_model_has_no_features(clip_file):
    recognizer = build('dualformer_micro_motion')
    recognizer.scorer = object()
    with pytest.raises(UserError, match='an exported model has no features; give the checkpoint'):
        recognizer.features(clip_file)


def test_windows_are_those_of_watch(clip_file):
    recognizer = build('vmf_micro_motion')
    watched = list(recognizer.watch(clip_file, window=0.3, step=0.2))
    found = recognizer.features(clip_file, 'window', window=0.3, step=0.2)
    assert len(watched) > 2
    np.testing.assert_allclose(found.times, [(window.start, window.end) for window in watched])
    with torch.no_grad():
        scores = recognizer.scorer.model.cls_head.fc_cls(torch.from_numpy(found.array)).softmax(-1)
    np.testing.assert_allclose(scores, [window.probabilities for window in watched], rtol=1e-4, atol=1e-5)
    assert [len(arrays) for arrays, _, _ in found.rows()] == [1] * len(watched)


def test_features_that_are_no_numbers_are_refused(clip_file):
    recognizer = build('vmf_micro_motion')
    nn.init.constant_(recognizer.scorer.model.cls_head.fc.bias, torch.nan)
    with pytest.raises(UserError, match=r'the features of video .* are NaN or infinite'):
        recognizer.features(clip_file)


def test_low_precision_gives_float32(clip_file):
    recognizer = build('dualformer_micro_motion')
    expected = recognizer.features(clip_file, 'token').array
    recognizer.scorer.dtype = torch.bfloat16
    for stage in (None, 3):
        found = recognizer.features(clip_file, 'token', stage).array
        assert found.dtype == np.float32
        assert 1e-5 < np.abs(found - expected).max() < 0.2


def test_what_another_thread_scores_does_not_come_in_between(clip_file):
    recognizer = build('dualformer_micro_motion')
    expected = recognizer.features(clip_file).array
    sample = recognizer.read(clip_file)

    noise = torch.rand(sample['inputs'].shape) * 255

    def score() -> None:
        other = threading.Thread(target=recognizer.score, args=(dict(sample, inputs=noise),))
        other.start()
        other.join()
        recognizer.score(sample)

    found, _ = Extractor(recognizer.scorer.model)(score)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_nothing_stays_in_the_model(clip_file):
    recognizer = build('vmf_micro_motion')
    for level in ('clip', 'token'):
        recognizer.features(clip_file, level)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in recognizer.scorer.model.modules())
