"""Whatever is given to a model, it is built, or one line names the argument."""

import inspect
import random
import re
from collections import Counter

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict

from mmdualformer.errors import UserError
from mmdualformer.models import (
    DualFormer,
    MixedSizeDataPreprocessor,
    Mobile3D,
    MovingObjectNeck,
    TokenLabelHead,
    VideoMobileFormer,
    VideoMobileFormerHead,
    VidTr,
)
from mmdualformer.models.backbones.base import VideoBackbone

MOBILE = dict(
    arch=dict(dim=8, num_blocks=(1, 1), expansion=2.25, temporal_strides=(1, 1, 1)),
    conv_type='3d',
    stem_kernel=5,
    in_channels=3,
    out_indices=(1,),
    frozen_stages=-1,
    with_cp=False,
    init_cfg=None,
)
# Arguments that are good, all of them small.
GOOD = {
    DualFormer: dict(
        arch=dict(embed_dims=(8, 16), num_blocks=(1, 2), num_heads=(1, 2)),
        clip_size=(4, 32, 32),
        patch_size=(2, 4, 4),
        temporal_strides=(1,),
        block_types=('LG', 'LG'),
        window_size=(2, 4, 4),
        fine_sizes=((2, 4, 4), 'auto'),
        coarse_sizes=((2, 1, 1), None),
        downsampling='dwconv',
        position='peg',
        mlp_ratio=4.0,
        mlp_rank=None,
        drop_path_rate=0.1,
        in_channels=3,
        out_indices=(1,),
        frozen_stages=-1,
        with_cp=False,
        init_cfg=dict(type='TruncNormal', layer='Linear'),
    ),
    VideoMobileFormer: dict(
        MOBILE, num_tokens=3, tokens_per_frame=False, token_dim=16, activation='frame_dyrelu', out_type='raw'
    ),
    Mobile3D: MOBILE,
    VidTr: dict(
        arch=dict(embed_dims=16, num_layers=3, num_heads=2, feedforward_channels=32),
        clip_size=(8, 32, 32),
        patch_size=(1, 16, 16),
        attention='separable',
        pool_layers=(0, 1),
        pool_frames=(4, 2),
        pooling='topk_std',
        position='first',
        act_cfg=dict(type='GELU'),
        drop_rate=0.1,
        attn_drop_rate=0.1,
        in_channels=3,
        out_indices=(2,),
        output_maps=False,
        frozen_stages=-1,
        with_cp=False,
        init_cfg=[dict(type='Xavier', layer='Linear')],
    ),
    TokenLabelHead: dict(
        num_classes=6,
        in_channels=8,
        loss_cls=dict(type='CrossEntropyLoss'),
        dropout_ratio=0.5,
        gamma=0.5,
        num_token_labels=5,
    ),
    VideoMobileFormerHead: dict(
        num_classes=6,
        in_channels=8,
        token_dim=16,
        expansion=2,
        hidden_dim=24,
        dropout_ratio=0.5,
        loss_cls=dict(type='CrossEntropyLoss'),
        init_cfg=None,
    ),
    MovingObjectNeck: dict(in_channels=(8, 12), token_frames=2, loss_weight=0.1),
    MixedSizeDataPreprocessor: dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=False,
        to_float32=True,
        blending=dict(type='MixupBlending', num_classes=6),
        format_shape='NCTHW',
    ),
}
LOOP: list = []
LOOP.append(LOOP)
ODD = [
    *(None, True, False, 0, -1, 1, 2, 3, 5, 2**16, 2**62, 10**30, 10**400, 10**5000),
    *(0.0, 0.5, 1.0, 2.5, -0.5, 1e300, float('nan'), float('inf'), 1j),
    *('', 'x', 'tiny', 'auto', 'LG', '3', 'avg', b'LG', 'line\nbreak'),
    *((), [], {}, (1,), [1, 2], (1, 2, 3), [2, 4, 4], (4, 2, 2, 1), (0, 1), (1, 0), ((1, 2, 3), None), ('LG', 'GG')),
    *(('x', 'x'), [[]], LOOP, range(2), {1, 2}, iter([1]), slice(3), {1: 2}),
    *(dict(type='ReLU'), dict(type='Nothing'), dict(type='ReLU', x=1), dict(type=5), dict(a=1), [dict(type='Xavier')]),
    *(np.int64(2), np.float32(0.5), np.bool_(True), np.array(3), np.array([1, 2]), np.zeros((2, 2)), torch.tensor(2)),
    *(object(), int, len, torch.nn.ReLU, Ellipsis),
]
WORDS = {
    *('conv', 'dwconv', 'avgpool', 'peg', 'relative_bias', 'none', 'LG', 'GL', 'LL', 'whole', 'auto'),
    *('2d', '(2+1)d', 'dyrelu', 'relu', 'joint', 'separable', 'axial', 'spatial', 'avg', 'topk_std', 'every', 'NCHW'),
}


