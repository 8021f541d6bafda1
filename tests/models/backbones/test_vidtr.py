from math import prod

import pytest
import torch
from mmaction.registry import MODELS
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmdualformer.analysis import PeakMemory, count_cost
from mmdualformer.checkpoints.vidtr import convert_vidtr
from mmdualformer.errors import UserError
from mmdualformer.models import VidTr
from mmdualformer.models.backbones.vidtr import GridEmbed, resize_grid, sinusoids
from mmdualformer.models.backbones.vidtr_attention import HalvingPooling, TemporalAttention, TopKStdPooling
from tests.reference import Reference

COMPACT = dict(pool_layers=(0, 1), pool_frames=(4, 2))
VARIANTS = [
    dict(),
    dict(attention='joint'),
    dict(attention='spatial'),
    dict(attention='axial'),
    dict(position='every'),
    dict(patch_size=(2, 8, 8)),
    COMPACT,
    dict(pool_layers=(0, 1), pool_frames=(6, 3)),
    dict(COMPACT, pooling='avg'),
    dict(COMPACT, pooling='conv'),
    dict(clip_size=(7, 32, 32), pool_layers=(0, 1), pool_frames=(4, 2), pooling='avg'),
]


def tiny_model(**kwargs) -> VidTr:
    """A model of three layers, small enough to train in a test."""
    settings = dict(
        arch=dict(embed_dims=16, num_layers=3, num_heads=2, feedforward_channels=32),
        clip_size=(8, 32, 32),
        patch_size=(1, 8, 8),
        drop_rate=0.0,
        attn_drop_rate=0.0,
    )
    torch.manual_seed(0)
    return VidTr(**{**settings, **kwargs})


@pytest.mark.parametrize(('name', 'arch'), [('vidtr_s', 'small'), ('cvidtr_s', 'compact_small')])
def test_equals_the_released_model(name, arch):
    """tests/data holds what the released implementation computes, in float64, for weights and a clip drawn anew."""
    reference = Reference(name)
    weights = convert_vidtr(reference.weights()).weights
    model = (
        torch.nn.ModuleDict(
            dict(
                backbone=VidTr(arch, act_cfg=dict(type='ReLU')),
                cls_head=MODELS.build(dict(type='TimeSformerHead', num_classes=400, in_channels=768)),
            )
        )
        .double()
        .eval()
    )
    model.load_state_dict(weights, strict=True)
    assert sum(p.numel() for p in model.parameters()) == reference.content['params']
    for dtype, tolerance in ((torch.float64, 1e-8), (torch.float32, 1e-3)):
        with torch.no_grad():
            token = model.to(dtype)['backbone'](reference.input().to(dtype))
            logits = model['cls_head'](token)
        assert reference.error('feature', token) < tolerance
        assert reference.error('logits', logits) < tolerance


@pytest.mark.parametrize(
    ('arch', 'gmacs', 'params'),
    [
        ('small', 158.2, 87.47),
        ('medium', 299.5, 88.69),
        ('large', 583.4, 91.12),
        ('compact_small', 64.6, 87.16),
        ('compact_medium', 77.2, 88.36),
    ],
)
def test_costs_of_the_released_models_on_the_meta_device(arch, gmacs, params):
    with torch.device('meta'):
        model = VidTr(arch)
    cost = count_cost(model, (1, 3, VidTr.arch_zoo[arch]['frames'], 224, 224))
    assert cost.macs / 1e9 == pytest.approx(gmacs, abs=0.06)
    assert (cost.params + 400 * 769) / 1e6 == pytest.approx(params, abs=0.006)
    assert model.layers[0].drop.p == model.layers[0].attn.drop_rate == 0.1  # as they were trained


