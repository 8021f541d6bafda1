"""What backbones say of themselves to programs that know none of them."""

import pytest
import torch
from mmaction.models import I3DHead
from mmaction.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.errors import UserError
from mmdualformer.models import DualFormer, Mobile3D, VideoMobileFormer, VidTr
from tests.helpers import REPO

MOBILE = dict(dim=8, num_blocks=(1, 2, 1), expansion=2.0, temporal_strides=(2, 1, 3, 1))
VIDTR = dict(embed_dims=12, num_layers=4, num_heads=2, feedforward_channels=24)


def dualformer(**kwargs) -> DualFormer:
    arch = dict(embed_dims=(8, 16, 24), num_blocks=(1, 2, 1), num_heads=(1, 2, 2))
    stages = dict(block_types=('LG',) * 3, fine_sizes=('auto', 'auto', 'whole'), coarse_sizes=((4, 4, 4), None, None))
    return DualFormer(arch, (8, 64, 64), temporal_strides=(1, 2), **stages, **{'out_indices': (0, 2), **kwargs})


def vidtr(**kwargs) -> VidTr:
    return VidTr(VIDTR, (16, 32, 32), (2, 8, 16), **{'out_indices': (0, 3), 'output_maps': True, **kwargs})


BACKBONES = {
    'dualformer': dualformer,
    'without its last stage': lambda: dualformer(out_indices=(0, 1)),
    'video mobile-former': lambda: VideoMobileFormer(MOBILE, out_indices=(0, 2), out_type='featmap'),
    'mobile3d': lambda: Mobile3D(MOBILE, out_indices=(1, 2)),
    'mobile3d without its last stage': lambda: Mobile3D(MOBILE, out_indices=(1,)),
    'vidtr': vidtr,
    'axial vidtr': lambda: vidtr(attention='axial'),
    'compact vidtr': lambda: vidtr(pool_layers=(0, 2), pool_frames=(6, 2)),
    'halving vidtr': lambda: vidtr(pool_layers=(1,), pool_frames=(4,), pooling='conv'),
}
SIZE = (48, 96, 96)


@pytest.mark.parametrize('name', BACKBONES)
def test_channels_and_strides_are_those_of_the_maps(name):
    backbone = BACKBONES[name]().eval()
    with torch.no_grad():
        outs = backbone(torch.rand(1, 3, *SIZE))
    maps = [out if isinstance(out, torch.Tensor) else out[0] for out in (outs if isinstance(outs, tuple) else [outs])]
    assert backbone.out_channels == tuple(x.shape[1] for x in maps)
    assert backbone.num_features == maps[-1].shape[1]
    assert backbone.strides == tuple(tuple(a / b for a, b in zip(SIZE, x.shape[2:])) for x in maps)


@pytest.mark.parametrize('name', BACKBONES)
def test_what_is_said_of_the_stages_leads_to_their_maps(name):
    backbone = BACKBONES[name]().eval()
    taken = {}
    for info in backbone.feature_info:
        module = backbone.get_submodule(info['module'])
        module.register_forward_hook(lambda _, __, output, key=info['module']: taken.update({key: output}))
    with torch.no_grad():
        backbone(torch.rand(1, 3, *SIZE))
        for stage, info in enumerate(backbone.feature_info):
            x = backbone.stage_map(stage, taken[info['module']], SIZE)
            assert x.shape[1] == info['num_chs']
            assert info['stride'] == tuple(a / b for a, b in zip(SIZE, x.shape[2:]))
            assert info['reduction'] == SIZE[1] / x.shape[3]


@pytest.mark.parametrize(
    ('name', 'wanted'),
    [
        ('video mobile-former', {'tokens'}),
        ('vidtr', {'grid_embed.position', 'grid_embed.cls_tokens.0', 'grid_embed.cls_tokens.1'}),
        ('mobile3d', set()),
        ('dualformer', set()),
    ],
)
def test_embeddings_are_without_weight_decay(name, wanted):
    assert BACKBONES[name]().no_weight_decay() == wanted


def test_the_table_of_a_relative_bias_is_without_weight_decay():
    names = dualformer(position='relative_bias').no_weight_decay()
    assert len(names) == 4 and all(name.endswith('relative_position_bias_table') for name in names)


