import copy
import hashlib

import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine.config import Config

from mmdualformer.checkpoints import load_recognizer
from mmdualformer.checkpoints.converters import write_converted
from mmdualformer.checkpoints.inflate import inflate
from mmdualformer.checkpoints.vidtr import convert_vidtr, convert_vit, spread_over_time
from mmdualformer.errors import UserError
from mmdualformer.models import VidTr
from mmdualformer.weights import check_checkpoint, read_weights
from tests.checkpoints.image_models import IMAGE_MODELS, image_model
from tests.helpers import REPO, assert_one_line, build_backbone
from tests.reference import Reference


@pytest.fixture(scope='module')
def released() -> dict:
    """A released VidTr-S, in names, shapes and values."""
    return {name: value.float() for name, value in Reference('vidtr_s').weights().items()}


@pytest.fixture(scope='module')
def compact() -> dict:
    """Names and shapes of a released compact VidTr-S."""
    shapes = Reference('cvidtr_s').content['state_dict']
    return {name: torch.empty(shape, device='meta') for name, shape in shapes.items()}


def test_embeddings_of_compact_models_in_another_order_are_refused(compact):
    for name in ('cls', 'pos_embedding'):
        with pytest.raises(UserError, match=r'has shape .* not'):
            convert_vidtr({**compact, name: compact[name].permute(2, 1, 0)})


@pytest.mark.parametrize(
    'wrap',
    [
        lambda weights: dict(state_dict={f'module.{name}': value for name, value in weights.items()}),
        lambda weights: dict(model_state_dict=weights, epoch=50),
    ],
)
def test_a_released_model_becomes_one_that_loads_strictly(run_tool, released, tmp_path, wrap):
    torch.save(wrap(released), tmp_path / 'released.pth')
    result = run_tool('tools/convert_checkpoint.py', 'vidtr', 'released.pth', 'ours.pth')
    assert result.returncode == 0, result.stderr
    assert 'VidTr-S for clips of 8 frames, 400 classes' in result.stdout
    assert 'model.backbone.act_cfg.type=ReLU' in result.stdout

    converted = torch.load(tmp_path / 'ours.pth', weights_only=True)
    meta = converted['meta']
    assert meta['source_sha256'] == hashlib.sha256((tmp_path / 'released.pth').read_bytes()).hexdigest()
    assert (meta['arch'], meta['clip_frames'], meta['num_classes'], meta['activation']) == ('small', 8, 400, 'ReLU')
    cfg = Config(
        dict(
            model=dict(
                type='Recognizer3D',
                backbone=dict(type='VidTr', arch='small'),
                cls_head=dict(type='TimeSformerHead', num_classes=400, in_channels=768),
            )
        )
    )
    model = init_recognizer(cfg, device='cpu')
    model.load_state_dict(converted['state_dict'], strict=True)
    with pytest.raises(UserError, match=r'was trained with ReLU, the config has GELU; set .*act_cfg\.type=ReLU'):
        check_checkpoint(model, str(tmp_path / 'ours.pth'))
    cfg.model.backbone.act_cfg = dict(type='ReLU')
    check_checkpoint(init_recognizer(cfg, device='cpu'), str(tmp_path / 'ours.pth'))


@pytest.mark.parametrize('arch', ['small', 'medium', 'large', 'compact_small', 'compact_medium'])
def test_the_five_released_models_are_told_apart(released, compact, arch):
    frames = VidTr.arch_zoo[arch]['frames']
    if arch.startswith('compact'):
        weights = dict(compact, pos_embedding=torch.empty(1, 1 + 196 * frames, 768))
    else:
        weights = dict(
            released, pos_embedding=torch.empty(1, 197 * (frames + 1), 768), cls_s=torch.empty(frames, 1, 768)
        )
    converted = convert_vidtr(weights)
    assert (converted.meta['arch'], converted.meta['clip_frames']) == (arch, frames)
    assert not converted.dropped and not converted.made


