import pickle
import re

import pytest
import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmaction.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_url

from mmdualformer.checkpoints import load_recognizer
from mmdualformer.checkpoints.recognizer import describe_recognizer
from mmdualformer.errors import UserError
from tests.helpers import REPO

CONFIG = REPO / 'configs/dualformer_micro_motion.py'


@pytest.fixture
def checkpoint(tmp_path) -> dict:
    model = init_recognizer(str(CONFIG), device='cpu')
    meta = dict(recognizer=describe_recognizer(Config.fromfile(CONFIG)), dataset_meta=dict(classes=list('abcdefgh')))
    return dict(meta=meta, state_dict=model.state_dict())


def save(checkpoint, tmp_path) -> str:
    torch.save(checkpoint, tmp_path / 'model.pth')
    return str(tmp_path / 'model.pth')


def test_one_file_predicts_the_same_in_test_tool_api_and_demo(fork_tool, data_options, motion_root, tmp_path):
    """Train; then the same video through tools/test.py, MMAction2's API with and without the config, and our demo."""
    result = fork_tool('tools/train.py', CONFIG, '--work-dir', tmp_path / 'work', '--cfg-options', *data_options)
    assert result.returncode == 0, result.stdout + result.stderr
    path = str(tmp_path / 'work' / 'epoch_1.pth')
    result = fork_tool(
        'tools/test.py',
        CONFIG,
        path,
        '--work-dir',
        tmp_path / 'test',
        '--dump',
        tmp_path / 'scores.pkl',
        '--cfg-options',
        *data_options,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    with open(tmp_path / 'scores.pkl', 'rb') as file:
        tested = [sample['pred_score'] for sample in pickle.load(file)]

    videos = [
        str(motion_root / 'videos_val' / line.split()[0]) for line in (motion_root / 'val.txt').read_text().splitlines()
    ]
    alone, configured = load_recognizer(path), init_recognizer(str(CONFIG), path, device='cpu')
    names = (motion_root / 'label_map.txt').read_text().splitlines()
    assert alone.dataset_meta['classes'] == names
    printed = fork_tool('tools/recognize.py', path, *videos, '--topk', 8).stdout
    init_default_scope('mmaction')
    for video, expected in zip(videos, tested):
        torch.testing.assert_close(inference_recognizer(alone, video).pred_score, expected, rtol=0, atol=1e-5)
        torch.testing.assert_close(inference_recognizer(configured, video).pred_score, expected, rtol=0, atol=1e-5)
        lines = printed.partition(video)[2].splitlines()[1:9]
        found = (re.match(r' +([\d.]+)%  (\S+)', line).groups() for line in lines)
        shown = {name: float(score) for score, name in found}
        for name, score in zip(names, expected.tolist()):
            assert shown[name] == pytest.approx(100 * score, abs=0.01)


def test_tuples_stay_tuples(checkpoint, tmp_path):
    """MMAction2's Resize takes no list."""
    model = load_recognizer(save(checkpoint, tmp_path))
    assert model.cfg.test_pipeline[3].scale == (-1, 40)
    assert type(checkpoint['meta']['recognizer']['model']) is dict


def test_what_training_started_from_need_not_be_there(checkpoint, tmp_path):
    checkpoint['meta']['recognizer']['model']['backbone']['init_cfg'] = dict(type='Inflated', checkpoint='gone.pth')
    weights = load_recognizer(save(checkpoint, tmp_path)).state_dict()
    torch.testing.assert_close(weights, checkpoint['state_dict'])


@pytest.mark.parametrize('meta', [dict(epoch=3), dict(recognizer='DualFormer'), None])
def test_a_checkpoint_that_does_not_say_is_refused(checkpoint, tmp_path, meta):
    checkpoint['meta'] = meta
    with pytest.raises(UserError, match='does not say what its model is; give its config too'):
        load_recognizer(save(checkpoint, tmp_path))


@pytest.mark.parametrize('place', ['model', 'test_pipeline'])
def test_a_checkpoint_cannot_name_code(checkpoint, tmp_path, place):
    """Registries import what they do not know, and call it."""
    call = dict(type='subprocess.Popen', args=['touch', str(tmp_path / 'ran')])
    described = checkpoint['meta']['recognizer']
    if place == 'model':
        described['model']['backbone'] = call
    else:
        described['test_pipeline'].append(call)
    with pytest.raises(UserError, match=r"asks for 'subprocess\.Popen', which no registry of recognizers knows"):
        load_recognizer(save(checkpoint, tmp_path))
    assert not (tmp_path / 'ran').exists()


def test_a_checkpoint_cannot_name_a_package(checkpoint, tmp_path, monkeypatch):
    """MMEngine imports the package of a scope."""
    (tmp_path / 'evil').mkdir()
    (tmp_path / 'evil' / '__init__.py').touch()
    (tmp_path / 'evil' / 'registry.py').write_text(f'open({str(tmp_path / "ran")!r}, "w")')
    monkeypatch.syspath_prepend(tmp_path)
    checkpoint['meta']['recognizer']['model']['_scope_'] = 'evil'
    with pytest.raises(UserError, match="asks for 'evil', which no registry of recognizers knows"):
        load_recognizer(save(checkpoint, tmp_path))
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('name', ['init_cfg', 'pretrained', 'pretrained2d', 'pretrain_2d', 'teacher'])
def test_a_description_does_not_say_what_to_load(checkpoint, tmp_path, name):
    model = checkpoint['meta']['recognizer']['model']
    model['backbone'] = dict(model['backbone'], **{name: dict(type='Pretrained', checkpoint='http://127.0.0.1:9/a')})
    assert not load_recognizer(save(checkpoint, tmp_path)).training


class Loading(torch.nn.Module):
    """A backbone that loads a checkpoint while it is made."""

    def __init__(self, source: str) -> None:
        super().__init__()
        load = load_url if source.startswith('http') else CheckpointLoader.load_checkpoint
        load(source)


@pytest.mark.parametrize('source', ['other.pth', 'http://127.0.0.1:9/other.pth'])
def test_a_description_loads_nothing(checkpoint, tmp_path, monkeypatch, source):
    monkeypatch.setitem(MODELS.module_dict, 'Loading', Loading)
    torch.save({}, tmp_path / 'other.pth')
    monkeypatch.chdir(tmp_path)
    checkpoint['meta']['recognizer']['model']['backbone'] = dict(type='Loading', source=source)
    with pytest.raises(UserError, match=f'it would load {source!r}'):
        load_recognizer(save(checkpoint, tmp_path))
    assert CheckpointLoader.load_checkpoint('other.pth', logger='silent') == {}


def test_a_description_does_not_name_what_loads_by_itself(checkpoint, tmp_path):
    checkpoint['meta']['recognizer']['model']['backbone'] = dict(type='CLIPSimilarity', clip_arch='ViT-B/32')
    with pytest.raises(UserError, match="asks for 'CLIPSimilarity', which no registry of recognizers knows"):
        load_recognizer(save(checkpoint, tmp_path))


def test_weights_of_another_model_are_refused(checkpoint, tmp_path):
    del checkpoint['state_dict']['cls_head.fc_cls.bias']
    with pytest.raises(UserError, match=r'than the model that it describes, first cls_head\.fc_cls\.bias'):
        load_recognizer(save(checkpoint, tmp_path))


@pytest.mark.parametrize(
    'wrap',
    [
        lambda dataset: dict(type='RepeatDataset', times=2, dataset=dataset),
        lambda dataset: dict(type='ConcatDataset', datasets=[dataset, dataset]),
    ],
)
def test_the_pipeline_of_wrapped_test_data_is_described(wrap):
    cfg = Config.fromfile(CONFIG)
    expected = describe_recognizer(cfg)
    cfg.test_dataloader.dataset = wrap(cfg.test_dataloader.dataset)
    assert describe_recognizer(cfg) == expected


def test_training_goes_on_without_test_data(fork_tool, data_options, tmp_path):
    config = tmp_path / 'config.py'
    config.write_text(f'_base_ = {str(CONFIG)!r}\ntest_dataloader = test_cfg = test_evaluator = None\n')
    options = [option for option in data_options if not option.startswith('test_dataloader')]
    result = fork_tool('tools/train.py', config, '--work-dir', tmp_path / 'work', '--cfg-options', *options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'checkpoints will need their config' in result.stdout + result.stderr
    assert (tmp_path / 'work' / 'epoch_1.pth').exists()


@pytest.mark.parametrize(
    ('loader', 'message'),
    [
        ([dict()], 'its test_dataloader is a list'),
        (dict(dataset=dict(type='Own')), 'its test data has no pipeline'),
    ],
)
def test_unknown_test_data_is_not_described(loader, message):
    with pytest.raises(TypeError, match=message):
        describe_recognizer(Config(dict(model=dict(), test_dataloader=loader)))


def test_configs_that_are_no_plain_data_are_not_described():
    cfg = ConfigDict(model=dict(type=torch.nn.Linear), test_dataloader=dict(dataset=dict(pipeline=[])))
    with pytest.raises(TypeError, match='is a type'):
        describe_recognizer(cfg)
