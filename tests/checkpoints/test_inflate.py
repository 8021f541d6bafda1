import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine.config import Config

from mmdualformer.checkpoints.dualformer import backbone_name
from mmdualformer.checkpoints.inflate import inflate
from mmdualformer.errors import UserError
from mmdualformer.models import DualFormer
from tests.helpers import REPO
from tests.reference import Reference

SETTINGS = dict(
    arch=dict(embed_dims=(8, 16, 16, 32), num_blocks=(1, 1, 1, 1), num_heads=(1, 2, 2, 4)),
    window_size=(8, 4, 4),
    fine_sizes=((4, 4, 4), (4, 4, 4), (2, 2, 2), 'whole'),
    coarse_sizes=((2, 1, 1), (2, 1, 1), None, None),
)


def image_model(**settings) -> DualFormer:
    torch.manual_seed(0)
    model = DualFormer(**{**SETTINGS, **settings}, clip_size=(1, 64, 64)).double().eval()
    model.init_weights()
    return model


def video_model(checkpoint, strict=True, **settings) -> DualFormer:
    model = DualFormer(
        **{**SETTINGS, **settings},
        clip_size=(32, 64, 64),
        init_cfg=dict(type='Inflated', checkpoint=str(checkpoint), strict=strict),
    )
    model.init_weights()
    return model.double().eval()


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / 'image.pth'
    head = {'cls_head.fc_cls.weight': torch.ones(5, 32)}
    weights = {f'backbone.{name}': value for name, value in image_model().state_dict().items()}
    torch.save(dict(state_dict={**weights, **head}), path)
    return path


def test_a_still_clip_gives_the_features_of_its_frame(tmp_path):
    """Of one scale and without PEG, all of the clip does.

    The PEG pads zeros beyond the first and the last frame; and of two scales, the softmax over the priors of a clip has
    more copies of the one that is longer in time.
    """
    path = tmp_path / 'image.pth'
    settings = dict(position='none', coarse_sizes=(None,) * 4)
    images = image_model(**settings)
    torch.save(images.state_dict(), path)
    frame = torch.randn(2, 3, 1, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        expected = images(frame).expand(-1, -1, 16, -1, -1)
        torch.testing.assert_close(
            video_model(path, **settings)(frame.expand(-1, -1, 32, -1, -1)), expected, rtol=1e-5, atol=1e-6
        )


def test_every_module_of_a_still_clip_equals_the_2d_one(checkpoint):
    images, videos = image_model(), video_model(checkpoint)
    tokens = torch.randn(1, 1, 16, 16, 8, dtype=torch.float64)
    still = tokens.expand(-1, 16, -1, -1, -1)
    with torch.no_grad():
        clip = torch.randn(1, 1, 64, 64, 3, dtype=torch.float64)
        torch.testing.assert_close(
            videos.stages[0].patch_embed(clip.expand(-1, 32, -1, -1, -1))[:, :1], images.stages[0].patch_embed(clip)
        )
        blocks = [model.stages[0].blocks[0] for model in (images, videos)]
        torch.testing.assert_close(blocks[1].peg(still)[:, 7:8], blocks[0].peg(tokens))
        for scale in ('fine', 'coarse'):
            expected, given = (block.layers[1].attn.scales[scale](x) for block, x in zip(blocks, (tokens, still)))
            torch.testing.assert_close(given[:, :1], expected)


def test_released_image_checkpoints_by_their_names(tmp_path):
    """4D kernels, a classifier and no second step of the coarse prior, which then averages."""
    video = Reference('dualformer_t_32x224').weights()
    image = {
        name: value[:, :, 0].float() if value.ndim == 5 else value
        for name, value in video.items()
        if '.lr.3.' not in name
    }
    torch.save(
        dict(model={**image, 'head.weight': torch.ones(1000, 512), 'head.bias': torch.ones(1000)}),
        tmp_path / 'released.pth',
    )
    model = DualFormer('tiny', init_cfg=dict(type='Inflated', checkpoint=str(tmp_path / 'released.pth')))
    model.init_weights()
    weights = model.state_dict()
    for name, value in image.items():
        given = weights[backbone_name(name)]
        if value.ndim == 4:
            torch.testing.assert_close(given.sum(2), value)
            assert (given == given[:, :, :1]).all()
    down2 = model.stages[0].blocks[0].layers[1].attn.scales['coarse'].down2
    assert (down2.weight == 1 / 16).all() and (down2.bias == 0).all()


def test_through_a_recognizer_config(checkpoint):
    cfg = Config.fromfile(REPO / 'configs/dualformer_t_k400.py')
    cfg.model.backbone = dict(
        type='DualFormer',
        clip_size=(32, 64, 64),
        init_cfg=dict(type='Inflated', checkpoint=str(checkpoint)),
        **SETTINGS,
    )
    cfg.model.cls_head.in_channels = 32
    model = init_recognizer(cfg, device='cpu')
    model.init_weights()
    torch.testing.assert_close(model.backbone.norm.weight.double(), image_model().norm.weight)
    kernel = model.backbone.stages[0].patch_embed.proj.weight.double().sum(2)
    torch.testing.assert_close(kernel, image_model().stages[0].patch_embed.proj.weight[:, :, 0])


def test_checkpoints_that_do_not_fit_are_refused(checkpoint, tmp_path):
    with pytest.raises(UserError, match='cannot be inflated'):
        inflate(dict(weight=torch.ones(4, 3, 4, 4)), dict(weight=torch.ones(4, 3, 2, 5, 5)))
    torch.save(dict(other=torch.ones(1)), tmp_path / 'other.pth')
    with pytest.raises(UserError, match=r"'.*other.pth' lacks \d+ of \d+ tensors of the DualFormer"):
        video_model(tmp_path / 'other.pth')
    with pytest.raises(UserError, match='does not exist'):
        video_model(tmp_path / 'none.pth')


def test_what_an_image_model_lacks_stays_as_it_is_where_that_is_asked_for(checkpoint):
    """A scale that reduces time alone: for one frame it is the tokens themselves."""
    sizes = dict(fine_sizes=(*SETTINGS['fine_sizes'][:3], (8, 2, 2)))
    with pytest.raises(UserError, match=r'lacks 4 of \d+ tensors of the DualFormer, first stages\.3\..*fine\.weight'):
        video_model(checkpoint, **sizes)
    attn = video_model(checkpoint, strict=False, **sizes).stages[3].blocks[0].layers[1].attn
    torch.testing.assert_close(
        attn.q.weight, image_model().stages[3].blocks[0].layers[1].attn.q.weight, rtol=0, atol=1e-7
    )
    assert attn.scales['fine'].weight.abs().sum() > 0 and (attn.norm.weight == 1).all()