@pytest.mark.parametrize('settings', VARIANTS)
def test_every_variant_trains_at_any_clip_size(settings):
    """Gradients reach every parameter, and one set of weights takes every clip of at least one patch."""
    model = tiny_model(**settings)
    output = model(torch.randn(2, 3, 8, 32, 32))
    assert output.shape == (2, 16)
    output[:, 0].sum().backward()
    without = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert not without, without
    model.eval()
    for size in ((2, 8, 8), (1, 32, 32), (5, 30, 43), (16, 48, 32), (27, 8, 70)):
        assert model(torch.randn(1, 3, *size)).isfinite().all()


@pytest.mark.parametrize('settings', VARIANTS)
def test_clips_of_a_batch_do_not_see_each_other(settings):
    model = tiny_model(**settings).eval().double()
    clips = torch.randn(3, 3, 6, 20, 30, dtype=torch.float64)
    torch.testing.assert_close(model(clips)[1:2], model(clips[1:2]))


def test_what_each_kind_of_attention_sees():
    """The order of frames counts, except within frames; without positions it counts for none of the others either."""
    clip = torch.randn(1, 3, 8, 32, 32, dtype=torch.float64)
    for attention, sees_order in (('separable', True), ('joint', True), ('axial', True), ('spatial', False)):
        model = tiny_model(attention=attention).eval().double()
        changed = (model(clip) - model(clip.flip(2))).abs().max()
        assert (changed > 1e-6) == sees_order, attention
        with torch.no_grad():
            for parameter in model.grid_embed.parameters():
                parameter.zero_()
        torch.testing.assert_close(model(clip), model(clip.flip(2)))


def test_positions_in_the_first_layer_or_in_every_layer():
    """The layers' attention takes its normalised input plus the position embedding, or not."""
    for position, wanted in (('first', [True, False, False]), ('every', [True, True, True])):
        model, added = tiny_model(position=position).eval(), []
        for layer in model.layers:
            layer.norm1.register_forward_hook(lambda module, args, out, added=added: added.append(-out[0]))
            layer.attn.register_forward_pre_hook(
                lambda module, args, added=added: added.append(args[0][0] + added.pop())
            )
        model(torch.randn(1, 3, 8, 32, 32))
        expected = model.grid_embed.position.flatten(0, 1)
        assert [torch.allclose(x, expected, atol=1e-6) for x in added] == wanted
        assert [not x.any() for x in added] == [not x for x in wanted]
    with torch.device('meta'):
        assert [VidTr(arch).position for arch in ('small', 'medium', 'large')] == ['first', 'every', 'first']


def test_separable_attention_by_hand():
    """Equations 1 to 8 with loops: time at each place, then space in each frame, with one set of queries and keys."""
    torch.manual_seed(0)
    attn = tiny_model().layers[0].attn.double()
    x = torch.randn(1, 3 * 5, 16, dtype=torch.float64)  # (T + 1) x (HW + 1)
    q, k, v = attn.qkv(x).view(3, 5, 3, 2, 8).unbind(2)  # [T+1, HW+1, heads, d]
    for head in range(2):
        temporal = torch.stack(
            [(q[:, n, head] @ k[:, n, head].T / 8**0.5).softmax(-1) @ v[:, n, head] for n in range(5)], dim=1
        )
        spatial = [(q[t, :, head] @ k[t, :, head].T / 8**0.5).softmax(-1) @ temporal[t] for t in range(3)]
        v = v.clone()
        v[:, :, head] = torch.stack(spatial)
    expected = attn.proj(v.reshape(1, 15, 16))
    given, residual = attn(x, x, (-1, 5))
    torch.testing.assert_close(given, expected)
    assert residual is x


