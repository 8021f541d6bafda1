import re
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.checkpoints.motion import find_motion_weights
from mmdualformer.checkpoints.recognizer import describe_recognizer
from mmdualformer.checkpoints.starts import find_start, identify
from mmdualformer.checkpoints.vidtr import convert_vidtr
from mmdualformer.configs import read_config
from mmdualformer.errors import UserError
from mmdualformer.finetuning import (
    adopt_settings,
    check_finetuning,
    choose_model,
    find_packaged_start,
    write_start,
)
from mmdualformer.finetuning.known_classes import order_classes
from mmdualformer.finetuning.labels import set_labels
from mmdualformer.finetuning.start_weights import carry_head
from mmdualformer.weights import check_checkpoint
from tests.helpers import REPO, randomize_norms
from tests.reference import Reference

FAMILIES = ['dualformer', 'vidtr', 'cvidtr', 'vmf']
OWN = str(REPO / 'configs/own_videos/vmf_micro.py')
KNOWN = ['walk', 'run', 'jump']


def micro(family: str) -> str:
    return str(REPO / f'configs/{family}_micro_motion.py')


def config(path: str, classes: int) -> Config:
    cfg = read_config(path)
    cfg.model.cls_head.num_classes = classes
    return cfg


def build(cfg: Config) -> torch.nn.Module:
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    randomize_norms(model)
    return model


def save_trained(path: Path, cfg: Config, model: torch.nn.Module, classes=KNOWN) -> str:
    """Write what a run of ours writes."""
    meta = dict(recognizer=describe_recognizer(cfg), dataset_meta=dict(classes=classes), epoch=3)
    torch.save(dict(meta=meta, state_dict=model.state_dict(), optimizer={}), path)
    return str(path)