def test_a_bare_backbone(compact):
    converted = convert_vidtr({name: value for name, value in compact.items() if not name.startswith('fc.')})
    assert converted.meta['num_classes'] is None
    assert all(name.startswith('backbone.') for name in converted.weights)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda w: w.pop('encoder.layers.3.norm1.bias'), r'VidTr-S but lacks layers\.3\.norm1\.bias'),
        (lambda w: w.update({'encoder.norm.weight': torch.ones(3)}), r'norm\.weight has shape \(3,\), not \(768,\)'),
        (lambda w: w.update({'encoder.layers.12.norm1.bias': torch.ones(768)}), 'tensors of something else'),
        (lambda w: w.update({'stem.weight': torch.ones(3)}), "no tensor 'stem.weight'"),
        (lambda w: w.update({'pos_embedding': torch.ones(1, 197 * 5, 768)}), 'that of 4 frames; known are 8, 16, 32'),
        (lambda w: w.pop('fc.bias'), 'the classifier of VidTr-S'),
        (lambda w: w.pop('cls_t'), 'no released VidTr: it lacks'),
        (
            lambda w: w.update(pos_embedding=w['pos_embedding'].permute(2, 1, 0)),
            r'position has shape \(768, 1773, 1\), not \(1, 1773, 768\)',
        ),
        (lambda w: w.update(cls_t=w['cls_t'].mT), r'cls_tokens\.0 has shape \(1, 768, 197\), not \(1, 197, 768\)'),
        (lambda w: w.update(cls_s=w['cls_s'].mT), r'cls_tokens\.1 has shape \(8, 768, 1\), not \(8, 1, 768\)'),
        (lambda w: w.update(cls_s=torch.tensor(1.0)), r'cls_tokens\.1 has shape \(\), not'),
        (
            lambda w: w.update({'fc.weight': torch.tensor(1.0)}),
            r'the classifier of VidTr-S but its weight has shape \(\)',
        ),
    ],
)
def test_anything_else_is_refused(released, change, message):
    weights = dict(released)
    change(weights)
    with pytest.raises(UserError, match=message) as error:
        convert_vidtr(weights)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('name', IMAGE_MODELS)
def test_image_models_are_told_apart(name):
    converted = convert_vit(image_model(name, device='cpu' if name == 'T2T-ViT-14' else 'meta'))
    assert converted.meta['image_model'] == name
    assert {'head.weight', 'head.bias'} <= set(converted.dropped)
    if name.startswith('T2T'):
        assert 'tokens_to_token.project.weight' in converted.dropped
        assert len(converted.made) == IMAGE_MODELS[name][1] + 2 and 'backbone.patch_embed.weight' in converted.made
        assert converted.weights['backbone.layers.3.attn.qkv.bias'].abs().sum() == 0
        assert converted.weights['backbone.patch_embed.weight'].std() == pytest.approx(0.02, rel=0.1)
    else:
        assert not converted.made


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda w: w.pop('blocks.3.norm1.bias'), r'ViT-B but lacks layers\.3\.norm1\.bias'),
        (lambda w: w.pop('patch_embed.proj.weight'), r'ViT-B but lacks patch_embed\.weight'),
        (lambda w: w.update(pos_embed=torch.ones(1, 200, 768)), '199 patches, which are no square'),
        (lambda w: w.update({'blocks.12.norm1.weight': torch.ones(768)}), '13 layers of 768 channels; known are ViT-B'),
        (lambda w: w.update({'blocks.0.ls1.gamma': torch.ones(768)}), "no tensor 'blocks.0.ls1.gamma'"),
        (lambda w: w.pop('pos_embed'), 'no ViT or T2T-ViT'),
        (lambda w: w.update(pos_embed=torch.tensor(1.0)), 'no ViT or T2T-ViT'),
        (lambda w: w.update(pos_embed=w['pos_embed'].permute(2, 1, 0)), r'position has shape .*, not \(1, 197, 768\)'),
        (lambda w: w.update(pos_embed=torch.ones(1, 0, 768)), '-1 patches, which are no square'),
        (lambda w: w.update(cls_token=torch.ones(768, 1, 1)), r'cls_tokens\.0 has shape .*, not \(1, 1, 768\)'),
        (lambda w: w.update({'blocks.0.mlp.fc1.weight': torch.tensor(1.0)}), 'no ViT or T2T-ViT'),
        (
            lambda w: w.update({'patch_embed.proj.weight': torch.tensor(1.0)}),
            r'patch_embed\.proj\.weight has shape \(\)',
        ),
    ],
)
def test_other_image_models_are_refused(change, message):
    weights = image_model('ViT-B')
    change(weights)
    with pytest.raises(UserError, match=message):
        convert_vit(weights)


