import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.checkpoints.dualformer import backbone_name, convert_dualformer
from mmdualformer.checkpoints.recognizer import describe_recognizer
from mmdualformer.checkpoints.starts import find_model, find_start, fit_backbone, identify
from mmdualformer.errors import UserError
from mmdualformer.models import DualFormer, VidTr
from mmdualformer.weights import write_weights
from tests.checkpoints.image_models import image_model
from tests.helpers import REPO
from tests.reference import Reference

MICRO = REPO / 'configs/dualformer_micro_motion.py'


def released(name: str) -> dict:
    """Names and shapes of a released backbone, or of the whole model where it has a classifier."""
    shapes = Reference(name).content['state_dict']
    kinds = {True: torch.int64, False: torch.float32}
    return {
        key: torch.empty(shape, device='meta', dtype=kinds[key.endswith('num_batches_tracked')])
        for key, shape in shapes.items()
    }


def released_dualformer() -> dict:
    weights = {f'backbone.{name}': value for name, value in released('dualformer_t_32x224').items()}
    head = {'cls_head.fc_cls.weight': torch.zeros(400, 512), 'cls_head.fc_cls.bias': torch.zeros(400)}
    return {**weights, **head}


@pytest.fixture(scope='module')
def micro() -> dict:
    """A checkpoint that a run of ours writes."""
    init_default_scope('mmaction')
    cfg = Config.fromfile(MICRO)
    meta = dict(recognizer=describe_recognizer(cfg), dataset_meta=dict(classes=[f'class {i}' for i in range(8)]))
    return dict(meta=meta, state_dict=MODELS.build(cfg.model).state_dict(), optimizer={}, message_hub={})


def save(content: dict, path) -> str:
    write_weights(content, path) if path.suffix == '.safetensors' else torch.save(content, path)
    return str(path)


@pytest.mark.parametrize(
    ('file', 'wrap'),
    [
        ('a.pth', lambda weights: weights),
        ('a.pt', lambda weights: dict(model=weights, epoch=3)),
        ('a.ckpt', lambda weights: dict(state_dict={f'model.{name}': value for name, value in weights.items()})),
        ('a.pth', lambda weights: dict(module={f'module.model.{name}': value for name, value in weights.items()})),
        ('a.pth', lambda weights: dict(model_state=weights)),
        ('a.safetensors', lambda weights: dict(state_dict=weights, meta={})),
    ],
)
def test_weights_are_found_wherever_they_are(micro, tmp_path, file, wrap):
    start = find_start(save(wrap(micro['state_dict']), tmp_path / file))
    backbone = MODELS.build(Config.fromfile(MICRO).model.backbone)
    fitted = fit_backbone(start, backbone)
    assert not fitted.made and not fitted.inflated
    for name in backbone.state_dict():
        assert torch.equal(fitted.weights[name], micro['state_dict'][f'backbone.{name}'])
    assert torch.equal(fitted.owner['cls_head.fc_cls.weight'], micro['state_dict']['cls_head.fc_cls.weight'])


@pytest.mark.parametrize('prefix', ['', 'encoder.', 'module.encoder.'])
def test_a_bare_backbone_is_one_with_or_without_a_prefix(micro, tmp_path, prefix):
    names = {name: value for name, value in micro['state_dict'].items() if name.startswith('backbone.')}
    bare = {name.replace('backbone.', prefix, 1): value for name, value in names.items()}
    fitted = fit_backbone(
        find_start(save(bare, tmp_path / 'a.pth')), MODELS.build(Config.fromfile(MICRO).model.backbone)
    )
    assert torch.equal(fitted.weights['norm.weight'], names['backbone.norm.weight']) and not fitted.owner


def test_a_trained_checkpoint_says_what_it_is(micro, tmp_path):
    start = find_start(save(micro, tmp_path / 'a.pth'))
    assert start.description == 'a trained DualFormer of 8 classes' and not start.is_released
    assert start.classes[7] == 'class 7' and start.others == ['optimizer', 'message_hub']
    assert find_model(start) == str(MICRO)


@pytest.mark.parametrize('prefix', ['', 'module.', 'module.model.'])
def test_a_released_dualformer_is_converted_on_the_way(prefix):
    weights = {prefix + name: value for name, value in released_dualformer().items()}
    start = identify(dict(state_dict=weights), 'a.pth')
    assert start.description == 'DualFormer-T for clips of 32 frames, 400 classes' and start.is_released
    assert find_model(start) == 'dualformer_t' and len(start.classes) == 400


def test_a_released_vidtr_is_converted_on_the_way():
    weights = released('vidtr_s')
    weights['encoder.layers.3.linear1.weight'] = torch.randn(3072, 768)
    start = identify({f'module.{name}': value for name, value in weights.items()}, 'a.pth')
    assert start.description == 'VidTr-S for clips of 8 frames, 400 classes' and start.is_released
    assert find_model(start) == 'vidtr_s' and len(start.classes) == 400
    with torch.device('meta'):
        fitted = fit_backbone(start, VidTr('small'))
    assert torch.equal(fitted.weights['layers.3.mlp.fc1.weight'], weights['encoder.layers.3.linear1.weight'])