def logits(model: torch.nn.Module, clip: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.cls_head(model.backbone(clip))


@pytest.mark.parametrize('family', FAMILIES)
def test_logits_of_known_classes_stay_whatever_the_new_classes(tmp_path, family):
    """In another order, with one more and one fewer: before any training nothing that is known has changed."""
    cfg = config(micro(family), len(KNOWN))
    before = build(cfg)
    start = find_start(save_trained(tmp_path / 'trained.pth', cfg, before))
    classes = order_classes(['climb', 'jump', 'swim', 'walk'], start.classes)
    assert classes == ['walk', 'jump', 'climb', 'swim']
    cfg = config(micro(family), len(classes))
    adopt_settings(cfg, family, start, is_named=False)
    cfg.model.cls_head.num_classes = len(classes)
    line = write_start(start, cfg, classes, tmp_path / 'start.pth')
    assert 'the head of walk, jump; made the head of climb, swim; dropped optimizer, the head of run' in line

    after = MODELS.build(cfg.model).eval()
    content = check_checkpoint(after, str(tmp_path / 'start.pth'))  # all tensors are there
    assert 'optimizer' not in content
    after.load_state_dict(content['state_dict'])
    clip = torch.randn(2, 3, 18, 32, 32)
    kept, expected = logits(after, clip)[:, :2], logits(before, clip)[:, [0, 2]]
    torch.testing.assert_close(kept, expected, rtol=0, atol=1e-6)
    assert content['state_dict']['cls_head.fc_cls.weight'][2:].std() > 0


def test_the_same_classes_keep_the_whole_head(tmp_path):
    cfg = config(micro('vmf'), 3)
    model = build(cfg)
    start = find_start(save_trained(tmp_path / 'trained.pth', cfg, model))
    line = write_start(start, cfg, order_classes(sorted(KNOWN), start.classes), tmp_path / 'start.pth')
    assert 'kept 238 tensors of the backbone and the head of walk, run, jump; dropped optimizer' in line
    assert 'made' not in line
    content = torch.load(tmp_path / 'start.pth', weights_only=True)
    assert all(torch.equal(value, content['state_dict'][name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize('several_before', [False, True])
@pytest.mark.parametrize('several_now', [False, True])
def test_a_head_of_other_settings_keeps_its_rows_for_several_labels_and_for_one(tmp_path, several_before, several_now):
    cfg = config(micro('vmf'), 3)
    set_labels(cfg, 3, several_before)
    cfg.model.cls_head.hidden_dim = 48
    model = build(cfg)
    start = find_start(save_trained(tmp_path / 'trained.pth', cfg, model))
    given = read_config(micro('vmf'))
    adopt_settings(given, 'x', start, is_named=False)
    set_labels(given, 2, several_now)
    line = write_start(start, given, ['walk', 'jump'], tmp_path / 'start.pth')
    assert 'and the head of walk, jump; dropped optimizer, the head of run' in line
    weights = torch.load(tmp_path / 'start.pth', weights_only=True)['state_dict']
    rows = model.state_dict()['cls_head.fc_cls.weight'][[0, 2]]
    assert rows.shape[1] == 48 and torch.equal(weights['cls_head.fc_cls.weight'], rows)
    head = given.model.cls_head
    assert (head.get('multi_class', False), 'BCE' in head.get('loss_cls', {}).get('type', '')) == (several_now,) * 2
    for evaluator in (given.val_evaluator, given.test_evaluator):
        assert (evaluator.get('metric_list') == 'mean_average_precision') is several_now


def test_new_rows_are_the_same_in_each_call(tmp_path):
    cfg = config(micro('dualformer'), 3)
    start = find_start(save_trained(tmp_path / 'trained.pth', cfg, build(cfg)))
    cfg = config(micro('dualformer'), 2)
    weights = []
    for seed in range(2):
        torch.manual_seed(seed)
        write_start(start, cfg, ['a', 'b'], tmp_path / 'start.pth')
        weights.append(torch.load(tmp_path / 'start.pth', weights_only=True)['state_dict'])
    assert torch.equal(*(part['cls_head.fc_cls.weight'] for part in weights))
    assert weights[0]['cls_head.fc_cls.weight'].std() < 0.05  # as the head initialises itself


def test_a_head_without_names_or_of_another_form_is_made_anew():
    """Only the layers before the classes are kept where no name is known."""
    init_default_scope('mmaction')
    head = dict(type='VideoMobileFormerHead', num_classes=3, in_channels=4, token_dim=8, hidden_dim=3)
    torch.manual_seed(0)
    old, new = (MODELS.build(head).state_dict() for _ in range(2))
    given = {f'cls_head.{name}': value for name, value in old.items()}
    carried, kept = carry_head(head, new, given, [], ['a', 'b', 'c'])
    assert not kept and torch.equal(carried['fc.weight'], old['fc.weight'])
    assert torch.equal(carried['fc_cls.weight'], new['fc_cls.weight'])
    carried, kept = carry_head(head, new, given, ['c', 'b', 'x'], ['a', 'b', 'c'])  # as many classes as channels
    assert kept == ['b', 'c'] and torch.equal(carried['norm.weight'], old['norm.weight'])
    assert torch.equal(carried['fc_cls.weight'][1:], old['fc_cls.weight'][[1, 0]])
    assert torch.equal(carried['fc_cls.weight'][0], new['fc_cls.weight'][0])
    given['cls_head.fc.weight'] = torch.ones(5, 5)
    carried, kept = carry_head(head, new, given, ['a', 'b', 'c'], ['a', 'b', 'c'])
    assert not kept and all(torch.equal(carried[name], value) for name, value in new.items())


def test_without_a_model_everything_is_as_the_checkpoint_describes(tmp_path):
    """Frames, sizes, normalisation and settings that leave no trace in the weights; the test is that of the run."""
    cfg = config(micro('dualformer'), 3)
    cfg.model.backbone.window_size = (3, 4, 4)
    cfg.model.data_preprocessor.mean = [1, 2, 3]
    sample, crop = dict(clip_len=9, frame_interval=2, num_clips=4), dict(type='CenterCrop', crop_size=64)
    pipeline = [dict(step) for step in cfg.test_pipeline]
    pipeline[1].update(sample)
    pipeline[3], pipeline[4] = dict(type='Resize', scale=(-1, 80)), crop
    cfg.test_dataloader.dataset.pipeline = pipeline
    start = find_start(save_trained(tmp_path / 'trained.pth', cfg, build(cfg)))
    model = choose_model(start)
    assert model == micro('dualformer')
    given = read_config(model)
    (line,) = adopt_settings(given, model, start, is_named=False)
    assert line.startswith('model: ') and 'that the checkpoint describes' in line
    assert given.model.backbone == cfg.model.backbone and given.model.data_preprocessor.mean == [1, 2, 3]
    assert given.test_pipeline == pipeline
    assert given.train_pipeline[1] == dict(type='SampleFrames', clip_len=9, frame_interval=2, num_clips=1)
    assert [step['size'] for step in given.train_pipeline if 'size' in step] == [64]
    assert given.train_pipeline[3] == dict(type='Resize', scale=(-1, 80))
    assert given.val_pipeline[1] == {**given.train_pipeline[1], 'test_mode': True}

    named = read_config(model)
    (warning,) = adopt_settings(named, model, start, is_named=True)
    assert 'other settings than those of --model: mean, window_size; leave --model out' in warning
    assert 'window_size' in named.model.backbone and named.model.backbone.window_size == (9, 4, 4)


def test_what_cannot_be_built_is_one_line(tmp_path):
    cfg = config(micro('dualformer'), 3)
    model = build(cfg)
    cfg.model.cls_head.no_such_argument = 1
    start = find_start(save_trained(tmp_path / 'trained.pth', cfg, model))
    with pytest.raises(
        UserError, match=r'describes a model that cannot be trained: .*no_such_argument.*; give --model'
    ):
        adopt_settings(read_config(micro('dualformer')), 'x', start, is_named=False)


@pytest.fixture
def vidtr() -> dict:
    """Names and shapes of a released VidTr-S."""
    shapes = Reference('vidtr_s').content['state_dict']
    return {name: torch.empty(shape, device='meta') for name, shape in shapes.items()}


def test_a_released_vidtr_brings_its_activation_and_the_test_of_the_config(vidtr):
    start = identify(vidtr, 'a.pth')
    for is_named in (False, True):
        cfg = read_config(str(REPO / 'configs/vidtr_s_k400.py'))
        lines = adopt_settings(cfg, 'vidtr_s', start, is_named)
        assert cfg.model.backbone.act_cfg.type == 'ReLU'
        assert ('act_cfg.type=ReLU' in lines[0]) is is_named
        assert cfg.test_pipeline[1].type == 'SampleFrames' and cfg.test_pipeline[1].num_clips == 10
    cfg = read_config(str(REPO / 'configs/dualformer_t_k400.py'))
    assert adopt_settings(cfg, 'dualformer_t', start, is_named=True) == []
    assert 'act_cfg' not in cfg.model.backbone
    with pytest.raises(
        UserError, match=r'VidTr-S .* is not of --model .dualformer_t.; .* give --model vidtr_s, or leave'
    ):
        check_finetuning(cfg, 'dualformer_t', start)


def test_a_trained_vidtr_keeps_the_activation_that_it_was_trained_with(tmp_path):
    """Its checkpoints say so in the model that they describe, no longer in what a converter records."""
    cfg = config(micro('vidtr'), 3)
    cfg.model.backbone.act_cfg = dict(type='ReLU')
    start = find_start(save_trained(tmp_path / 'trained.pth', cfg, build(cfg)))
    given = read_config(micro('vidtr'))
    assert 'act_cfg.type=ReLU' in adopt_settings(given, 'x', start, is_named=True)[0]
    assert given.model.backbone.act_cfg.type == 'ReLU'


def test_a_model_with_the_same_name_and_other_settings_is_told_apart(tmp_path):
    cfg = read_config(micro('dualformer'))
    cfg.model.backbone.arch.embed_dims = (32, 64, 64)
    cfg.model.cls_head.in_channels = 64
    start = find_start(save_trained(tmp_path / 'trained.pth', cfg, build(cfg)))
    with pytest.raises(UserError, match='that model has other settings than --model; leave --model out'):
        check_finetuning(config(micro('dualformer'), 3), choose_model(start), start)


def test_a_recognizer_of_mmaction2_starts_one_with_another_head(tmp_path):
    init_default_scope('mmaction')
    backbone = dict(type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=1)
    torch.manual_seed(0)
    theirs = MODELS.build(
        dict(type='Recognizer3D', backbone=backbone, cls_head=dict(type='X3DHead', num_classes=5, in_channels=432))
    )
    torch.save(dict(state_dict=theirs.state_dict(), meta=dict(epoch=1)), tmp_path / 'x3d.pth')
    start = find_start(str(tmp_path / 'x3d.pth'))
    with pytest.raises(UserError, match='is of no model that is known here; give the config of its model'):
        choose_model(start)
    cfg = read_config(micro('dualformer'))
    cfg.model = dict(
        type='Recognizer3D',
        backbone=dict(backbone, init_cfg=dict(type='Pretrained', checkpoint='no.pth')),
        cls_head=dict(type='I3DHead', num_classes=2, in_channels=432),
    )
    assert adopt_settings(cfg, 'x3d.py', start, is_named=True) == []
    assert 'init_cfg' not in cfg.model.backbone  # nothing else is loaded
    check_finetuning(cfg, 'x3d.py', start)
    line = write_start(start, cfg, ['a', 'b'], tmp_path / 'start.pth')
    assert 'made the head of a, b' in line and 'dropped its head' in line
    content = torch.load(tmp_path / 'start.pth', weights_only=True)['state_dict']
    for name, value in theirs.backbone.state_dict().items():
        assert torch.equal(content[f'backbone.{name}'], value)
    assert content['cls_head.fc_cls.weight'].shape == (2, 432)


def test_images_start_a_vidtr_and_what_they_lack_is_initialised(tmp_path):
    """A compact VidTr that pools time by a convolution, which no model of images has."""
    init_default_scope('mmaction')
    cfg = config(micro('cvidtr'), 2)
    cfg.model.backbone.pooling = 'conv'
    cfg.model.backbone.pool_frames = (5, 3)
    video = MODELS.build(cfg.model.backbone)
    image = MODELS.build(
        dict(
            {key: value for key, value in cfg.model.backbone.items() if not key.startswith('pool')},
            clip_size=(1, 32, 32),
            patch_size=(1, 8, 8),
            attention='spatial',
        )
    )
    torch.save({f'backbone.{name}': value for name, value in image.state_dict().items()}, tmp_path / 'image.pth')
    start = find_start(str(tmp_path / 'image.pth'))
    adopt_settings(cfg, 'x', start, is_named=True)
    line = write_start(start, cfg, ['a', 'b'], tmp_path / 'start.pth')
    assert 'inflated from images' in line and 'attn.temporal.' in line
    content = torch.load(tmp_path / 'start.pth', weights_only=True)['state_dict']
    assert {f'backbone.{name}' for name in video.state_dict()} <= content.keys()
    assert torch.equal(content['backbone.norm.weight'], image.state_dict()['norm.weight'])


def test_a_converted_file_keeps_what_says_how_it_was_trained(vidtr):
    converted = convert_vidtr(vidtr)
    start = identify(dict(meta=converted.meta, state_dict=converted.weights), 'a.pth')
    cfg = read_config(str(REPO / 'configs/vidtr_s_k400.py'))
    adopt_settings(cfg, 'vidtr_s', start, is_named=True)
    assert cfg.model.backbone.act_cfg.type == 'ReLU'


@pytest.mark.parametrize('options', [{}, {'model.cls_head.hidden_dim': 64}])
def test_the_weights_that_the_package_carries_are_the_start(tmp_path, capsys, options):
    cfg = config(OWN, 2)
    cfg.merge_from_dict(options)
    start = find_packaged_start(cfg, 'vmf_micro')
    assert write_start(start, cfg, ['a', 'b'], tmp_path / 'start.pth') == 'start: vmf_micro, pretrained on drawn motion'
    assert not capsys.readouterr().out
    check_checkpoint(MODELS.build(cfg.model), str(tmp_path / 'start.pth'))


def test_a_backbone_that_the_package_has_no_weights_of_is_no_error(capsys):
    cfg = config(OWN, 2)
    assert find_packaged_start(cfg, 'vmf_1g') is None and not capsys.readouterr().out
    cfg.model.backbone.token_dim = 32
    assert find_packaged_start(cfg, 'vmf_micro') is None
    assert capsys.readouterr().out.startswith('warning: the weights of vmf_micro that are here do not fit its backbone')


def test_what_was_kept_of_a_head_without_a_last_layer(tmp_path):
    """As a file that pretrain writes: nothing of it is dropped."""
    cfg = config(OWN, 2)
    start = find_start(str(find_motion_weights('vmf_micro')))
    line = write_start(start, cfg, ['a', 'b'], tmp_path / 'start.pth')
    assert 'is a model that was pretrained on drawn motion; kept 238 tensors of the backbone and ' in line
    assert re.search(r' and [1-9]\d* of its head; made the head of a, b$', line)
    start.meta.clear()
    start.weights.update({'cls_head.fc_cls.weight': torch.zeros(9, 192), 'cls_head.fc_cls.bias': torch.zeros(9)})
    line = write_start(start, cfg, ['a', 'b'], tmp_path / 'start.pth')
    assert line.endswith(' of its head; made the head of a, b; dropped the last layer of its head')


def test_own_small_models_go_on_as_what_they_are(tmp_path):
    """Not as the large model whose arguments are most alike, with its augmentation and its schedule."""
    cfg = config(OWN, 3)
    start = find_start(save_trained(tmp_path / 'trained.pth', cfg, build(cfg)))
    assert choose_model(start) == 'vmf_micro'