def test_the_image_model_of_the_authors_is_taken_under_its_own_names():
    """vit_inflate.pth has the names of the released VidTrs, and a kernel with a temporal axis."""
    theirs = {
        'cls_token': 'cls',
        'pos_embed': 'pos_embedding',
        'patch_embed.proj.': 'conv_stem.',
        'blocks.': 'encoder.layers.',
        'attn.qkv.': 'self_attn.in_proj_',
        'attn.proj.': 'self_attn.out_proj.',
        'mlp.fc': 'linear',
        'norm.': 'encoder.norm.',
        'head.': 'fc.',
    }
    timm = image_model('ViT-B', device='cpu')
    released = {}
    for name, value in timm.items():
        for part, replacement in theirs.items():
            name = name.replace(part, replacement) if part != 'norm.' or name.startswith('norm.') else name
        released[name] = value.unsqueeze(2) if value.ndim == 4 else value
    assert {'cls', 'encoder.layers.11.self_attn.in_proj_weight', 'encoder.norm.bias'} <= released.keys()
    converted, expected = convert_vit(released), convert_vit(timm)
    assert converted.meta == expected.meta and converted.dropped == ['fc.weight', 'fc.bias']
    assert converted.weights.keys() == expected.weights.keys()
    for name, value in converted.weights.items():
        torch.testing.assert_close(value, expected.weights[name], rtol=0, atol=0)


def test_a_converted_model_says_how_the_authors_test_it(tmp_path):
    """No config and no option: its activation, its sampling and the names of its classes are in the file."""
    reference = Reference('cvidtr_s')
    weights = {key: value.float() for key, value in reference.weights().items()}
    torch.save(weights, tmp_path / 'released.pth')
    write_converted(convert_vidtr(weights), tmp_path / 'released.pth', tmp_path / 'ours.pth')
    model = load_recognizer(str(tmp_path / 'ours.pth'))
    with torch.no_grad():
        assert reference.error('feature', model.backbone(reference.input().float())) < 1e-4
    sample = model.cfg.test_pipeline[1]
    assert (sample.type, sample.release, sample.clip_len, sample.num_clips) == ('ReleasedSampleFrames', 'vidtr', 8, 10)
    classes = model.dataset_meta['classes']
    assert len(classes) == 400 and classes == sorted(classes)
    assert (classes[0], classes[5], classes[399]) == ('abseiling', 'archery', 'zumba')


@pytest.fixture(scope='module')
def vit(tmp_path_factory) -> tuple:
    """A small image model and its converted file, written as the tool writes it."""
    torch.manual_seed(0)
    model = VidTr(
        dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32),
        (1, 32, 32),
        (1, 8, 8),
        attention='spatial',
        drop_rate=0.0,
        attn_drop_rate=0.0,
    ).eval()
    path = tmp_path_factory.mktemp('vit') / 'vit.pth'
    torch.save(dict(state_dict={f'backbone.{name}': value for name, value in model.state_dict().items()}), path)
    return model, path


def video_model(path, **settings) -> VidTr:
    model = VidTr(
        **{
            **dict(
                arch=dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32),
                clip_size=(4, 32, 32),
                patch_size=(1, 8, 8),
                drop_rate=0.0,
                init_cfg=dict(type='Inflated', checkpoint=str(path)),
            ),
            **settings,
        }
    )
    model.init_weights()
    return model.eval()


def test_an_image_model_initialises_every_kind_of_attention(vit):
    image, path = vit
    cls, position = image.grid_embed.cls_tokens[0][0], image.grid_embed.position
    clip = torch.randn(2, 3, 4, 32, 32)
    frames = torch.stack([image(clip[:, :, t : t + 1]) for t in range(4)])
    torch.testing.assert_close(video_model(path, attention='spatial')(clip), frames.mean(0))

    embed = video_model(path).grid_embed
    torch.testing.assert_close(embed.position, position.expand(5, -1, -1))  # every row is the image's
    assert all((tokens == cls).all() for tokens in embed.cls_tokens)
    embed = video_model(path, attention='axial').grid_embed
    torch.testing.assert_close(embed.position[:, 1:, 1:].flatten(1, 2), position[1:].expand(5, -1, -1))
    assert (embed.position[:, 0] == position[0]).all() and (embed.position[:, :, 0] == position[0]).all()
    for settings in (
        dict(attention='joint'),
        dict(pool_layers=(0,), pool_frames=(2,)),
        dict(pool_layers=(0,), pool_frames=(2,), pooling='conv'),
    ):
        embed = video_model(path, **settings).grid_embed
        assert (embed.position[0] == position[0]).all()
        torch.testing.assert_close(embed.position[1:].view(4, 16, 16), position[1:].expand(4, -1, -1))


