import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from mmdualformer.errors import UserError
from mmdualformer.models import Mobile3D, VideoMobileFormer, VideoMobileFormerHead
from mmdualformer.models.backbones.video_mobile_former import build_activation
from mmdualformer.models.layers.checkpoint import _running_statistics_kept
from tests.helpers import randomize_norms

ARCH = dict(dim=8, num_blocks=(1, 2, 1), expansion=2.25, temporal_strides=(2, 1, 1, 1))


def tiny_model(cls=VideoMobileFormer, **kwargs) -> VideoMobileFormer | Mobile3D:
    """A model of three stages with every kind of block, and norms that do something."""
    settings = dict(arch=ARCH, out_indices=(2,))
    if cls is VideoMobileFormer:
        settings.update(num_tokens=3, token_dim=16)
    torch.manual_seed(0)
    model = cls(**{**settings, **kwargs})
    randomize_norms(model)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.3)
    return model


def straightforward(model: VideoMobileFormer, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The 3D model with frame-level dynamic ReLU, in eval mode, from its description, a formula at a time."""
    weights = dict(model.state_dict())

    def linear(x, name):
        return x @ weights[f'{name}.weight'].T + weights[f'{name}.bias']

    def conv_norm(x, name, **kwargs):
        w = {key: weights[f'{name}.norm.{key}'] for key in ('running_mean', 'running_var', 'weight', 'bias')}
        return F.batch_norm(F.conv3d(x, weights[f'{name}.conv.weight'], **kwargs), **w)

    def attention(q, k, v, heads):
        size = q.shape[-1] // heads
        outs = []
        for i in range(heads):
            part = slice(i * size, (i + 1) * size)
            outs.append((q[..., part] @ k[..., part].transpose(1, 2) / size**0.5).softmax(-1) @ v[..., part])
        return torch.cat(outs, dim=-1)

    def dynamic_relu(x, token, name):
        context = torch.cat([x.mean((3, 4)).transpose(1, 2), token[:, None].expand(-1, x.shape[2], -1)], dim=-1)
        hidden = linear(linear(context, f'{name}.fc1').relu(), f'{name}.fc2')
        steps = (2 * (hidden / 6 + 0.5).clamp(0, 1) - 1).transpose(1, 2)[..., None, None]
        a1, a2 = steps[:, : x.shape[1]] + 1, steps[:, x.shape[1] :]
        return torch.maximum(a1 * x, a2 * x)

    x = F.conv3d(x, weights['stem.conv.conv.spatial.weight'], stride=(1, 2, 2), padding=(0, 1, 1))
    x = F.conv3d(x, weights['stem.conv.conv.temporal.weight'], stride=(2, 1, 1), padding=(2, 0, 0), groups=x.shape[1])
    w = {key: weights[f'stem.conv.norm.{key}'] for key in ('running_mean', 'running_var', 'weight', 'bias')}
    x = F.batch_norm(x, **w).relu()
    tokens = weights['tokens'].expand(len(x), -1, -1)
    for i, blocks in enumerate(model.stages):
        for j in range(len(blocks)):
            name = f'stages.{i}.{j}'
            features = x.flatten(2).transpose(1, 2)
            update = attention(linear(tokens, f'{name}.local_to_global.q'), features, features, heads=2)
            gate = 2 * (linear(tokens, f'{name}.local_to_global.gate') / 6 + 0.5).clamp(0, 1)
            tokens = tokens + linear(gate * update, f'{name}.local_to_global.proj')
            tokens = model.get_submodule(f'{name}.local_to_global.norm')(tokens)
            update = attention(linear(tokens, f'{name}.former.q'), tokens, tokens, heads=4)
            tokens = model.get_submodule(f'{name}.former.norm1')(tokens + linear(update, f'{name}.former.proj'))
            update = linear(F.gelu(linear(tokens, f'{name}.former.mlp.fc1')), f'{name}.former.mlp.fc2')
            tokens = model.get_submodule(f'{name}.former.norm2')(tokens + update)

            stride = (1, 2, 2) if j == 0 else 1
            y = dynamic_relu(conv_norm(x, f'{name}.mobile.expand'), tokens[:, 0], f'{name}.mobile.act1')
            y = conv_norm(y, f'{name}.mobile.depthwise', stride=stride, padding=1, groups=y.shape[1])
            if j % 2 == 0:
                squeezed = linear(y.mean((2, 3, 4)), f'{name}.mobile.excitation.fc1').relu()
                excitation = linear(squeezed, f'{name}.mobile.excitation.fc2').sigmoid()
                y = y * excitation[..., None, None, None]
            y = dynamic_relu(y, tokens[:, 0], f'{name}.mobile.act2')
            y = conv_norm(y, f'{name}.mobile.project')
            x = y + (conv_norm(x, f'{name}.mobile.shortcut', stride=stride) if j == 0 else x)

            features = x.flatten(2).transpose(1, 2)
            k, v = (linear(tokens, f'{name}.global_to_local.{part}') for part in 'kv')
            x = x + attention(features, k, v, heads=2).transpose(1, 2).reshape(x.shape)
    return x, tokens


@pytest.mark.parametrize('inference', [False, True])
def test_equals_a_straightforward_model(inference):
    model = tiny_model().double().eval()
    clip = torch.randn(2, 3, 9, 50, 36).double()
    expected = straightforward(model, clip)
    with torch.set_grad_enabled(not inference):
        output = model(clip)
    for ours, theirs in zip(output, expected):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('inference', [False, True])
def test_maps_have_channels_last_in_memory(inference):
    """All of them, or something copies between the formats; in float32, as PyTorch's float64 convolutions differ."""
    model = tiny_model().eval()
    maps = []
    for block in (block for stage in model.stages for block in stage):
        for module in (block, block.mobile, block.mobile.expand, block.mobile.depthwise, block.mobile.act2):
            module.register_forward_hook(lambda _, inputs, out: maps.append(out[0] if isinstance(out, tuple) else out))
    with torch.set_grad_enabled(not inference):
        model(torch.randn(2, 3, 9, 50, 36))
    assert len(maps) == 20
    assert all(x.is_contiguous(memory_format=torch.channels_last_3d) for x in maps)


VARIANTS = [
    (VideoMobileFormer, dict()),
    (VideoMobileFormer, dict(tokens_per_frame=True)),
    (VideoMobileFormer, dict(conv_type='2d', activation='dyrelu')),
    (VideoMobileFormer, dict(conv_type='(2+1)d', activation='relu')),
    (VideoMobileFormer, dict(arch=dict(ARCH, temporal_strides=(1, 2, 2, 2)), stem_kernel=9)),
    (VideoMobileFormer, dict(tokens_per_frame=True, activation='dyrelu')),
    (Mobile3D, dict()),
    (Mobile3D, dict(conv_type='(2+1)d')),
]


@pytest.mark.parametrize(('cls', 'settings'), VARIANTS)
def test_inference_training_and_tracing_agree(cls, settings):
    """The fast forms of inference and training compute what the plain modules do, which tracing sees."""
    model = tiny_model(cls, **settings).double().eval()
    clip = torch.randn(2, 3, 7, 40, 34).double()
    results = [model(clip), torch.jit.trace(model, clip, check_trace=False)(clip)]
    with torch.no_grad():
        results.append(model(clip))
    for result in results[1:]:
        torch.testing.assert_close(result, results[0])


@pytest.mark.parametrize(('cls', 'settings'), VARIANTS)
def test_gradients_reach_every_parameter(cls, settings):
    model = tiny_model(cls, **settings)
    outputs = model(torch.randn(2, 3, 8, 64, 64))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    sum(output.square().mean() for output in outputs).backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


@pytest.mark.parametrize('cls', [VideoMobileFormer, Mobile3D])
def test_gradients_equal_those_of_the_plain_modules(cls):
    """Against a trace, which holds PyTorch's own convolutions and maximum."""
    model = tiny_model(cls, out_indices=(0, 2)).double().eval()
    clip = torch.randn(2, 3, 6, 32, 40).double()
    gradients = []
    for module in (model, torch.jit.trace(model, clip, check_trace=False)):
        outputs = module(clip)
        leaves = [t for pair in outputs for t in pair] if cls is VideoMobileFormer else outputs
        loss = sum((leaf * torch.linspace(-1, 1, leaf.numel()).view_as(leaf)).sum() for leaf in leaves)
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
    for ours, plain in zip(*gradients):
        torch.testing.assert_close(ours, plain)


def test_the_blocks_of_the_baseline_are_those_of_x3d():
    """ReLU, squeeze-excitation and Swish, and ReLU after the shortcut; another one at the end."""
    model = tiny_model(Mobile3D).double().eval()
    x = torch.randn(2, 8, 3, 10, 12).double()
    for block in model.stages[1]:
        y = block.depthwise(block.expand(x).relu())
        if block.excitation:
            y = y * block.excitation(y).mT[..., None, None]
        expected = (block.project(F.silu(y)) + block.shortcut(x)).relu()
        x = block(x)
        torch.testing.assert_close(x, expected)
    assert (model(torch.randn(1, 3, 4, 32, 32).double()) >= 0).all()


def test_tokens_of_frames_are_averaged():
    model, tokens = tiny_model(tokens_per_frame=True).eval(), []
    model.stages[-1][-1].register_forward_hook(lambda module, args, output: tokens.append(output[1]))
    _, averaged = model(torch.randn(2, 3, 8, 32, 32))
    assert tokens[0].shape == (2, 4, 3, 16)
    torch.testing.assert_close(averaged, tokens[0].mean(1))


def test_weights_begin_as_convolutions_and_transformers_do():
    model = VideoMobileFormer()
    model.init_weights()
    for name in ('stages.2.1.mobile.project.conv', 'stages.2.1.mobile.expand.conv', 'stem.conv.conv.spatial'):
        weight = model.get_submodule(name).weight
        assert weight.std().item() == pytest.approx((2 / weight[0].numel()) ** 0.5, rel=0.15), name
    for weight in (model.tokens, model.stages[2][1].former.q.weight):
        assert weight.std().item() == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize(('kind', 'by_frame'), [('relu', False), ('dyrelu', False), ('frame_dyrelu', True)])
def test_what_slopes_depend_on(kind, by_frame):
    """On the token alone, twice the features become twice as much; not where the frame's features count too."""
    torch.manual_seed(0)
    act = build_activation(kind, 6, 8).double()
    x, token = torch.randn(2, 6, 3, 4, 4).double(), torch.randn(2, 1, 8).double()
    assert torch.allclose(act(2 * x, token), 2 * act(x, token)) is not by_frame


def test_outputs_of_all_stages():
    clip = torch.randn(2, 3, 8, 64, 64)
    outputs = tiny_model(out_indices=(0, 1, 2)).eval()(clip)
    assert [tuple(x.shape) for x, _ in outputs] == [(2, 8, 4, 16, 16), (2, 16, 4, 8, 8), (2, 32, 4, 4, 4)]
    assert all(tokens.shape == (2, 3, 16) for _, tokens in outputs)
    outputs = tiny_model(Mobile3D, out_indices=(0, 1, 2)).eval()(clip)
    assert [tuple(x.shape) for x in outputs] == [(2, 8, 4, 16, 16), (2, 16, 4, 8, 8), (2, 72, 4, 4, 4)]


@pytest.mark.parametrize('size', [(1, 1, 1), (1, 32, 32), (5, 17, 33), (24, 112, 80), (27, 57, 43), (64, 32, 32)])
@pytest.mark.parametrize('settings', [dict(), dict(tokens_per_frame=True)])
def test_any_clip_size(size, settings):
    """One set of weights takes every clip."""
    features, tokens = tiny_model(**settings).eval()(torch.randn(1, 3, *size))
    assert features.shape[2:] == (-(-size[0] // 2), *(-(-length // 16) for length in size[1:]))
    assert tokens.shape == (1, 3, 16)
    assert features.isfinite().all() and tokens.isfinite().all()


@pytest.mark.parametrize(
    ('cls', 'settings', 'reached'),
    [
        (VideoMobileFormer, dict(), True),
        (VideoMobileFormer, dict(tokens_per_frame=True), True),
        (Mobile3D, dict(), False),
    ],
)
def test_tokens_carry_what_convolutions_of_frames_do_not(cls, settings, reached):
    """The last frame of a long clip changes the features of the first."""
    model = tiny_model(cls, conv_type='2d', **settings).double().eval()
    for stage in model.stages:
        for block in stage:
            getattr(block, 'mobile', block).excitation = None  # it averages over time
    clip = torch.randn(1, 3, 16, 32, 32).double()
    changed = clip.clone()
    changed[:, :, -1] += 1
    features = [output[0] if cls is VideoMobileFormer else output for output in (model(clip), model(changed))]
    first, second = (x[:, :, 0] for x in features)
    assert torch.allclose(first, second) is not reached


def test_clips_of_a_batch_do_not_see_each_other():
    clips = torch.randn(3, 3, 6, 52, 44).double()
    for settings in (dict(), dict(tokens_per_frame=True)):
        model = tiny_model(**settings).eval().double()
        with torch.no_grad():
            for together, alone in zip(model(clips), model(clips[1:2])):
                torch.testing.assert_close(together[1:2], alone)


@pytest.mark.parametrize('cls', [VideoMobileFormer, Mobile3D])
def test_checkpointed_equals_plain(cls):
    clips = torch.randn(2, 3, 8, 64, 64, dtype=torch.float64)
    results = []
    for with_cp in (False, True):
        model, calls = tiny_model(cls, with_cp=with_cp).double().train(), []
        model.stages[1][0].register_forward_pre_hook(lambda *_, calls=calls: calls.append(1))
        output = model(clips)
        output = output[0] + output[1].mean() if cls is VideoMobileFormer else output
        output.square().mean().backward()
        assert len(calls) == 1 + with_cp
        results.append([output, *(p.grad for p in model.parameters()), *model.buffers()])
    for plain, checkpointed in zip(*results):
        torch.testing.assert_close(plain, checkpointed)


def test_checkpointing_leaves_the_statistics_of_synchronised_norms():
    """They are of another class than the norms they take the place of, and need a GPU to run."""
    norm = nn.SyncBatchNorm(4)
    with _running_statistics_kept(norm):
        assert norm.momentum == 0
        norm.num_batches_tracked += 1
    assert norm.momentum == 0.1 and norm.num_batches_tracked == 0
    with _running_statistics_kept(norm.eval()):  # one that is frozen counts nothing
        pass
    assert norm.momentum == 0.1 and norm.num_batches_tracked == 0


def test_frozen_stages_stay_frozen_and_in_eval_mode():
    model = tiny_model(frozen_stages=1)
    assert model.train() is model
    assert not model.tokens.requires_grad
    for part, frozen in ((model.stem, True), *((stage, i <= 1) for i, stage in enumerate(model.stages))):
        assert all(p.requires_grad is not frozen for p in part.parameters())
        assert all(m.training is not frozen for m in part.modules())
    before = {name: value.clone() for name, value in model.stages[1].state_dict().items()}
    output, tokens = model(torch.randn(2, 3, 8, 64, 64))
    (output.sum() + tokens.sum()).backward()
    assert all(torch.equal(value, before[name]) for name, value in model.stages[1].state_dict().items())


@pytest.mark.parametrize('cls', [VideoMobileFormer, Mobile3D])
def test_stages_after_the_last_output_are_not_built(cls):
    whole, part = (cls(arch=ARCH, out_indices=indices).eval() for indices in ((0, 1, 2), (0, 1)))
    part.load_state_dict({name: whole.state_dict()[name] for name in part.state_dict()})
    clip = torch.randn(1, 3, 8, 32, 32)
    torch.testing.assert_close(part(clip), whole(clip)[:2])
    assert len(part.stages) == 2 and len(part.state_dict()) < len(whole.state_dict())


def test_meta_device():
    with torch.device('meta'):
        features, tokens = tiny_model().eval()(torch.randn(1, 3, 5, 50, 70))
    assert features.device.type == tokens.device.type == 'meta' and features.shape == (1, 32, 3, 4, 5)


def test_head_scores_pooled_features_and_the_first_token():
    torch.manual_seed(0)
    head = VideoMobileFormerHead(5, 8, token_dim=16, hidden_dim=24).double()
    randomize_norms(head)
    head.eval()
    x, tokens = torch.randn(2, 8, 3, 4, 5).double(), torch.randn(2, 3, 16).double()
    pooled = F.hardswish(head.expand(x).relu().mean((2, 3, 4)))
    expected = head.fc_cls(F.hardswish(head.norm(head.fc(torch.cat([pooled, tokens[:, 0]], dim=1)))))
    torch.testing.assert_close(head((x, tokens)), expected)
    with torch.no_grad():
        torch.testing.assert_close(head((x, tokens)), expected)


@pytest.mark.parametrize(
    ('cls', 'settings', 'message'),
    [
        (VideoMobileFormer, dict(arch='3g'), "arch='3g' .* choose from \\['1g', '2g', '560m', '5g'\\]"),
        (Mobile3D, dict(arch=dict(dim=8)), 'a dict with dim, num_blocks, expansion and temporal_strides'),
        (Mobile3D, dict(arch=dict(ARCH, temporal_strides=(1, 1))), 'temporal strides of the stem and of each stage'),
        (Mobile3D, dict(arch=dict(ARCH, num_blocks=(1, 0, 1))), r'arch\.num_blocks\[1\]=0 must be an integer from 1'),
        (
            VideoMobileFormer,
            dict(arch=dict(ARCH, temporal_strides=(0, 1, 1, 1))),
            r'arch\.temporal_strides\[0\]=0 must be',
        ),
        (VideoMobileFormer, dict(out_indices=(4,)), 'out_indices=.* 0 to 3'),
        (Mobile3D, dict(frozen_stages=4), 'frozen_stages=4 must lie between -1'),
        (VideoMobileFormer, dict(stem_kernel=4), 'stem_kernel=4 must be an odd number'),
        (VideoMobileFormer, dict(token_dim=6), 'token_dim=6 must be a multiple of 4'),
        (VideoMobileFormer, dict(num_tokens=0), 'num_tokens=0 must be an integer from 1'),
        (VideoMobileFormer, dict(activation='gelu'), "activation='gelu' must be 'frame_dyrelu'"),
        (Mobile3D, dict(conv_type='1d'), "conv_type='1d' must be '3d', '2d'"),
        (
            VideoMobileFormer,
            dict(arch=dict(ARCH, temporal_strides=(1, 2, 1, 1)), out_indices=(2,), tokens_per_frame=True),
            'tokens_per_frame=True needs temporal strides of 1',
        ),
    ],
)
def test_bad_arguments(cls, settings, message):
    with pytest.raises(UserError, match=message):
        cls(**settings)


@pytest.mark.parametrize(
    ('shape', 'message'),
    [
        ((1, 1, 8, 64, 64), r'takes \[batch, 3, frames, height, width\]'),
        ((3, 8, 64, 64), r'takes \[batch, 3, frames, height, width\]'),
        ((1, 3, 0, 64, 64), 'takes at least 1 x 1 x 1'),
    ],
)
def test_bad_clips(shape, message):
    with pytest.raises(UserError, match=message):
        tiny_model()(torch.zeros(shape))