def test_a_converted_file_is_what_it_was_converted_from():
    converted = convert_dualformer(released_dualformer())
    start = identify(dict(meta=converted.meta, state_dict=converted.weights), 'a.pth')
    assert start.is_released and start.description == 'a released DualFormer of 400 classes'
    assert find_model(start) == 'dualformer_t'


def test_a_model_of_videos_with_kernels_of_one_frame_is_not_taken_for_images():
    """Some of its kernels could be inflated, but its stem is of two frames."""
    start = identify(released('dualformer_t_16x224'), 'a.pth')
    with torch.device('meta'), pytest.raises(UserError, match='9 have other shapes'):
        fit_backbone(start, DualFormer('tiny'))
    cfg = Config.fromfile(MICRO).model.backbone
    short = MODELS.build(dict(cfg, fine_sizes=((9, 2, 2), (9, 2, 2), 'whole'))).state_dict()
    assert short['stages.0.blocks.0.layers.1.attn.scales.fine.weight'].shape[2] == 1
    start = identify({f'backbone.{name}': value for name, value in short.items()}, 'a.pth')
    with pytest.raises(UserError, match='2 have other shapes'):
        fit_backbone(start, MODELS.build(cfg))


def test_a_dualformer_of_images_is_inflated():
    """A kernel's sum over time is that of the image's."""
    image = {
        name: value[:, :, 0] if value.ndim == 5 else value
        for name, value in released('dualformer_t_32x224').items()
        if '.lr.3.' not in name
    }
    stem = 'patch_embeds.0.proj.weight'
    image[stem] = torch.randn(image[stem].shape)
    head = {'head.weight': torch.ones(1000, 512), 'head.bias': torch.ones(1000)}
    start = identify(dict(model={**image, **head}), 'a.pth')
    assert start.description == 'a DualFormer of images' and find_model(start) == 'dualformer_t'
    with torch.device('meta'):
        fitted = fit_backbone(start, DualFormer('tiny'))
    assert fitted.inflated and not fitted.made and 'head.weight' not in fitted.used
    torch.testing.assert_close(fitted.weights[backbone_name(stem)].sum(2), image[stem])


def test_a_trained_model_of_images_is_inflated(tmp_path):
    init_default_scope('mmaction')
    cfg = Config.fromfile(MICRO).model.backbone
    sizes = dict(fine_sizes=((1, 2, 2), (1, 2, 2), 'whole'))
    image = MODELS.build(dict(cfg, clip_size=(1, 32, 32), **sizes)).state_dict()
    video = MODELS.build(dict(cfg, **sizes))
    start = find_start(save({f'backbone.{name}': value for name, value in image.items()}, tmp_path / 'a.pth'))
    fitted = fit_backbone(start, video)
    assert fitted.inflated
    torch.testing.assert_close(
        fitted.weights['stages.0.patch_embed.proj.weight'].sum(2), image['stages.0.patch_embed.proj.weight'].sum(2)
    )


@pytest.mark.parametrize(('image', 'model'), [('ViT-B', 'vidtr_s'), ('T2T-ViT-14', 't2t_vit_14')])
def test_image_transformers_start_the_vidtr_that_has_their_body(image, model):
    start = identify(image_model(image), 'a.pth')
    found = find_model(start)
    assert found.removesuffix('.py').endswith(model)
    config = Config.fromfile(found if found.endswith('.py') else REPO / f'configs/{found}_k400.py')
    with torch.device('meta'):
        fitted = fit_backbone(start, MODELS.build(config.model.backbone), on_meta=True)
    assert fitted.inflated and not fitted.made


def test_what_is_of_no_model_is_refused_with_what_is_wrong(micro, tmp_path):
    start = identify({'backbone.weight': torch.ones(1)}, 'a.pth')
    backbone = MODELS.build(Config.fromfile(MICRO).model.backbone)
    with pytest.raises(UserError, match='106 of 106 tensors are missing'):
        fit_backbone(start, backbone)
    start = identify({name: value for name, value in released('vidtr_s').items() if name != 'cls_t'}, 'a.pth')
    with pytest.raises(UserError, match='no released VidTr: it lacks'):
        fit_backbone(start, backbone)
    weights = {**micro['state_dict'], 'backbone.norm.bias': torch.full((128,), torch.nan)}
    with pytest.raises(UserError, match='NaN or infinity'):
        find_start(save(weights, tmp_path / 'a.pth'))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({"a': __import__('os').system('true'), 'b": 1}, 'which is no name'),
        (dict(arch='{{ fileDirname }}'), 'no plain text'),
        (dict(act_cfg=dict(type='os.system')), "asks for 'os.system'"),
    ],
)
def test_a_description_that_would_be_a_program_in_a_config_is_refused(micro, tmp_path, change, message):
    described = micro['meta']['recognizer']
    model = dict(described['model'], backbone={**described['model']['backbone'], **change})
    meta = dict(micro['meta'], recognizer=dict(described, model=model))
    with pytest.raises(UserError, match=message):
        find_start(save(dict(micro, meta=meta), tmp_path / 'a.pth'))