class TestPooling:
    def tokens(self, frames: int) -> list:
        torch.manual_seed(0)
        return [torch.randn(2, frames, 3, 8, dtype=torch.float64) for _ in range(4)]

    def test_top_k_by_hand(self):
        """Equations 9 to 11 with loops: 4 of 6 frames, in their order, chosen for each clip, place and head."""
        q, k, v, residual = self.tokens(6)
        pooled = TopKStdPooling(2, 0.0, before=6, after=4)(q, k, v, residual)
        assert [x.shape for x in pooled] == [(2, 4, 3, 8)] * 4
        choices = set()
        for clip in range(2):
            for place in range(3):
                for head in (slice(0, 4), slice(4, 8)):
                    queries, keys, values, tokens = (x[clip, :, place, head] for x in (q, k, v, residual))
                    attn = (queries @ keys.T / 2).softmax(-1)
                    frames = sorted(range(6), key=lambda t, attn=attn: -attn[t].std())[:4]
                    frames = sorted(frames)
                    choices.add(tuple(frames))
                    expected = (queries[frames], keys[frames], attn[frames].softmax(-1) @ values, tokens[frames])
                    for given, wanted in zip(pooled, expected):
                        torch.testing.assert_close(given[clip, :, place, head], wanted)
        assert len(choices) > 1

    @pytest.mark.parametrize(('frames', 'kept'), [(1, 1), (2, 2), (3, 3), (4, 3), (8, 6), (16, 12)])
    def test_other_clips_keep_the_same_share(self, frames, kept):
        pooled = TopKStdPooling(2, 0.0, before=8, after=6)(*self.tokens(frames))
        assert all(x.shape[1] == kept and x.isfinite().all() for x in pooled)

    @pytest.mark.parametrize('frames', [8, 5, 1])
    def test_halving(self, frames):
        q, k, v, residual = self.tokens(frames)
        attended = TemporalAttention(2)(q, k, v, residual)[2]
        average = HalvingPooling(2, 0.0, 8, 'avg')(q, k, v, residual)
        convolution = HalvingPooling(2, 0.0, 8, 'conv').double()(q, k, v, residual)
        for source, averaged, convolved in zip((q, k, attended, residual), average, convolution):
            torch.testing.assert_close(convolved, source[:, ::2])  # as it begins
            torch.testing.assert_close(averaged[:, 0], source[:, :2].mean(1))
            assert averaged.shape == convolved.shape

    def test_the_class_token_takes_no_part(self):
        """Its way through a compact layer does not depend on the clip."""
        layer = tiny_model(**COMPACT).eval().layers[0]
        x = torch.randn(1, 1 + 8 * 4, 16)
        other = torch.cat([x[:, :1], torch.randn(1, 8 * 4, 16)], dim=1)
        given, changed = layer(x, (-1, 4)), layer(other, (-1, 4))
        assert given.shape == (1, 1 + 4 * 4, 16)
        torch.testing.assert_close(given[:, 0], changed[:, 0])
        y = x[:, 0] + layer.norm1(x[:, 0])
        torch.testing.assert_close(given[:, 0], y + layer.mlp(layer.norm2(y)))


def test_weights_begin_as_the_released_models_did():
    """Xavier's uniform distribution; class tokens are small."""
    model = tiny_model(arch=dict(embed_dims=32, num_layers=1, num_heads=2, feedforward_channels=64))
    model.init_weights()
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            bound = (6 / (module.in_features + module.out_features)) ** 0.5
            assert 0.95 * bound < module.weight.abs().max() <= bound
    assert all(tokens.std().item() == pytest.approx(0.02, rel=0.2) for tokens in model.grid_embed.cls_tokens)


def test_sinusoids_by_hand():
    places = torch.tensor([0.0, 1.0, 2.0])[:, None]
    expected = torch.cat([places.sin(), (places / 100).sin(), places.cos(), (places / 100).cos()], dim=1)
    torch.testing.assert_close(sinusoids((3,), 4), expected)


@pytest.mark.parametrize('axes', [('THW',), ('T', 'HW'), ('T', 'H', 'W'), ('HW',)])
def test_positions_begin_as_places(axes):
    """Cells are alike as they are near on every axis; a class token has no place on its own axis."""
    size = (4, 3, 5)
    embed = GridEmbed(96, axes, size)
    assert not embed.position[(0,) * len(axes)].any()
    for axis, length in enumerate(embed.position.shape[:-1]):
        tokens = embed.position.movedim(axis, 0)
        cls, places = tokens[0], tokens[1:]
        offsets = (places - cls).reshape(length - 1, -1, 96)  # what this axis adds is the same whatever the others
        torch.testing.assert_close(offsets, offsets[:, :1].expand_as(offsets))
        assert len(offsets[:, 0].unique(dim=0)) == length - 1  # and tells every place from the others
    position = GridEmbed(96, ('THW',), size).position[1:].view(*size, -1)
    near, far = ((position[1, 1, 1] - position[t, h, w]).norm() for t, h, w in ((1, 1, 2), (1, 1, 4)))
    assert 0 < near < far


