import numpy as np
import pytest
import torch

from mmdualformer.analysis import count_cost
from mmdualformer.checkpoints.dualformer import backbone_name
from mmdualformer.errors import UserError
from mmdualformer.models import DualFormer
from mmdualformer.models.backbones.dualformer import TransformerLayer, build_downsampling
from mmdualformer.models.layers import RelativePositionBias
from tests.reference import Reference


def tiny_model(**kwargs) -> DualFormer:
    """A model of four stages with every kind of block, small enough to train in a test."""
    settings = dict(
        arch=dict(embed_dims=(8, 16, 16, 32), num_blocks=(1, 1, 2, 1), num_heads=(1, 2, 2, 4)),
        clip_size=(8, 64, 64),
        window_size=(2, 4, 4),
        fine_sizes=((2, 4, 4), (2, 4, 4), (2, 2, 2), 'whole'),
        coarse_sizes=((2, 1, 1), (2, 2, 2), None, None),
    )
    torch.manual_seed(0)
    return DualFormer(**{**settings, **kwargs})


@pytest.mark.parametrize('frames', [16, 32])
def test_equals_the_released_model(frames):
    """tests/data holds what the released implementation computes, in float64, for weights and a clip drawn anew."""
    reference = Reference(f'dualformer_t_{frames}x224')
    sizes = ((8, 7, 7), (8, 7, 7), (8, 7, 7), 'whole')
    model = DualFormer('tiny', clip_size=(frames, 224, 224), fine_sizes=sizes).double().eval()
    model.load_state_dict({backbone_name(name): value for name, value in reference.weights().items()}, strict=True)
    assert sum(p.numel() for p in model.parameters()) == reference.content['params']
    for dtype, tolerance in ((torch.float64, 1e-8), (torch.float32, 1e-3)):
        with torch.no_grad():
            output = model.to(dtype)(reference.input().to(dtype))
        assert reference.error('output', output) < tolerance
        assert reference.error('pooled', output.mean((2, 3, 4))) < tolerance


@pytest.mark.parametrize(
    ('arch', 'gflops', 'params'), [('tiny', 60.09, 21.767), ('small', 158.69, 48.908), ('base', 267.96, 86.838)]
)
def test_costs_of_the_paper_on_the_meta_device(arch, gflops, params):
    with torch.device('meta'):
        model = DualFormer(arch)
    cost = count_cost(model, (1, 3, 32, 224, 224))
    assert cost.flops / 1e9 == pytest.approx(gflops, abs=0.006)
    assert cost.params / 1e6 == pytest.approx(params, abs=0.0006)


@pytest.mark.parametrize(
    ('frames', 'kernels'), [(1, (1, 1, 1)), (16, (2, 2, 2)), (24, (2, 2, 2)), (32, (2, 2, 2)), (64, (4, 4, 4))]
)
def test_fine_priors_of_short_clips_are_half_of_the_time_steps(frames, kernels):
    with torch.device('meta'):
        model = DualFormer('tiny', clip_size=(frames, 224, 224))
    fine = [stage.blocks[0].layers[1].attn.scales['fine'] for stage in model.stages]
    assert tuple(scale.weight.shape[2] for scale in fine[:3]) == kernels
    assert isinstance(fine[3], torch.nn.Identity)


def test_output_shapes_of_all_stages():
    model = tiny_model(out_indices=(0, 1, 2, 3)).eval()
    maps = model(torch.randn(2, 3, 8, 64, 64))
    assert [tuple(m.shape) for m in maps] == [(2, 8, 4, 16, 16), (2, 16, 4, 8, 8), (2, 16, 4, 4, 4), (2, 32, 4, 2, 2)]
    last = tiny_model().eval()(torch.randn(2, 3, 8, 64, 64))
    assert isinstance(last, torch.Tensor)


def test_stages_after_the_last_output_are_not_built():
    whole, part = tiny_model(out_indices=(0, 1, 3)).eval(), tiny_model(out_indices=(0, 1))
    part.load_state_dict({name: whole.state_dict()[name] for name in part.state_dict()})
    clip = torch.randn(1, 3, 8, 64, 64)
    for given, expected in zip(part.eval()(clip), whole(clip)):
        torch.testing.assert_close(given, expected)
    sum(m.square().mean() for m in part.train()(clip)).backward()
    assert all(p.grad is not None for p in part.parameters())


