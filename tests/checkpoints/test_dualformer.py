import hashlib
import os

import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine.config import Config

from mmdualformer.checkpoints import load_recognizer
from mmdualformer.checkpoints.converters import write_converted
from mmdualformer.checkpoints.dualformer import backbone_name, convert_dualformer
from mmdualformer.errors import UserError
from mmdualformer.models import DualFormer
from mmdualformer.weights import read_weights
from tests.helpers import REPO, Malicious, assert_one_line
from tests.reference import Reference


@pytest.fixture(scope='module')
def released() -> dict:
    """A released DualFormer-T backbone, in names, shapes and values."""
    return {
        name: value if value.ndim == 0 else value.float()
        for name, value in Reference('dualformer_t_16x224').weights().items()
    }


def recognizer(backbone: dict, classes: int = 7) -> dict:
    head = {'cls_head.fc_cls.weight': torch.randn(classes, 512), 'cls_head.fc_cls.bias': torch.zeros(classes)}
    return {**{f'backbone.{name}': value for name, value in backbone.items()}, **head}


@pytest.mark.parametrize(
    'wrap',
    [
        lambda weights: weights,
        lambda weights: dict(state_dict=weights, meta=dict(epoch=30, config='model = dict()')),
        lambda weights: dict(model=weights, optimizer=dict(state={}, param_groups=[dict(lr=0.1)])),
        lambda weights: dict(state_dict={f'module.{name}': value for name, value in weights.items()}),
    ],
)
def test_a_released_recognizer_becomes_one_that_loads_strictly(fork_tool, released, tmp_path, wrap):
    torch.save(wrap({**recognizer(released), 'cls_head.aux.weight': torch.ones(2)}), tmp_path / 'released.pth')
    result = fork_tool('tools/convert_checkpoint.py', 'dualformer', 'released.pth', 'out/ours.pth')
    assert result.returncode == 0, result.stderr
    assert 'DualFormer-T for clips of 16 frames, 7 classes' in result.stdout
    assert 'dropped 1: cls_head.aux.weight' in result.stdout

    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['ours.pth']
    converted = torch.load(tmp_path / 'out/ours.pth', weights_only=True)
    meta = converted['meta']
    assert meta['source_sha256'] == hashlib.sha256((tmp_path / 'released.pth').read_bytes()).hexdigest()
    assert (meta['arch'], meta['clip_frames'], meta['num_classes']) == ('tiny', 16, 7)
    cfg = Config.fromfile(REPO / 'configs/ablations/dualformer/dualformer_t_k400_16x4.py')
    cfg.model.cls_head.num_classes = 7
    cfg.model.backbone.fine_sizes = ((8, 7, 7), (8, 7, 7), (8, 7, 7), 'whole')
    model = init_recognizer(cfg, device='cpu')
    model.load_state_dict(converted['state_dict'], strict=True)
    with torch.no_grad():
        output = model.backbone(Reference('dualformer_t_16x224').input().float())
    assert Reference('dualformer_t_16x224').error('output', output) < 1e-3


def test_a_converted_recognizer_needs_no_config(fork_tool, released, clip_file, tmp_path):
    torch.manual_seed(0)
    torch.save(recognizer(released), tmp_path / 'released.pth')
    write_converted(convert_dualformer(recognizer(released)), tmp_path / 'released.pth', tmp_path / 'ours.pth')
    sample = load_recognizer(str(tmp_path / 'ours.pth')).cfg.test_pipeline[1]
    assert (sample.type, sample.clip_len, sample.frame_interval) == ('ReleasedSampleFrames', 16, 4)
    result = fork_tool('tools/recognize.py', '--topk', 7, '--device', 'cpu', 'ours.pth', clip_file)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 8


