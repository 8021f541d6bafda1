import cv2
import numpy as np
import pytest
import torch
from mmaction.apis import init_recognizer
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmdualformer.checkpoints.converters import Converted, write_converted
from mmdualformer.errors import UserError
from mmdualformer.models import VidTr
from mmdualformer.visualization import draw_maps, grad_cam, roll_out, separable_attention
from tests.helpers import REPO, assert_one_line, write_video


def tiny_model(**settings) -> VidTr:
    arch = dict(embed_dims=16, num_layers=3, num_heads=2, feedforward_channels=32)
    torch.manual_seed(0)
    return VidTr(**{**dict(arch=arch, clip_size=(4, 24, 16), patch_size=(1, 8, 8)), **settings}).double()


@pytest.fixture
def clips():
    return torch.randn(2, 3, 4, 24, 16, dtype=torch.float64)


def test_rows_are_the_layers_own_softmax(clips):
    """The matrices reproduce what the first layer's attention puts out."""
    model = tiny_model(arch=dict(embed_dims=8, num_layers=1, num_heads=1, feedforward_channels=8)).eval()
    seen = {}
    attn = model.layers[0].attn
    attn.qkv.register_forward_hook(lambda module, args, output: seen.update(v=output.chunk(3, -1)[2]))
    attn.proj.register_forward_hook(lambda module, args, output: seen.update(attended=args[0]))
    ((temporal, spatial),), size = separable_attention(model, clips)
    assert size == (4, 3, 2) and temporal.shape == (2, 7, 5, 5) and spatial.shape == (2, 5, 7, 7)
    after_time = torch.einsum('bnts,bsnc->btnc', temporal, seen['v'].unflatten(1, (5, 7)))
    torch.testing.assert_close((spatial @ after_time).flatten(1, 2), seen['attended'])


def test_the_roll_out_is_the_product_of_all_layers(clips):
    model = tiny_model()
    attention, _ = separable_attention(model, clips)
    (maps,) = roll_out(model, clips)
    assert not any(module._forward_hooks for module in model.modules())
    assert model.training and maps.spatial.shape == maps.temporal.shape == (2, 4, 3, 2)
    identity = torch.eye(7, dtype=torch.float64)
    product = identity
    for _, spatial in attention:
        product = (spatial[1, 2] + identity) / 2 @ product  # of the second clip's second frame
    torch.testing.assert_close(maps.spatial[1, 1].flatten(), product[0, 1:])
    identity = torch.eye(5, dtype=torch.float64)
    product = identity
    for temporal, _ in attention:
        product = (temporal[0, 6] + identity) / 2 @ product  # of the first clip's last place
    torch.testing.assert_close(maps.temporal[0, :, 2, 1], product[0, 1:])


def test_uniform_attention_reaches_every_patch_alike(clips):
    """Without queries, each of L layers keeps half and spreads half over the N tokens: (1 - 2^-L) / N to each patch."""
    model = tiny_model()
    with torch.no_grad():
        for layer in model.layers:
            layer.attn.qkv.weight.zero_()
            layer.attn.qkv.bias.zero_()
    (maps,) = roll_out(model, clips)
    torch.testing.assert_close(maps.spatial, torch.full_like(maps.spatial, (1 - 1 / 8) / 7))
    torch.testing.assert_close(maps.temporal, torch.full_like(maps.temporal, (1 - 1 / 8) / 5))


def test_a_place_that_all_keys_point_to_is_found(clips):
    """The patch of one place alone is bright, queries like it: the spatial map has its maximum there in every frame."""
    model = tiny_model()
    with torch.no_grad():
        for parameter in model.grid_embed.parameters():
            parameter.zero_()
        model.patch_embed.bias.zero_()
        for layer in model.layers:
            layer.norm1.bias.zero_()
            queries, keys, _ = layer.attn.qkv.bias.view(3, 16)
            layer.attn.qkv.weight[:16].zero_()
            queries.fill_(5.0)
            keys.zero_()
            layer.attn.qkv.weight[16:32] = model.patch_embed.weight.sum((1, 2, 3, 4)).expand(16, -1)
    clip = torch.zeros(1, 3, 4, 24, 16, dtype=torch.float64)
    clip[:, :, :, 16:, :8] = 1  # place (2, 0)
    (maps,) = roll_out(model, clip)
    assert (maps.spatial[0].flatten(1).argmax(1) == 2 * 2 + 0).all()


@pytest.mark.parametrize(
    'settings', [dict(attention='joint'), dict(attention='axial'), dict(pool_layers=(0,), pool_frames=(2,))]
)
def test_other_attention_has_no_roll_out(settings, clips):
    with pytest.raises(UserError, match=r"must be a VidTr with attention='separable' and no pool_layers"):
        roll_out(tiny_model(**settings), clips)


def test_maps_are_laid_over_frames():
    frames = np.full((4, 8, 8, 3), 100, np.uint8)
    maps = np.zeros((2, 2, 2))
    maps[1, 0, 0] = 3.0
    drawn = draw_maps(frames, maps)
    assert drawn.shape == (2, 8, 8, 3) and drawn.dtype == np.uint8
    red, blue = drawn[1, 0, 0], drawn[1, 7, 7]
    assert red[0] > red[2] and blue[2] > blue[0]
    assert (drawn[0] == blue).all()


def test_the_tool_draws_a_real_clip(run_tool, clip_file, tmp_path):
    tool, configs = 'tools/visualize_attention.py', REPO / 'configs'
    result = run_tool(tool, configs / 'vidtr_micro_motion.py', 'none', clip_file, '--out', 'out.png')
    assert result.returncode == 0, result.stderr
    assert '9 frames' in result.stdout
    assert cv2.imread(str(tmp_path / 'out.png')).shape == (3 * 32, 9 * 32, 3)
    result = run_tool(tool, configs / 'dualformer_micro_motion.py', 'none', clip_file, '--out', 'other.png')
    assert_one_line(result, "the DualFormer must be a VidTr with attention='separable'")