@pytest.mark.parametrize(
    'size', [(1, 4, 4), (2, 4, 4), (1, 32, 32), (8, 112, 80), (24, 64, 64), (27, 57, 43), (64, 32, 32), (8, 171, 160)]
)
def test_any_clip_size(size):
    """One set of weights takes every clip of at least one patch."""
    model = tiny_model().eval()
    output = model(torch.randn(1, 3, *size))
    assert output.shape[2:] == (-(-size[0] // 2), *(-(-length // 32) for length in size[1:]))
    assert output.isfinite().all()


@pytest.mark.parametrize(
    'settings',
    [
        dict(block_types=('LL',) * 4),
        dict(block_types=('GG',) * 4),
        dict(fine_sizes=(None, None, (2, 2, 2), 'whole')),
        dict(coarse_sizes=(None,) * 4),
        dict(downsampling='conv'),
        dict(downsampling='avgpool'),
        dict(position='relative_bias'),
        dict(position='none'),
        dict(temporal_strides=(2, 1, 2)),
        dict(clip_size=(1, 64, 64)),
    ],
)
def test_ablations_train_at_any_clip_size(settings):
    model = tiny_model(**settings, drop_path_rate=0.0)
    model(torch.randn(2, 3, 8, 64, 64)).square().mean().backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert model.eval()(torch.randn(1, 3, 7, 50, 70)).isfinite().all()


@pytest.mark.parametrize(('position', 'pegs', 'biases'), [('peg', 4, 0), ('relative_bias', 0, 5), ('none', 0, 0)])
def test_positions_of_each_kind(position, pegs, biases):
    """A PEG in each of 4 stages, or a table of biases in each of 5 blocks."""
    names = list(tiny_model(position=position).state_dict())
    assert sum('peg.conv.weight' in name for name in names) == pegs
    assert sum('relative_position_bias_table' in name for name in names) == biases


def test_downsampling_of_each_kind():
    """The last box is smaller: an average is over what there is of it."""
    x = torch.randn(2, 3, 4, 5, 6)
    pooled = build_downsampling('avgpool', 6, (2, 2, 2))(x)
    assert pooled.shape == (2, 2, 2, 3, 6)
    torch.testing.assert_close(pooled[:, 0, 0, 0], x[:, :2, :2, :2].mean((1, 2, 3)))
    torch.testing.assert_close(pooled[:, 1, 1, 2], x[:, 2, 2:, 4].mean(1))
    shapes = [build_downsampling(kind, 6, (1, 2, 2)).weight.shape for kind in ('conv', 'dwconv')]
    assert shapes == [(6, 6, 1, 2, 2), (6, 1, 1, 2, 2)]


def test_weights_begin_small():
    model = tiny_model()
    model.init_weights()
    weights = torch.cat([m.weight.flatten() for m in model.modules() if isinstance(m, torch.nn.Linear)])
    assert weights.std().item() == pytest.approx(0.02, rel=0.05)


def test_what_does_not_fill_a_patch_counts_in_the_design():
    """A model for clips of 7 x 61 x 61 has the maps, and so the kernels, of one for 8 x 64 x 64."""
    shapes = [
        {name: value.shape for name, value in tiny_model(clip_size=size).state_dict().items()}
        for size in ((8, 64, 64), (7, 61, 61))
    ]
    assert shapes[0] == shapes[1]


def test_one_frame_is_a_still_clip():
    model = tiny_model().eval()
    frame = torch.randn(1, 3, 1, 64, 64)
    torch.testing.assert_close(model(frame), model(frame.expand(-1, -1, 2, -1, -1)))


def test_relative_bias_of_a_small_window_is_that_of_the_same_distances():
    """A window cut at a small map's border uses the same table: token i sees token j as in the full window."""
    bias = RelativePositionBias((2, 3, 3), num_heads=2)
    full, small = bias((2, 3, 3)).view(2, 2, 3, 3, 2, 3, 3), bias((2, 2, 3)).view(2, 2, 2, 3, 2, 2, 3)
    torch.testing.assert_close(small, full[:, :, :2, :, :, :2])
    torch.testing.assert_close(full[:, 0, 0, 0, 1, 2, 2], bias.relative_position_bias_table[0, 0, 0])


@pytest.mark.parametrize(
    ('arch', 'gflops', 'params'), [('tiny', 2.86, 22.2), ('small', 8.29, 49.6), ('base', 14.61, 87.8)]
)
def test_one_frame_is_the_2d_model(arch, gflops, params):
    """Supplement, Table 1: 4.2, 8.1, 14.7 G and 22, 50, 88 M; the tiny model's 4.2 G is not what its layers cost."""
    with torch.device('meta'):
        model = DualFormer(arch, clip_size=(1, 224, 224))
    cost = count_cost(model, (1, 3, 1, 224, 224))
    assert cost.flops / 1e9 == pytest.approx(gflops, abs=0.006)
    assert (cost.params + 1000 * (model.norm.weight.numel() + 1)) / 1e6 == pytest.approx(params, abs=0.06)
    kernels = {m.kernel_size[0] for m in model.modules() if isinstance(m, torch.nn.Conv3d)}
    assert kernels == {1}


def test_clips_of_a_batch_do_not_see_each_other():
    model = tiny_model().eval().double()
    clips = torch.randn(3, 3, 6, 52, 44, dtype=torch.float64)  # padded windows in every stage
    torch.testing.assert_close(model(clips)[1:2], model(clips[1:2]))


def test_gradients_reach_every_parameter():
    model = tiny_model(drop_path_rate=0.0)
    model(torch.randn(2, 3, 8, 64, 64)).square().mean().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # A bias that shifts every key alike changes no softmax, so half of a qkv bias has a zero gradient, never all of it.
    assert not without


def test_checkpointed_equals_plain():
    clips = torch.randn(2, 3, 8, 64, 64, dtype=torch.float64)
    results = []
    for with_cp in (False, True):
        model, calls = tiny_model(with_cp=with_cp, drop_path_rate=0.5).double().train(), []
        layer = model.stages[1].blocks[0].layers[0]
        twice = (model.stages[1].patch_embed.proj, layer.norm1, layer.attn.qkv, layer.norm2, layer.mlp.fc1)
        once = (layer.attn.proj, layer.mlp.fc2)  # the backward pass needs nothing of the last product of a branch
        for part in (*twice, *once):
            part.register_forward_hook(lambda module, *_, calls=calls: calls.append(module))
        torch.manual_seed(1)
        output = model(clips)
        output.square().mean().backward()
        assert all(calls.count(part) == 1 + with_cp for part in twice)
        assert all(calls.count(part) == 1 for part in once)
        results.append([output, *(p.grad for p in model.parameters()), *model.buffers()])
    for plain, checkpointed in zip(*results):
        assert torch.equal(plain, checkpointed)


def test_frozen_stages_stay_frozen_and_in_eval_mode():
    model = tiny_model(frozen_stages=1)
    assert model.train() is model
    for i, stage in enumerate(model.stages):
        frozen = i <= 1
        assert all(p.requires_grad is not frozen for p in stage.parameters())
        assert all(m.training is not frozen for m in stage.modules())
    before = model.stages[0].blocks[0].layers[1].attn.scales.coarse.norm.running_mean.clone()
    model(torch.randn(2, 3, 8, 64, 64)).sum().backward()
    assert torch.equal(before, model.stages[0].blocks[0].layers[1].attn.scales.coarse.norm.running_mean)


def test_a_frozen_model_has_nothing_to_train():
    model = tiny_model(frozen_stages=3)
    assert not any(p.requires_grad for p in model.parameters())


def test_stochastic_depth_grows_linearly():
    model = tiny_model(drop_path_rate=0.3)
    rates = [layer.drop_path.drop_prob for stage in model.stages for block in stage.blocks for layer in block.layers]
    np.testing.assert_allclose(rates, np.linspace(0, 0.3, 10))


def test_stochastic_depth_drops_both_branches():
    layer, x = TransformerLayer(8, torch.nn.Linear(8, 8), mlp_ratio=3, drop_path=1 - 1e-6), torch.randn(2, 1, 2, 2, 8)
    assert torch.equal(layer(x), x) and not torch.allclose(layer.eval()(x), x)
    assert layer.mlp.fc1.out_features == 24


def test_the_same_model_in_torchscript_tracing_and_on_the_meta_device():
    """What is traced takes batches of any size."""
    model = tiny_model().eval()
    traced = torch.jit.trace(model, torch.randn(1, 3, 8, 64, 64), check_trace=False)
    clips = torch.randn(3, 3, 8, 64, 64)
    torch.testing.assert_close(traced(clips), model(clips))
    with torch.device('meta'):
        output = tiny_model().eval()(torch.randn(1, 3, 5, 50, 70))
    assert output.device.type == 'meta' and output.shape == (1, 32, 3, 2, 3)


def test_a_traced_clip_of_another_shape_is_named_in_numbers():
    """As by MMAction2's get_flops.py, which traces an image unless told otherwise."""
    with pytest.raises(UserError, match=r'the clip has shape \(1, 3, 64, 64\);'):
        torch.jit.trace(tiny_model(), torch.zeros(1, 3, 64, 64))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(arch='huge'), "arch='huge' .* choose from \\['base', 'small', 'tiny'\\]"),
        (dict(arch=dict(embed_dims=(8,), num_blocks=(1, 1), num_heads=(1,))), 'one number a stage'),
        (dict(arch=dict(embed_dims=(9,), num_blocks=(1,), num_heads=(2,))), 'multiples of num_heads'),
        (dict(out_indices=(4,)), 'out_indices=.* 0 to 3'),
        (dict(out_indices=(3, 1)), 'in ascending order'),
        (dict(arch=5), 'arch=5 must be a string or a dict with embed_dims, num_blocks and num_heads'),
        (
            dict(arch=dict(embed_dims=(8,), num_blocks=(1,), num_heads=(0,))),
            r'arch\.num_heads\[0\]=0 must be an integer from 1',
        ),
        (dict(drop_path_rate=1.5), 'drop_path_rate=1.5 must be'),
        (dict(window_size=7), 'window_size=7 must be three positive integers'),
        (dict(clip_size=(32, 224)), r'clip_size=\(32, 224\) must be three'),
        (dict(patch_size=(2, 0, 4)), r'patch_size\[1\]=0 must be an integer from 1 to 65536'),
        (dict(fine_sizes=((8, 7, 7), 'all', None, 'whole')), r"fine_sizes\[1\]='all' must be three"),
        (dict(frozen_stages=4), 'frozen_stages=4 must lie between -1'),
        (dict(coarse_sizes=(None,)), 'coarse_sizes=.* 4 entries'),
        (dict(temporal_strides=(0, 1, 1)), r'temporal_strides\[0\]=0 must be an integer from 1'),
        (dict(block_types=('LG', 'LX', 'LG', 'LG')), r"block_types\[1\]='LX' must be 'LG', 'GL', 'LL' or 'GG'"),
        (dict(downsampling='max'), "downsampling='max' must be"),
        (dict(position='absolute'), "position='absolute' must be"),
        (dict(fine_sizes=(None,) * 4), 'leave stage 2 without global priors'),
    ],
)
def test_bad_arguments(settings, message):
    with pytest.raises(UserError, match=message):
        DualFormer(**settings)


@pytest.mark.parametrize(
    ('shape', 'message'),
    [
        ((1, 3, 8, 3, 64), '8 x 3 x 64; DualFormer takes at least 1 x 4 x 4'),
        ((1, 3, 0, 64, 64), 'takes at least'),
        ((1, 1, 8, 64, 64), r'takes \[batch, 3, frames, height, width\]'),
        ((3, 8, 64, 64), r'takes \[batch, 3, frames, height, width\]'),
    ],
)
def test_bad_clips(shape, message):
    with pytest.raises(UserError, match=message):
        tiny_model()(torch.zeros(shape))
