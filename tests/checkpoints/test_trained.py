import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine.config import Config

from mmdualformer.checkpoints import load_recognizer
from mmdualformer.checkpoints.recognizer import describe_recognizer
from mmdualformer.checkpoints.trained import convert_trained
from mmdualformer.errors import UserError
from mmdualformer.weights import load_safely, write_weights
from tests.helpers import REPO

CONFIG = REPO / 'configs/dualformer_micro_motion.py'


def test_a_trained_model_is_given_away_as_safetensors(fork_tool, clip_file, tmp_path):
    """Its description, classes and weights travel; it is loaded by itself, by a config, and as initial weights."""
    model = init_recognizer(str(CONFIG), device='cpu')
    names = [f'class {label}' for label in range(7)] + ['class \n\x1b[2K7']
    meta = dict(recognizer=describe_recognizer(Config.fromfile(CONFIG)), dataset_meta=dict(classes=names), epoch=3)
    torch.save(dict(meta=meta, state_dict=model.state_dict(), optimizer={}), tmp_path / 'epoch_3.pth')
    result = fork_tool('tools/convert_checkpoint.py', 'trained', 'epoch_3.pth', '--out', 'model.safetensors')
    assert result.returncode == 0, result.stderr
    assert 'dropped 1: optimizer' in result.stdout

    path = str(tmp_path / 'model.safetensors')
    content = load_safely(path)
    assert content['meta']['recognizer'] == meta['recognizer']  # tuples too
    assert content['meta']['source'] == 'epoch_3.pth' and 'epoch' not in content['meta']
    loaded = load_recognizer(path)
    assert loaded.dataset_meta['classes'] == names
    cfg = Config.fromfile(CONFIG)
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=path, prefix='backbone.')
    initialized = init_recognizer(cfg, device='cpu')
    initialized.init_weights()
    for other in (loaded, init_recognizer(str(CONFIG), path, device='cpu')):
        assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())
    for name, value in model.backbone.state_dict().items():
        torch.testing.assert_close(initialized.backbone.state_dict()[name], value, rtol=0, atol=0)
    result = fork_tool('tools/recognize.py', 'model.safetensors', clip_file, '--topk', 8)
    assert result.returncode == 0 and result.stdout.count('class ') == 8, result.stdout + result.stderr
    assert r'class \n\x1b[2K7' in result.stdout


def test_what_does_not_describe_itself_is_refused(tmp_path):
    torch.save(dict(state_dict=dict(a=torch.ones(1))), tmp_path / 'bare.pth')
    with pytest.raises(UserError, match='does not say what its model is'):
        convert_trained(tmp_path / 'bare.pth')


def test_weights_that_are_not_finite_are_refused(tmp_path):
    weights = dict(a=torch.full((2,), torch.nan))
    torch.save(dict(state_dict=weights, meta=dict(recognizer=dict(model={}))), tmp_path / 'nan.pth')
    with pytest.raises(UserError, match='a holds NaN or infinity'):
        convert_trained(tmp_path / 'nan.pth')


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('a', torch.ones(1, dtype=torch.complex128), 'complex128'),
        ('\ud800', torch.ones(1), 'surrogates not allowed'),
        ('__metadata__', torch.ones(1), "'__metadata__'"),
    ],
)
def test_what_safetensors_cannot_hold_is_one_line(tmp_path, name, value, reason):
    with pytest.raises(UserError, match=reason) as error:
        write_weights({'state_dict': {name: value}, 'meta': {}}, tmp_path / 'model.safetensors')
    assert str(error.value).isprintable()
    assert not list(tmp_path.iterdir())
