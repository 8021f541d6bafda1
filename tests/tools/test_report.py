import json
import pickle

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from tests.helpers import REPO, assert_one_line

CONFIG = REPO / 'configs/dualformer_micro_motion.py'


@pytest.fixture
def checkpoint(tmp_path):
    """Random weights."""
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(CONFIG).model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'best_acc_top1_epoch_1.pth')
    return 'best_acc_top1_epoch_1.pth'


def test_a_test_writes_a_report_which_its_saved_predictions_give_too(fork_tool, checkpoint, data_options, tmp_path):
    test = ('tools/test.py', CONFIG, checkpoint, '--work-dir', 'work', '--report', 'report')
    result = fork_tool(*test, '--dump', 'p.pkl', '--cfg-options', *data_options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1] == 'the report is report/report.html'
    page, numbers = (
        (tmp_path / 'report/report.html').read_text(),
        json.loads((tmp_path / 'report/report.json').read_text()),
    )
    assert page.count('data:image/jpeg') == 6 * len(numbers['mistakes']) > 0
    assert numbers['result']['clips'] == 8
    assert numbers['clips'] == dict(kind='validation', chosen_on=True, source=numbers['clips']['source'])
    assert numbers['result']['classes'][0]['name'] == 'left-up-counterclockwise'
    assert numbers['model']['backbone'] == 'DualFormer' and numbers['model']['params'] > 1e5
    assert numbers['checkpoint'] == 'best_acc_top1_epoch_1.pth' and '--report report' in numbers['command']
    assert 'DualFormer' in page and 'left-up-counterclockwise' in page

    result = fork_tool('tools/report.py', 'p.pkl', CONFIG, '--out', 'again', '--cfg-options', *data_options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout == 'again/report.html\n'
    again = json.loads((tmp_path / 'again/report.json').read_text())
    assert (again['result'], again['mistakes']) == (numbers['result'], numbers['mistakes'])


def test_predictions_of_others_need_no_config(fork_tool, tmp_path):
    dump = [dict(pred_score=torch.tensor([0.3, 0.7]), gt_label=torch.tensor([i % 2])) for i in range(4)]
    (tmp_path / 'p.pkl').write_bytes(pickle.dumps(dump))
    (tmp_path / 'names.txt').write_text('up\ndown\n')
    result = fork_tool('tools/report.py', 'p.pkl', '--out', 'out', '--labels', 'names.txt')
    assert result.returncode == 0, result.stdout + result.stderr
    numbers = json.loads((tmp_path / 'out/report.json').read_text())
    assert [part['name'] for part in numbers['result']['classes']] == ['up', 'down']
    assert numbers['model'] is None and numbers['clips']['kind'] == ''


def test_what_makes_no_report_is_one_line(fork_tool, checkpoint, data_options, tmp_path):
    assert_one_line(fork_tool('tools/report.py', 'no.pkl', '--out', 'out'), "'no.pkl' does not exist")
    dump = [dict(pred_score=torch.tensor([0.3, 0.7]), gt_label=torch.tensor([1]))]
    (tmp_path / 'p.pkl').write_bytes(pickle.dumps(dump))
    report = ('tools/report.py', 'p.pkl', '--out', 'out')
    assert_one_line(fork_tool(*report, '--work-dir', 'no'), "--work-dir 'no' is no folder")
    assert_one_line(fork_tool(*report, '--cfg-options', 'model.type=x'), '--cfg-options needs a config')
    (tmp_path / 'names.txt').write_text('up\n')
    assert_one_line(fork_tool(*report, '--labels', 'names.txt'), 'names 1 classes, the predictions have 2')
    (tmp_path / 'out').write_text('a file')
    assert_one_line(fork_tool(*report), 'out')
    test = ('tools/test.py', CONFIG, checkpoint, '--report', 'out', '--cfg-options', *data_options)
    result = fork_tool(*test)  # before it tests anything
    assert_one_line(result, 'out')
    assert 'Epoch(test)' not in result.stdout + result.stderr