def test_embeddings_of_other_clips_are_interpolated():
    """What is linear in time and place stays so, and class tokens are left alone."""
    time, height, width = torch.meshgrid(torch.arange(4.0), torch.arange(6.0), torch.arange(2.0), indexing='ij')
    tokens = torch.stack([time, height, width], dim=-1)
    old, new = ((4,), (6, 2)), ((7,), (9, 2))
    grid = torch.nn.functional.pad(tokens.view(4, 12, 3), (0, 0, 1, 0, 1, 0), value=-1.0)
    resized = resize_grid(grid, old, new, (True, True))
    assert resized.shape == (8, 19, 3)
    assert (resized[0] == -1).all() and (resized[:, 0] == -1).all()
    resized = resized[1:, 1:].view(7, 9, 2, 3)
    torch.testing.assert_close(resized[3, 4, 1], torch.tensor([1.5, 2.5, 1.0]))  # the centre stays the centre
    assert tiny_model(clip_size=(7, 30, 33), patch_size=(2, 8, 8)).grid_embed.size == (4, 4, 5)  # of every patch
    joint = torch.nn.functional.pad(tokens.view(48, 3), (0, 0, 1, 0))
    trilinear = resize_grid(joint, ((4, 6, 2),), ((7, 9, 2),), (True,))[1:].view(7, 9, 2, 3)
    torch.testing.assert_close(trilinear, resized)


def test_layers_as_outputs():
    model = tiny_model(out_indices=(0, 2)).eval()
    first, last = model(torch.randn(2, 3, 8, 32, 32))
    assert first.shape == last.shape == (2, 16)
    torch.testing.assert_close(last.mean(-1), torch.zeros(2), atol=1e-6, rtol=0)  # normalised
    assert (first.mean(-1).abs() > 1e-4).all()
    part = tiny_model(out_indices=(0,)).eval()
    part.load_state_dict({name: model.state_dict()[name] for name in part.state_dict()})
    torch.manual_seed(1)
    clip = torch.randn(2, 3, 8, 32, 32)
    torch.testing.assert_close(part(clip), model(clip)[0])
    assert len(part.layers) == 1


@pytest.mark.parametrize('settings', VARIANTS)
def test_maps_beside_the_classification_tokens(settings):
    model = tiny_model(**settings, out_indices=(0, 1, 2), output_maps=True).eval()
    clip = torch.randn(2, 3, *settings.get('clip_size', (8, 32, 32)))
    outs = model(clip)
    model.output_maps = False
    for (_, token), alone in zip(outs, model(clip)):
        torch.testing.assert_close(token, alone)
    *_, (last, _) = outs
    torch.testing.assert_close(last.mean(1), torch.zeros_like(last[:, 0]), atol=1e-6, rtol=0)  # normalised
    model.output_maps = True
    for param in model.layers.parameters():  # layers that leave tokens as they are
        param.data.zero_()
    patches = model.patch_embed(clip.movedim(1, -1)).movedim(-1, 1)
    for i, (features, _) in enumerate(model(clip)[:2]):
        times = settings['pool_frames'][i] if 'pool_frames' in settings else patches.shape[2]
        assert features.shape == (2, 16, times, 4, 4)
        if 'pool_frames' not in settings:
            torch.testing.assert_close(features, patches)


