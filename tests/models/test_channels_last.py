"""What runtimes get is the function of the modules that it is made from."""

import pytest
import torch
import torch.nn as nn
from mmaction.models.heads import I3DHead, X3DHead

from mmdualformer.models import Mobile3D, VideoMobileFormer, VideoMobileFormerHead, VidTr
from mmdualformer.models.channels_last import ChannelsLastScorer, as_channels_last
from tests.helpers import randomize_norms

ARCH = dict(dim=8, num_blocks=(2, 1), expansion=2.25, temporal_strides=(2, 1, 1))


def as_scorer(backbone: nn.Module, head: nn.Module) -> nn.Module:
    """A backbone and a head with weights that make everything in them matter."""
    scorer = nn.Sequential()
    scorer.add_module('backbone', backbone)
    scorer.add_module('cls_head', head)
    randomize_norms(scorer)
    for module in scorer.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=2 * module.in_features**-0.5)
    return scorer.eval()


@pytest.mark.parametrize(
    'settings',
    [
        dict(),
        dict(arch=dict(ARCH, temporal_strides=(4, 2, 1)), stem_kernel=9, num_tokens=3),
        dict(activation='dyrelu', conv_type='(2+1)d'),
        dict(activation='relu', conv_type='2d'),
        dict(tokens_per_frame=True),
        dict(out_type='featmap'),
        dict(out_indices=(0,)),
    ],
)
@pytest.mark.parametrize('fixed_frames', [True, False])
def test_video_mobile_former_is_the_same_function(settings, fixed_frames):
    """On two clips whose lengths the strides do not divide."""
    torch.manual_seed(0)
    backbone = VideoMobileFormer(**dict(dict(arch=ARCH, token_dim=16, out_indices=(1,)), **settings))
    if backbone.out_type == 'featmap':
        head = I3DHead(5, backbone.dim)
    else:
        head = VideoMobileFormerHead(5, backbone.dim, token_dim=16, hidden_dim=24)
    scorer = as_scorer(backbone, head)
    before = {name: value.clone() for name, value in scorer.state_dict().items()}
    rewritten = as_channels_last(scorer, fixed_frames)
    assert isinstance(rewritten, ChannelsLastScorer)
    clips = torch.randn(2, 3, 9, 45, 38)
    with torch.no_grad():
        logits, expected = rewritten(clips), scorer(clips)
    assert (expected[0] - expected[1]).abs().max() > 1e-2  # clips matter
    torch.testing.assert_close(logits, expected, atol=2e-5, rtol=2e-5)
    for name, value in scorer.state_dict().items():
        torch.testing.assert_close(value, before[name], atol=0, rtol=0)


@pytest.mark.parametrize(('out_index', 'channels'), [(1, 36), (0, 8)])
def test_mobile3d_is_the_same_function(out_index, channels):
    torch.manual_seed(0)
    scorer = as_scorer(Mobile3D(ARCH, out_indices=(out_index,)), X3DHead(5, channels))
    clips = torch.randn(2, 3, 9, 45, 38)
    with torch.no_grad():
        torch.testing.assert_close(as_channels_last(scorer)(clips), scorer(clips), atol=2e-5, rtol=2e-5)


def test_other_models_stay_as_they_are():
    several = as_scorer(VideoMobileFormer(ARCH, token_dim=16, out_indices=(0, 1)), nn.Identity())
    other = as_scorer(VidTr(dict(embed_dims=8, num_layers=1, num_heads=1, feedforward_channels=8)), nn.Identity())
    assert as_channels_last(several) is several and as_channels_last(other) is other
