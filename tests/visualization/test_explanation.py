"""Maps light up where the square is that decides the class, and nowhere where the weights are shuffled."""

import copy

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmaction.utils import GradCAM
from mmengine.config import Config

from mmdualformer.errors import UserError
from mmdualformer.models import DualFormer, Mobile3D, VideoMobileFormer
from mmdualformer.visualization import explain, grad_cam, pyramid_attention, token_attention
from mmdualformer.visualization.maps import average, stretch
from tests.helpers import REPO
from tests.visualization.conftest import FRAMES, SIZE, SQUARE, build_recognizer, draw_batch, place_square

FAMILIES = ('vmf', 'dualformer', 'vidtr')


def gain(maps: np.ndarray, where: torch.Tensor) -> float:
    """Share of the map that is where the square is, over the share of the clip that the square is."""
    return float((maps * where.numpy()).sum() / maps.sum() / where.double().mean())


@pytest.mark.parametrize(
    ('family', 'method', 'least'),
    [
        ('vmf', 'attention', 2.5),
        ('dualformer', 'attention', 1.8),
        ('vidtr', 'attention', 2.5),
        ('vmf', 'grad_cam', 1.4),
    ],
)
def test_the_map_of_a_trained_model_is_where_the_square_moves(trained, family, method, least):
    clips, labels, where = draw_batch(12, seed=1000)
    gains = []
    for clip, label, place in zip(clips, labels, where):
        explanation = explain(trained[family], clip[None], method)
        assert explanation.predicted == explanation.label == label
        assert explanation.method == method
        assert explanation.maps.shape == (FRAMES, SIZE, SIZE)
        assert explanation.maps.min() == 0 and explanation.maps.max() == pytest.approx(1)
        assert explanation.scores.sum() == pytest.approx(1) and explanation.scores.argmax() == label
        if label < 2:
            gains.append(gain(explanation.maps, place))
    assert np.mean(gains) > least, gains


@pytest.mark.parametrize('family', ['dualformer', 'vidtr'])
def test_grad_cam_shows_where_each_class_comes_from(built, family):
    """A clip of both classes: each one's map is at its own square, in each frame where that then is."""
    model = built(family)
    clip = torch.zeros(3, FRAMES, SIZE, SIZE)
    places = [place_square(clip, 0, 0, rightwards=True), place_square(clip, 1, SIZE - SQUARE, rightwards=False)]
    maps = [explain(model, clip[None], target=label).maps for label in (0, 1)]
    for own, other, part in ((0, 1, maps[0]), (1, 0, maps[1])):
        assert gain(part, places[own]) > 4
        assert gain(part, places[other]) < 0.3
        centres = part.max(axis=1).argmax(axis=1)  # the column of the most, of each frame
        moved = centres[-1] - centres[0]
        assert abs(moved) > SIZE / 3 and (moved > 0) == (own == 0)


def test_grad_cam_of_a_trained_model_tells_classes_apart(trained):
    clip = draw_batch(1, seed=5)[0][0]
    clip.copy_(torch.randn(clip.shape, generator=torch.Generator().manual_seed(0)) / 2)
    places = [place_square(clip, 0, 0, rightwards=True), place_square(clip, 1, SIZE - SQUARE, rightwards=False)]
    for label in (0, 1):
        maps = explain(trained['vmf'], clip[None], target=label).maps
        assert gain(maps, places[label]) > 2 * gain(maps, places[1 - label])


@pytest.mark.parametrize('family', FAMILIES)
@pytest.mark.parametrize('method', ['attention', 'grad_cam'])
def test_other_weights_give_other_maps(trained, family, method):
    shuffled = copy.deepcopy(trained[family])
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in shuffled.parameters():
            order = torch.randperm(parameter.numel(), generator=generator)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    clips, labels, _ = draw_batch(6, seed=2000)
    alike = []
    for clip in clips[labels < 2]:
        maps = [explain(model, clip[None], method).maps.ravel() for model in (trained[family], shuffled)]
        if all(part.std() > 0 for part in maps):
            alike.append(np.corrcoef(*maps)[0, 1])
    assert not alike or np.mean(alike) < 0.75, alike  # edges show through any convolutions