@pytest.mark.parametrize('settings', [dict(), COMPACT])
def test_checkpointed_equals_plain(settings):
    clips = torch.randn(2, 3, 8, 32, 32, dtype=torch.float64)
    results = []
    for with_cp in (False, True):
        rates = dict(drop_rate=0.2, attn_drop_rate=0.2)
        model, calls = tiny_model(with_cp=with_cp, **rates, **settings).double().train(), []
        layer = model.layers[1]
        twice = (layer.norm1, layer.attn.qkv, layer.norm2, layer.mlp.fc1)
        for part in (*twice, layer.mlp.fc2, layer.drop):
            part.register_forward_hook(lambda module, *_, calls=calls: calls.append(module))
        torch.manual_seed(1)
        output = model(clips)
        output.square().mean().backward()
        assert all(calls.count(part) == 1 + with_cp for part in twice)
        assert calls.count(layer.mlp.fc2) == 1 and calls.count(layer.drop) == 2
        results.append([output, *(p.grad for p in model.parameters())])
    for plain, checkpointed in zip(*results):
        assert torch.equal(plain, checkpointed)


def test_frozen_layers_stay_frozen_and_in_eval_mode():
    model = tiny_model(frozen_stages=1, drop_rate=0.1)
    assert model.train() is model
    frozen = {'patch_embed', 'grid_embed', 'layers.0', 'layers.1'}
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad is not any(name.startswith(part) for part in frozen), name
    assert not model.layers[1].drop.training and model.layers[2].drop.training
    assert not any(parameter.requires_grad for parameter in tiny_model(frozen_stages=2).parameters())


def test_attention_and_perceptron_drop_their_output():
    """Either branch gives 1 / (1 - rate) of what it gives without dropout where it is kept, and nothing elsewhere."""
    layer, x = tiny_model(drop_rate=0.5).layers[0], torch.randn(1, 9 * 17, 16)
    layer.mlp.drop.eval()  # that of the hidden numbers
    branch = layer.attn(layer.norm1(x), x, (-1, 17))[0]
    layer.mlp.fc2.weight.data.zero_()
    layer.mlp.fc2.bias.data.zero_()
    added = layer(x, (-1, 17)) - x
    kept = (added != 0).float()
    torch.testing.assert_close(added, 2 * branch * kept)
    assert 0.4 < kept.mean() < 0.6
    layer.mlp.fc2.bias.data.fill_(1.0)
    layer.attn.proj.weight.data.zero_()
    layer.attn.proj.bias.data.zero_()
    added = layer(x, (-1, 17)) - x
    torch.testing.assert_close(added, 2 * (added > 1).float())
    assert 0.4 < (added > 1).float().mean() < 0.6


@pytest.mark.parametrize('rate', ['drop_rate', 'attn_drop_rate'])
@pytest.mark.parametrize('settings', [dict(), dict(attention='joint'), COMPACT])
def test_dropout_is_for_training_only(settings, rate):
    model, plain = tiny_model(**settings, **{rate: 0.5}), tiny_model(**settings)
    clip = torch.randn(1, 3, 8, 32, 32)
    assert not torch.equal(model(clip), model(clip))
    assert torch.equal(model.eval()(clip), plain(clip))


@pytest.mark.parametrize('settings', VARIANTS)
def test_the_same_model_in_torchscript_tracing_and_on_the_meta_device(settings):
    """What is traced takes batches of any size."""
    model = tiny_model(**settings).eval()
    traced = torch.jit.trace(model, torch.randn(1, 3, 8, 32, 32), check_trace=False)
    clips = torch.randn(3, 3, 8, 32, 32)
    torch.testing.assert_close(traced(clips), model(clips))
    with torch.device('meta'):
        output = tiny_model(**settings).eval()(torch.randn(1, 3, 5, 30, 50))
    assert output.device.type == 'meta' and output.shape == (1, 16)