def test_with_all_rows_alike_the_video_model_is_the_image_model(vit):
    """Attention along time then returns its input. Patches as the class token make the temporal class row like any."""
    image, path = copy.deepcopy(vit[0]), vit[1].with_name('alike.pth')
    with torch.no_grad():
        image.patch_embed.weight.zero_()
        image.patch_embed.bias.copy_(image.grid_embed.cls_tokens[0][0])
    torch.save(dict(state_dict={f'backbone.{name}': value for name, value in image.state_dict().items()}), path)
    clip = torch.randn(1, 3, 4, 32, 32)
    torch.testing.assert_close(video_model(path)(clip), image(clip[:, :, :1]))


@pytest.mark.parametrize('patch', [16, 32])
def test_large_patches_start_from_the_vit_that_has_them(patch):
    backbone = build_backbone(Config.fromfile(REPO / 'configs/ablations/vidtr/vidtr_s_k400_patch_1x32x32.py'))
    converted = convert_vit(image_model('ViT-B', 224 // patch, patch)).weights
    weights = {name.removeprefix('backbone.'): value for name, value in converted.items()}
    wanted = backbone.state_dict()
    if patch == 32:
        assert inflate(spread_over_time(weights, backbone), wanted).keys() == wanted.keys()
    else:
        with pytest.raises(UserError, match=r'patch_embed\.weight of shape .* cannot be inflated'):
            inflate(spread_over_time(weights, backbone), wanted)


def test_cubic_patches_and_other_resolutions_are_inflated(vit):
    image, path = vit
    model = video_model(path, clip_size=(8, 48, 32), patch_size=(2, 8, 8))
    assert model.grid_embed.position.shape == (5, 25, 16)
    torch.testing.assert_close(model.patch_embed.weight.sum(2), image.patch_embed.weight[:, :, 0])


def test_an_image_model_of_another_width_is_refused(vit):
    arch = dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=32)
    with pytest.raises(UserError, match='VidTr of images with 16 channels, the model has 24'):
        video_model(vit[1], arch=arch)


def test_tensors_without_names_are_refused(vit, tmp_path):
    image, _ = vit
    path = str(tmp_path / 'numbered.pth')
    torch.save({0: torch.ones(3)}, path)
    for read in (read_weights, lambda path: check_checkpoint(image, path)):
        with pytest.raises(UserError, match=r'numbered\.pth. holds a tensor under 0, which is no name'):
            read(path)


def test_converted_files_and_refusals_through_the_tool(run_tool, tmp_path):
    torch.save(dict(state_dict_ema=image_model('T2T-ViT-14', device='cpu')), tmp_path / 't2t.pth')
    result = run_tool('tools/convert_checkpoint.py', 'vit', 't2t.pth', 'ours.pth')
    assert result.returncode == 0, result.stderr
    assert 'T2T-ViT-14 with 14 x 14 patches' in result.stdout
    assert 'dropped 3: ' in result.stdout and 'made 16: ' in result.stdout
    model = VidTr(
        dict(embed_dims=384, num_layers=14, num_heads=6, feedforward_channels=1152),
        init_cfg=dict(type='Inflated', checkpoint=str(tmp_path / 'ours.pth')),
    )
    model.init_weights()
    assert_one_line(run_tool('tools/convert_checkpoint.py', 'vidtr', 't2t.pth', 'no.pth'), 'no released VidTr')
    with pytest.raises(UserError, match='no VidTr of images'):
        torch.save(dict(state_dict=model.state_dict()), tmp_path / 'video.pth')
        video_model(tmp_path / 'video.pth')