def test_maps_stand_below_the_frames_they_are_laid_over(fork_tool, tmp_path, monkeypatch):
    """9 gray frames, each lighter, in patches of 2, the last of which is half a patch: frames 0, 2, 4, 6 and 8."""
    monkeypatch.setattr(cv2, 'applyColorMap', lambda heat, _: np.zeros((*heat.shape, 3), np.uint8))  # leaves the frames
    video = write_video(tmp_path / 'gray.mp4', frames=9)
    result = fork_tool(
        'tools/visualize_attention.py',
        REPO / 'configs/vidtr_micro_motion.py',
        'none',
        video,
        '--out',
        'out.png',
        '--cfg-options',
        'test_pipeline.1.clip_len=9',
        'test_pipeline.1.num_clips=1',
    )
    assert result.returncode == 0, result.stderr
    assert '5 frames' in result.stdout
    picture = cv2.imread(str(tmp_path / 'out.png'))
    assert picture.shape == (3 * 32, 5 * 32, 3)
    shown, spatial, temporal = picture.reshape(3, 32, 5, 32, 3).mean((1, 3, 4))
    np.testing.assert_allclose(shown - shown[0], 16 * np.arange(5), atol=4)
    np.testing.assert_allclose(2 * np.stack([spatial, temporal]), [shown, shown], atol=2)


def test_the_tools_take_a_converted_file_with_its_activation(fork_tool, clip_file, tmp_path):
    config = REPO / 'configs/vidtr_micro_motion.py'
    weights = init_recognizer(str(config), device='cpu').state_dict()
    (tmp_path / 'source.pth').touch()
    write_converted(Converted(weights, '', dict(activation='ReLU')), tmp_path / 'source.pth', tmp_path / 'ours.pth')
    for command in (
        ('tools/visualize_attention.py', config, 'ours.pth', clip_file, '--out', 'out.png'),
        ('tools/recognize.py', config, 'ours.pth', clip_file),
    ):
        assert_one_line(fork_tool(*command), 'was trained with ReLU')
        result = fork_tool(*command, '--cfg-options', 'model.backbone.act_cfg.type=ReLU')
        assert result.returncode == 0, result.stderr
    assert (tmp_path / 'out.png').is_file()
    result = fork_tool('tools/recognize.py', 'ours.pth', clip_file, '--cfg-options', 'model.backbone.act_cfg.type=ReLU')
    assert_one_line(result, '--cfg-options needs a config')


def test_the_roll_out_of_a_layer_is_that_of_the_model_that_ends_there(clips):
    model = tiny_model()
    first, last = roll_out(model, clips, layers=[2, 3])
    model.layers = model.layers[:2]
    (ends_there,) = roll_out(model, clips)
    torch.testing.assert_close((first.spatial, first.temporal), (ends_there.spatial, ends_there.temporal))
    assert not torch.allclose(first.spatial, last.spatial)
    for layers in ([0], [1, 3]):
        with pytest.raises(UserError, match=r'must be from 1 to 2'):
            roll_out(model, clips, layers)


def test_grad_cam_finds_what_the_score_comes_from():
    """A model whose score is the brightness: the map is brightest where the clip is."""
    config = Config.fromfile(REPO / 'configs/mobile3d_micro_motion.py')
    init_default_scope('mmaction')
    model = MODELS.build(config.model)
    model.backbone = torch.nn.Conv3d(3, 3, 4, stride=4, groups=3, bias=False)
    torch.nn.init.ones_(model.backbone.weight)
    model.cls_head.fc = torch.nn.Linear(3, 8)
    model.cls_head.forward = lambda maps, **_: model.cls_head.fc(maps.mean((2, 3, 4)))
    torch.nn.init.ones_(model.cls_head.fc.weight)
    clip = torch.zeros(1, 3, 8, 32, 32, dtype=torch.uint8)
    clip[:, :, 4:, :8, 16:24] = 255
    data = pseudo_collate([dict(inputs=clip, data_samples=ActionDataSample())])
    found, _ = grad_cam(model, model.data_preprocessor(data)['inputs'][:, 0], 'backbone')
    maps = found.numpy()
    assert maps.shape == (8, 32, 32) and maps.min() == 0 and maps.max() == pytest.approx(1)
    assert np.unravel_index(maps.argmax(), maps.shape)[0] >= 4
    assert maps[6, 2:6, 18:22].min() > 0.5 > maps[:4, 10:].max()
    with pytest.raises(UserError, match="has no layer 'backbone/layer9'"):
        grad_cam(model, torch.zeros(1, 3, 8, 32, 32), 'backbone/layer9')


def test_the_tool_draws_layers_and_a_cnn_beside_them(fork_tool, clip_file, tmp_path):
    arguments = (
        REPO / 'configs/vidtr_micro_motion.py',
        'none',
        clip_file,
        '--out',
        'out.png',
        '--overwrite',
        '--layers',
        1,
        4,
        '--beside',
        REPO / 'configs/mobile3d_micro_motion.py',
        'none',
        '--target-layer',
    )
    result = fork_tool('tools/visualize_attention.py', *arguments, 'backbone')
    assert result.returncode == 0, result.stderr
    assert 'from layers 1, 4' in result.stdout and 'the Grad-CAM of' in result.stdout
    assert cv2.imread(str(tmp_path / 'out.png')).shape == ((1 + 2 * 2 + 1) * 32, 9 * 32, 3)
    assert_one_line(fork_tool('tools/visualize_attention.py', *arguments, 'cls_head'), 'no map of time and space')