@pytest.mark.parametrize(
    ('classes', 'mean', 'crops'), [(101, [104, 117, 128], 'ThreeCrop'), (400, [123.675, 116.28, 103.53], 'CenterCrop')]
)
def test_pixels_are_normalised_and_cropped_as_those_of_the_data_set(released, classes, mean, crops):
    meta = convert_dualformer(recognizer(released, classes)).meta
    assert meta['recognizer']['model']['data_preprocessor']['mean'] == mean
    assert meta['recognizer']['test_pipeline'][4]['type'] == crops
    assert ('dataset_meta' in meta) is (classes == 400)


def test_a_bare_backbone(released):
    converted = convert_dualformer(released)
    assert converted.meta['num_classes'] is None
    assert all(name.startswith('backbone.') for name in converted.weights)


@pytest.mark.parametrize('arch', ['tiny', 'small', 'base'])
def test_the_size_is_detected(released, arch):
    """Released names and shapes of the other sizes are those of their models, renamed back."""
    with torch.device('meta'):
        model = DualFormer(arch)
        shapes = model.state_dict()
    backwards = {backbone_name(name): name for name in Reference('dualformer_t_32x224').content['state_dict']}
    for layer in range(10, 18):  # layers that only the larger models have
        for name in list(Reference('dualformer_t_32x224').content['state_dict']):
            if name.startswith(f'blocks.2.{layer % 2}.'):
                name = name.replace(f'blocks.2.{layer % 2}.', f'blocks.2.{layer}.', 1)
                backwards[backbone_name(name)] = name
    converted = convert_dualformer({backwards[name]: value for name, value in shapes.items()})
    assert converted.meta['arch'] == arch and converted.meta['clip_frames'] == 32
    assert set(converted.weights) == {f'backbone.{name}' for name in shapes}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda w: w.pop('blocks.1.0.attn.qkv.bias'), 'DualFormer-T .* lacks stages.1.blocks.0.layers.0.attn.qkv.bias'),
        (lambda w: w.update({'norm.weight': torch.ones(3)}), r'norm\.weight has shape \(3,\), not \(512,\)'),
        (lambda w: w.update({'blocks.3.4.norm1.weight': torch.ones(512)}), 'tensors of something else'),
        (lambda w: w.update({'stem.weight': torch.ones(3)}), "no tensor 'stem.weight'"),
        (lambda w: w.update({'patch_embeds.0.proj.weight': torch.ones(48, 3, 2, 4, 4)}), 'those with 64, 96, 128'),
        (lambda w: w.pop('patch_embeds.0.proj.weight'), 'no released DualFormer'),
    ],
)
def test_anything_else_is_refused(released, change, message):
    weights = dict(released)
    change(weights)
    with pytest.raises(UserError, match=message) as error:
        convert_dualformer(weights)
    assert '\n' not in str(error.value)


def test_files_that_are_not_weights_are_refused_and_run_nothing(fork_tool, released, tmp_path):
    torch.save(dict(state_dict=released, meta=Malicious(os.mkdir, str(tmp_path / 'ran'))), tmp_path / 'malicious.pth')
    result = fork_tool('tools/convert_checkpoint.py', 'dualformer', 'malicious.pth', 'ours.pth')
    assert_one_line(result, "'malicious.pth' cannot be loaded as weights alone: it would run posix.mkdir")
    assert not (tmp_path / 'ran').exists() and not (tmp_path / 'ours.pth').exists()

    torch.save({'module.a': torch.ones(1), 'b': torch.ones(1)}, tmp_path / 'own.pth')
    assert read_weights(tmp_path / 'own.pth').keys() == {'module.a', 'b'}  # a prefix is one of all names
    (tmp_path / 'text.pth').write_text('weights')
    torch.save([torch.ones(1)], tmp_path / 'list.pth')
    torch.save(dict(epoch=3), tmp_path / 'empty.pth')
    for name, message in (
        ('text', 'cannot be loaded'),
        ('list', 'holds a list'),
        ('empty', 'holds no weights'),
        ('missing', 'does not exist'),
    ):
        with pytest.raises(UserError, match=message):
            read_weights(tmp_path / f'{name}.pth')
