"""Checkpoints that are given away, and the cards that say what they are."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.registry import init_default_scope

from mmdualformer import Recognizer
from mmdualformer.analysis import as_scorer, clip_shape, count_cost
from mmdualformer.checkpoints.recognizer import describe_recognizer
from mmdualformer.publishing import publish
from mmdualformer.weights import load_safely
from tests.helpers import REPO, assert_one_line

CONFIG = REPO / 'configs/vmf_micro_motion.py'
NAMES = ['left', 'a|b', '<img src=x>', '[text](http://a.b)', 'line\nbreak', '**bold** `code`', '_it_ a_b', '\x1b[2K7']


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory) -> Path:
    """A checkpoint with the state of training, whose log ends in a validation."""
    cfg = Config.fromfile(CONFIG)
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    meta = dict(recognizer=describe_recognizer(cfg), dataset_meta=dict(classes=NAMES), epoch=2, cfg='secret = 1')
    scalars = {
        name: HistoryBuffer(values, np.ones(len(values)))
        for name, values in {
            'train/loss': [3.0],
            'val/acc/top1': [0.25, 0.5],
            'val/loss': [float('nan')],
            'val/time': [0.1],
        }.items()
    }
    path = tmp_path_factory.mktemp('run') / 'best_acc_top1_epoch_2.pth'
    info = dict(best_ckpt=f'/home/me/work_dirs/run/{path.name}', loop_stage='val')
    log = dict(log_scalars=scalars, runtime_info=info, resumed_keys={})
    torch.save(dict(meta=meta, state_dict=model.state_dict(), optimizer=dict(state={}), message_hub=log), path)
    return path


def read_card(path: Path) -> tuple[dict, str]:
    """The YAML of a card, and its text."""
    _, front, text = path.read_text(encoding='utf-8').split('---\n', 2)
    return yaml.safe_load(front), text


@pytest.mark.parametrize('form', ['safetensors', 'pth'])
def test_what_is_published_recognises_the_same(fork_tool, checkpoint, clip_file, tmp_path, form):
    result = fork_tool('tools/publish.py', checkpoint, '--out', 'given', *(['--format', form] if form == 'pth' else []))
    assert result.returncode == 0, result.stderr
    card, target = sorted((tmp_path / 'given').iterdir())
    assert card.name == 'README.md' and str(target.relative_to(tmp_path)) in result.stdout
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    assert re.fullmatch(rf'best_acc_top1_epoch_2_\d{{8}}-{digest[:8]}\.{form}', target.name)
    assert digest in card.read_text()
    assert target.stat().st_mode == card.stat().st_mode
    content = load_safely(str(target))
    assert set(content) == {'meta', 'state_dict'} and 'cfg' not in content['meta']
    expected = Recognizer(checkpoint, device='cpu')(clip_file)
    for path in (target, tmp_path / 'given'):
        found = Recognizer.from_pretrained(path, device='cpu')(clip_file)
        assert found.classes == expected.classes == tuple(NAMES)
        np.testing.assert_array_equal(found.scores, expected.scores)


def test_the_card_says_what_the_checkpoint_says(checkpoint, tmp_path):
    _, path = publish(checkpoint, tmp_path / 'gestures.pth', license='apache-2.0', data='Clips of *mine*.')
    front, text = read_card(path)
    assert front['license'] == 'apache-2.0'
    assert (front['library_name'], front['pipeline_tag']) == ('mmdualformer', 'video-classification')
    assert 'videomobileformer' in front['tags']
    assert '# gestures\n' in text and 'Clips of *mine*.' in text
    assert '| acc/top1 | 0.5000 |' in text and 'loss' not in text and '| time' not in text
    assert 'Of these weights' in text and 'chosen as the best' in text
    cfg = Config.fromfile(CONFIG)
    scorer = as_scorer(MODELS.build(cfg.model).eval())
    cost = count_cost(scorer, clip_shape(cfg))
    assert f'| parameters | {cost.params / 1e3:.3g} k |' in text
    assert f'| multiply-adds of a clip | {cost.macs / 1e6:.3g} M |' in text
    assert '| clip | 18 frames of 32 x 32 pixels' in text
    assert '/home/me' not in text and 'secret' not in text


def test_odd_names_of_classes_are_shown_as_they_are(checkpoint, tmp_path):
    _, path = publish(checkpoint, tmp_path)
    table = read_card(path)[1].partition('## Classes')[2].partition('## License')[0]
    rows = [line for line in table.splitlines() if re.match(r'\| \d', line)]
    assert rows == [
        '| 0 | left |',
        r'| 1 | a\|b |',
        r'| 2 | \<img src=x\> |',
        r'| 3 | \[text\](http\://a.b) |',
        r'| 4 | line\\nbreak |',
        r'| 5 | \*\*bold\*\* \`code\` |',
        r'| 6 | \_it\_ a_b |',
        r'| 7 | \\x1b\[2K7 |',
    ]


def test_what_is_not_known_is_said(checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=False)
    del content['meta']['dataset_meta'], content['message_hub']
    torch.save(content, tmp_path / 'bare.pth')
    _, path = publish(tmp_path / 'bare.pth', tmp_path / 'given', license='My own: terms\n---')
    front, text = read_card(path)
    assert (front['license'], front['license_name']) == ('other', 'My own: terms\n---')
    for said in ('has none in its log', 'did not say what it was trained on', 'does not name its classes'):
        assert said in text
    content = torch.load(checkpoint, weights_only=False)
    content['message_hub']['runtime_info']['loop_stage'] = 'train'
    torch.save(content, tmp_path / 'epoch_3.pth')
    _, path = publish(tmp_path / 'epoch_3.pth', tmp_path / 'given', overwrite=True)
    front, text = read_card(path)
    assert 'license' not in front and 'gave no license' in text
    assert '| acc/top1 | 0.5000 |' in text and 'numbers of earlier weights' in text
    assert 'chosen as the best' not in text


def test_nothing_is_overwritten_unasked(fork_tool, checkpoint, tmp_path):
    def run(*arguments):
        return fork_tool('tools/publish.py', checkpoint, *arguments)

    (tmp_path / 'given').mkdir()
    (tmp_path / 'given/README.md').write_text('mine')
    assert_one_line(run('--out', 'given'), 'given/README.md', '--overwrite')
    assert [path.name for path in (tmp_path / 'given').iterdir()] == ['README.md']
    assert (tmp_path / 'given/README.md').read_text() == 'mine'
    assert run('--out', 'given', '--overwrite').returncode == 0
    (weights,) = (tmp_path / 'given').glob('*.safetensors')
    (tmp_path / 'given/README.md').unlink()
    weights.write_bytes(b'mine')
    assert_one_line(run('--out', 'given'), weights.name, '--overwrite')
    assert weights.read_bytes() == b'mine'
    assert [path.name for path in (tmp_path / 'given').iterdir()] == [weights.name]


def test_mistakes_are_one_line(fork_tool, checkpoint, tmp_path):
    def run(*arguments):
        return fork_tool('tools/publish.py', *arguments)

    torch.save(dict(state_dict={}), tmp_path / 'bare.pth')
    (tmp_path / 'file').touch()
    assert_one_line(run('gone.pth', '--out', 'given'), "checkpoint 'gone.pth'", 'does not exist')
    assert_one_line(run('bare.pth', '--out', 'given'), 'does not say what its model is')
    assert_one_line(run(checkpoint, '--out', 'file'), "'file' is a file")
    assert_one_line(run(checkpoint, '--out', 'a.pth', '--format', 'safetensors'), "'a.pth'", 'two forms')
    assert_one_line(run(checkpoint, '--out', 'a b`.pth'), "'a b`.pth'", 'letters')
    assert not (tmp_path / 'given').exists()
    for name in ('one.pth', 'two.safetensors'):
        (tmp_path / 'file').with_name(name).touch()
    with pytest.raises(ValueError, match=r'bare\.pth, one\.pth, two\.safetensors'):
        Recognizer.from_pretrained(tmp_path)