class LargestTensor(TorchDispatchMode):
    """Notes the largest tensor that is computed, forward and backward."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.numel = max(self.numel, *(x.numel() for x in tree_leaves(out) if isinstance(x, torch.Tensor)), 0)
        return out


@pytest.mark.parametrize(('settings', 'grid'), [(dict(), (9, 17)), (dict(attention='axial'), (9, 5, 5))], ids=str)
def test_attention_copies_nothing_for_its_axes(settings, grid):
    """For the backward pass a clip of a batch holds what a clip alone holds: tokens put in another order were more."""
    attn = tiny_model(**settings).layers[0].attn
    sizes = []
    for batch in (1, 4):
        x = torch.rand(batch, prod(grid), 16, requires_grad=True)
        with PeakMemory([x, *attn.parameters()]) as memory:
            held = memory.current
            out = attn(x, x, (-1, *grid[1:]))  # noqa: F841  (holds the graph)
            sizes.append((memory.current - held) / batch)
    assert sizes[1] <= 1.02 * sizes[0]


def test_separable_attention_makes_no_matrix_of_all_tokens():
    """No tensor has an entry for each pair of tokens, even with unfused attention."""
    sizes = {}
    for attention in ('separable', 'joint'):
        model = tiny_model(attention=attention, clip_size=(8, 64, 64))
        with sdpa_kernel(SDPBackend.MATH), LargestTensor() as largest:
            model(torch.randn(1, 3, 8, 64, 64)).sum().backward()
        sizes[attention] = largest.numel
    assert sizes['joint'] >= 2 * (8 * 64) ** 2
    assert sizes['separable'] < (8 * 64) ** 2 / 2


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(arch='huge'), "arch='huge' .* choose from \\['compact_medium', 'compact_small', 'large',"),
        (dict(arch=dict(embed_dims=8)), 'a dict with embed_dims, num_layers, num_heads and feedforward_channels'),
        (dict(arch=dict(embed_dims=9, num_layers=1, num_heads=2, feedforward_channels=8)), 'multiple of num_heads=2'),
        (
            dict(arch=dict(embed_dims=8, num_layers=0, num_heads=2, feedforward_channels=8)),
            r'arch\.num_layers=0 must be an integer from 1',
        ),
        (dict(patch_size=(1, 16)), r'patch_size=\(1, 16\) must be three positive integers'),
        (dict(clip_size=(8, 0, 224)), r'clip_size\[1\]=0 must be an integer from 1'),
        (dict(attention='local'), "attention='local' must be 'separable', 'joint'"),
        (dict(pooling='max'), "pooling='max' must be"),
        (dict(position='last'), "position='last' must be"),
        (dict(arch='compact_small', position='every'), "position='every' does not fit"),
        (dict(arch='compact_small', attention='joint'), "attention='joint' has no pooling"),
        (dict(pool_layers=(1,)), 'one entry for each of pool_layers'),
        (dict(pool_layers=(2, 1), pool_frames=(4, 2)), 'pool_layers=.* 0 to 11 in their order'),
        (dict(pool_layers=(1, 2), pool_frames=(4, 4)), 'must shrink: layer 2 has 4 temporal tokens'),
        (dict(pool_layers=(1,), pool_frames=(0,)), 'must shrink: layer 1 has 8 temporal tokens'),
        (dict(arch='compact_small', pooling='avg'), "must halve for pooling='avg': layer 1 has 8"),
        (dict(out_indices=(12,)), 'out_indices=.* 0 to 11'),
        (dict(frozen_stages=12), 'frozen_stages=12 must lie between -1'),
        (dict(clip_size=(8, 8, 224)), 'clip_size=.* at least patch_size'),
    ],
)
def test_bad_arguments(settings, message):
    with torch.device('meta'), pytest.raises(UserError, match=message):
        VidTr(**settings)


@pytest.mark.parametrize(
    ('shape', 'message'),
    [
        ((1, 3, 8, 7, 64), '8 x 7 x 64; VidTr takes at least 1 x 8 x 8'),
        ((1, 1, 8, 64, 64), r'takes \[batch, 3, frames, height, width\]'),
        ((3, 8, 64, 64), r'takes \[batch, 3, frames, height, width\]'),
    ],
)
def test_bad_clips(shape, message):
    with pytest.raises(UserError, match=message):
        tiny_model()(torch.zeros(shape))