def spoil(rng: random.Random, value):
    """Replace the value, or something in it, by something of its kind or by something odd."""
    if rng.random() < 0.2:
        return rng.choice(ODD)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice((-1, 0, 1, 2, 3, 4, 6, 8, 2**16))
    if isinstance(value, float):
        return rng.uniform(-0.1, 2 * value)
    if isinstance(value, str):
        return rng.choice(sorted(WORDS))
    if not value:
        return rng.choice((None, value, 0.5, 1, (2, 2, 2)))
    if isinstance(value, dict):
        key = rng.choice(list(value))
        change = rng.choice(('spoil', 'spoil', 'spoil', 'remove', 'add'))
        if change == 'remove':
            return {name: item for name, item in value.items() if name != key}
        return {**value, **({'other': 1} if change == 'add' else {key: spoil(rng, value[key])})}
    items = list(value)
    items[rng.randrange(len(items))] = spoil(rng, rng.choice(items))
    return type(value)(items[: rng.choice((None, None, None, -1))])


@pytest.mark.parametrize('cls', GOOD, ids=lambda cls: cls.__name__)
def test_any_argument_is_taken_or_named(cls):
    """With up to three arguments spoilt. Every fourth backbone that is built also runs."""
    rng = random.Random(0)
    good = GOOD[cls]
    names = list(inspect.signature(cls).parameters)
    assert set(good) == set(names) - {'kwargs'}
    outcomes: Counter = Counter()
    for _ in range(200):
        spoilt = rng.sample(list(good), rng.choice((1, 1, 2, 3)))
        settings = {**good, **{name: spoil(rng, good[name]) for name in spoilt}}
        try:
            with torch.device('cpu' if cls is MixedSizeDataPreprocessor else 'meta'):
                model = cls(**settings)
                if isinstance(model, VideoBackbone) and outcomes['built'] % 4 == 0:
                    model(torch.rand(1, model.in_channels, *map(max, model.least_size, (4, 32, 32))))
        except UserError as error:
            message = str(error)
            assert '\n' not in message and len(message) < 1000
            assert re.split(r'[=.\[ ]', message)[0] in names, message
            if 'arch' not in spoilt:  # on which others depend
                assert any(name in message for name in spoilt), message
            outcomes['named'] += 1
        except Exception as error:
            outcomes['deep'] += 1
            print({name: settings[name] for name in spoilt}, repr(error))
        else:
            outcomes['built'] += 1
    assert not outcomes['deep'], outcomes
    assert outcomes['named'] > 30 and outcomes['built'] > 20, outcomes


@pytest.mark.parametrize('cls', GOOD, ids=lambda cls: cls.__name__)
def test_lists_numpy_numbers_and_config_dicts_are_as_good(cls):
    def change(value):
        if isinstance(value, dict):
            return ConfigDict({name: change(item) for name, item in value.items()})
        if isinstance(value, (tuple, list)):
            return [change(item) for item in value]
        return np.array(value)[()] if type(value) in (int, float, bool) else value

    models = [cls(**settings) for settings in (GOOD[cls], {name: change(value) for name, value in GOOD[cls].items()})]
    assert str(models[0]) == str(models[1])
    shapes = [{name: value.shape for name, value in model.state_dict().items()} for model in models]
    assert shapes[0] == shapes[1]