# parameter -> the power of the decay rate that it learns at, counted from the head
FAMILIES = {
    'dualformer': {
        'stages.0.patch_embed.proj.weight': 4,
        'stages.0.blocks.0.peg.conv.weight': 3,
        'stages.1.patch_embed.norm.bias': 3,
        'norm.weight': 0,
    },
    'vmf': {'tokens': 5, 'stem.conv.norm.bias': 5, 'stages.0.0.former.q.weight': 4},
    'mobile3d': {'stem.conv.norm.bias': 5, 'stages.0.0.expand.norm.weight': 4, 'expand.conv.weight': 0},
    'vidtr': {'grid_embed.position': 5, 'patch_embed.bias': 5, 'layers.0.norm1.weight': 4, 'norm.bias': 0},
}


@pytest.mark.parametrize('family', FAMILIES)
def test_learning_rates_decay_from_the_head_to_the_stem(family):
    init_default_scope('mmaction')
    cfg = Config.fromfile(REPO / f'configs/{family}_micro_motion.py')
    model = MODELS.build(cfg.model)
    blocks = model.backbone.list_blocks()
    constructor = OPTIM_WRAPPER_CONSTRUCTORS.build(
        dict(
            type='LayerDecayOptimWrapperConstructor',
            optim_wrapper_cfg=dict(optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.1)),
            paramwise_cfg=dict(layer_decay_rate=0.5, norm_decay_mult=0.0, custom_keys=dict(cls_head=dict(lr_mult=3.0))),
        )
    )
    groups = {id(group['params'][0]): group for group in constructor(model).optimizer.param_groups}
    assert len(groups) == len(list(model.parameters()))
    rates = {name: groups[id(parameter)]['lr'] for name, parameter in model.named_parameters()}
    for depth, block in enumerate(blocks, 1):
        assert {groups[id(parameter)]['lr'] for parameter in block.parameters()} == {0.5 ** (len(blocks) + 1 - depth)}
    assert {rate for name, rate in rates.items() if name.startswith('cls_head')} == {3.0}
    powers = {name: rates[f'backbone.{name}'] for name in FAMILIES[family]}
    assert powers == {name: 0.5**power for name, power in FAMILIES[family].items()}
    norm = next(
        module for module in model.backbone.modules() if isinstance(module, torch.nn.LayerNorm | torch.nn.BatchNorm3d)
    )
    assert groups[id(norm.weight)]['weight_decay'] == 0


def test_what_cannot_decay_is_said():
    init_default_scope('mmaction')

    def build(**paramwise):
        optimizer = dict(type='AdamW', lr=1.0)
        cfg = dict(type='LayerDecayOptimWrapperConstructor', optim_wrapper_cfg=dict(optimizer=optimizer))
        return OPTIM_WRAPPER_CONSTRUCTORS.build(dict(cfg, paramwise_cfg=paramwise))

    for rate in (None, 0, 1.5, True, '0.5'):
        with pytest.raises(UserError, match='layer_decay_rate'):
            build(layer_decay_rate=rate)
    with pytest.raises(UserError, match='get_layer_depth'):
        build(layer_decay_rate=0.5)(torch.nn.Linear(2, 2))
    model = MODELS.build(Config.fromfile(REPO / 'configs/vmf_micro_motion.py').model)
    model.backbone = torch.nn.Linear(2, 2)
    with pytest.raises(UserError, match=r'model\.backbone is a Linear'):
        build(layer_decay_rate=0.5)(model)


def test_video_mobile_former_feeds_heads_of_one_map():
    torch.manual_seed(0)
    pair = VideoMobileFormer(MOBILE, out_indices=(2,)).eval()
    single = VideoMobileFormer(MOBILE, out_indices=(2,), out_type='featmap').eval()
    single.load_state_dict(pair.state_dict())  # the same names
    clips = torch.rand(2, 3, 6, 32, 32)
    with torch.no_grad():
        x = single(clips)
        torch.testing.assert_close(x, pair(clips)[0])
        assert I3DHead(5, single.num_features)(x).shape == (2, 5)
    with pytest.raises(UserError, match='out_type'):
        VideoMobileFormer(MOBILE, out_indices=(2,), out_type='map')