def test_a_model_is_left_as_it_was(trained):
    """A page that explains shares the model with what recognizes."""
    model = copy.deepcopy(trained['vmf']).train()
    before = copy.deepcopy(model.state_dict())
    clip = draw_batch(1, seed=0)[0]
    with torch.inference_mode():
        for method in ('attention', 'grad_cam'):
            explain(model, clip, method)
    assert all(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert model.cls_head.average_clips == 'prob' and torch.is_grad_enabled()


def test_the_method_suits_the_model_and_the_question(trained):
    clip = draw_batch(1, seed=0)[0]
    assert explain(trained['vmf'], clip).method == 'attention'
    assert explain(trained['vmf'], clip, target=1).method == 'grad_cam'
    assert explain(trained['vmf'], clip, layer='backbone/feature_map').method == 'grad_cam'
    assert explain(build_recognizer('vidtr', attention='joint'), clip).method == 'grad_cam'
    assert list(explain(trained['vmf'], clip).parts) == [f'token {i}' for i in range(1, 7)]
    assert list(explain(trained['vidtr'], clip).parts) == ['spatial', 'temporal']
    assert list(explain(trained['dualformer'], clip).parts) == ['stage 1']


def test_what_cannot_be_explained_is_one_line(trained):
    model, clip = trained['dualformer'], draw_batch(1, seed=0)[0]
    for arguments, words in (
        (dict(method='saliency'), "method='saliency' must be"),
        (dict(target=3), 'from 0 to 2'),
        (dict(target=-1), 'from 0 to 2'),
        (dict(method='attention', target=1), 'attention is that of no class'),
        (dict(layer='backbone/layer4'), "has no layer 'backbone/layer4'"),
        (dict(layer='backbone/stages/0'), "no channels first; its map is at 'backbone/feature_map'"),
        (dict(layer='cls_head'), 'puts out no map of time and space'),
        (dict(layer='data_preprocessor'), "no score of the DualFormer comes from 'data_preprocessor'"),
    ):
        with pytest.raises(UserError, match=words):
            explain(model, clip, **arguments)
    with pytest.raises(UserError, match='must be one clip'):
        explain(model, clip.expand(2, -1, -1, -1, -1))
    with pytest.raises(UserError, match='has no attention to draw'):
        explain(build_recognizer('vidtr', attention='axial'), clip, 'attention')
    assert not any(module._forward_hooks for module in model.modules())


VARIANTS = {
    'dualformer': ('dualformer', {}),
    'vmf': ('vmf', {}),
    'vmf, tokens of frames': ('vmf', dict(tokens_per_frame=True)),
    'separable': ('vidtr', {}),
    'one layer': ('vidtr', dict(out_indices=(0,))),
    'joint': ('vidtr', dict(attention='joint')),
    'axial': ('vidtr', dict(attention='axial')),
    'spatial': ('vidtr', dict(attention='spatial')),
    'compact': ('vidtr', dict(pool_layers=(0,), pool_frames=(2,), pooling='topk_std')),
    'halved': ('vidtr', dict(pool_layers=(0,), pool_frames=(2,), pooling='avg')),
}


@pytest.mark.parametrize('variant', VARIANTS)
def test_grad_cam_of_mmaction2_at_the_feature_map_is_ours(variant):
    """A map of the clip's size that its tool draws without a special case."""
    family, settings = VARIANTS[variant]
    model = build_recognizer(family, **settings)
    clip = torch.randint(256, (1, 3, FRAMES, SIZE, SIZE), dtype=torch.uint8)
    data = dict(inputs=[clip], data_samples=[ActionDataSample()])
    cam = GradCAM(model, 'backbone/feature_map')
    theirs, _ = cam._calculate_localization_map(data, use_labels=False)
    assert theirs.shape == (1, FRAMES, SIZE, SIZE)
    assert theirs.max() == 1 and cam.target_activations.shape[3:] == cam.target_gradients.shape[3:]
    prepared = model.data_preprocessor(data)['inputs'][:, 0]
    ours, _ = grad_cam(model, prepared)
    torch.testing.assert_close(ours, theirs[0], atol=2e-3, rtol=0)  # of inference's folded convolutions


@pytest.mark.parametrize('variant', VARIANTS)
def test_every_backbone_passes_one_map_to_the_score(variant):
    """All of the score's gradient by patches that the map has left out is zero: nothing of it goes another way."""
    family, settings = VARIANTS[variant]
    model = build_recognizer(family, **settings).eval()
    assert not [name for name in model.state_dict() if 'feature_map' in name]
    seen = []
    model.backbone.feature_map.register_forward_hook(lambda module, args, output: seen.append(output))
    clip = torch.randn(1, 3, FRAMES, SIZE, SIZE)
    score = model.cls_head(model.backbone(clip))[0, 0]
    (maps,) = seen
    assert maps.dim() == 5 and len(maps) == 1 and maps.shape[3] == maps.shape[4]
    (gradient,) = torch.autograd.grad(score, maps)
    assert gradient.shape == maps.shape and (gradient.abs().amax((0, 1)) > 0).all()  # of every place and time


def test_the_baseline_and_models_of_others_have_a_map():
    init = torch.randn(1, 3, FRAMES, SIZE, SIZE)
    cfg = Config.fromfile(REPO / 'configs/mobile3d_micro_motion.py')
    model = MODELS.build(cfg.model)
    assert isinstance(model.backbone, Mobile3D)
    explanation = explain(model, init)
    assert explanation.method == 'grad_cam' and explanation.maps.shape == (FRAMES, SIZE, SIZE)

    frames = dict(
        type='Recognizer2D',
        backbone=dict(type='ResNet', depth=18),
        cls_head=dict(type='TSNHead', num_classes=4, in_channels=512, average_clips='prob'),
    )
    model = MODELS.build(frames).eval()
    data = dict(inputs=[torch.randint(256, (3, 3, 64, 64), dtype=torch.uint8)], data_samples=[ActionDataSample()])
    prepared = torch.stack(data['inputs']).float()
    ours = explain(model, prepared, layer='backbone/layer3').maps
    theirs, _ = GradCAM(model, 'backbone/layer3')._calculate_localization_map(
        dict(data, inputs=[prepared[0]]), use_labels=False
    )
    assert ours.shape == (3, 64, 64)
    torch.testing.assert_close(torch.from_numpy(ours), theirs[0], atol=1e-4, rtol=0)


def test_pyramid_attention_is_what_the_average_token_takes():
    """By hand, for priors of two scales: the lengths of the parts of the attention's average output."""
    torch.manual_seed(0)
    model = DualFormer(
        arch=dict(embed_dims=(8,), num_blocks=(1,), num_heads=(2,)),
        clip_size=(4, 56, 56),
        temporal_strides=(),
        block_types=('GG',),
        fine_sizes=((2, 7, 7),),
        coarse_sizes=((2, 2, 2),),
        out_indices=(0,),
    ).eval()
    clip = torch.randn(1, 3, 4, 56, 56)
    inputs = {}
    attns = [layer.attn for layer in model.stages[0].blocks[0].layers]
    for attn in attns:
        attn.register_forward_hook(lambda module, args, output: inputs.update({module: (args[0], output)}))
    with torch.no_grad():
        (maps,) = pyramid_attention(model, clip).values()
        expected = []
        for attn in attns:
            x, output = inputs[attn]
            scales = [scale(x) for scale in attn.scales.values()]
            priors = attn.norm(torch.cat([scale.flatten(1, 3) for scale in scales], 1))
            k, v = attn.kv(priors).view(-1, 2, 2, 4).unbind(1)  # [S, heads, 4]
            q = attn.q(x).view(-1, 2, 4)
            shares = (torch.einsum('nhd,shd->hns', q, k) / 2).softmax(-1).mean(1)  # [heads, S]
            taken = torch.cat([shares[head][:, None] * v[:, head] for head in (0, 1)], 1) @ attn.proj.weight.T
            torch.testing.assert_close(taken.sum(0) + attn.proj.bias, output.mean((0, 1, 2, 3)))
            lengths = taken.norm(dim=1)
            whole = 0
            for scale in scales:
                size = scale.shape[1:4]
                part, lengths = lengths[: size.numel()], lengths[size.numel() :]
                part = part.view(1, 1, *size) * size.numel()
                whole += torch.nn.functional.interpolate(part, (4, 56, 56), mode='trilinear')[:, 0]
            expected.append(whole)
    torch.testing.assert_close(maps, average(expected))


def test_token_attention_is_what_the_token_takes():
    """By hand: what a token takes from all places is the update of the bridge; those of frames look at their own."""
    torch.manual_seed(0)
    model = VideoMobileFormer(
        arch=dict(dim=16, num_blocks=(1,), expansion=2.25, temporal_strides=(1, 1)),
        num_tokens=2,
        token_dim=8,
        out_indices=(0,),
        tokens_per_frame=True,
    ).eval()
    clip = torch.zeros(1, 3, 3, 16, 16)
    clip[:, :, 1] = torch.randn(1, 3, 16, 16)
    maps = token_attention(model, clip)
    assert maps.shape == (1, 2, 3, 16, 16)
    bridge = model.stages[0][0].local_to_global
    seen = []
    bridge.register_forward_pre_hook(lambda module, args: seen.extend(args))
    with torch.no_grad():
        model(clip)
        x, tokens = seen
        q = bridge.q(tokens) * bridge.scale
        gate = 2 * torch.nn.functional.hardsigmoid(bridge.gate(tokens))
        for token in (0, 1):
            taken = 0
            for part in (slice(0, 8), slice(8, 16)):
                share = (x[..., part] @ q[:, token, part, None]).softmax(1)
                taken += share * (x[..., part] * gate[:, token, None, part]) @ bridge.proj.weight[:, part].T
            expected = torch.nn.functional.interpolate(
                taken.norm(dim=-1).view(1, 1, 3, 8, 8), (3, 16, 16), mode='trilinear'
            )
            torch.testing.assert_close(maps[:, token], average([expected[:, 0]]))


def test_maps_without_differences_are_empty():
    assert (stretch(torch.full((1, 2, 3, 3), 5.0)) == 0).all()
    assert torch.isfinite(average([torch.zeros(1, 2, 3, 3)])).all()
