"""``fit --try``: trainings with several settings, of which the best is tested."""

import importlib.util
import json
import os
import shutil

import pytest
import torch
from mmengine.config import Config

from mmdualformer import processes
from mmdualformer.checkpoints.motion import find_motion_weights
from tests.helpers import REPO, assert_one_line, fork
from tests.running import be_tool

CONFIG = REPO / 'configs/own_videos/vmf_micro.py'


@pytest.fixture
def fit(folder, fork_tool, tmp_path, monkeypatch):
    """Run fit with tools that note how they are called; the first trainings end with ``statuses``."""

    def note(command, **_):
        with open(tmp_path / 'calls', 'a') as file:
            print(*command[3:], file=file)
        if command[3] == 'train':
            work_dir = (tmp_path / command[4]).parent
            (work_dir / 'mid_epoch.pth').touch()
            statuses = json.loads((tmp_path / 'statuses').read_text())
            (tmp_path / 'statuses').write_text(json.dumps(statuses[1:]))
            if statuses and statuses[0]:
                return statuses[0]
            (work_dir / 'best_epoch_1.pth').touch()
            folder = work_dir / '20260101_100000/vis_data'
            folder.mkdir(parents=True)
            value = int(work_dir.name.removeprefix('try_')) / 10
            lines = dict(loss=1.0, epoch=1, iter=1, step=1), {'acc/top1': value, 'step': 1}
            (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
        return 0

    monkeypatch.setattr(processes, 'run', note)

    def run(*arguments, statuses=()):
        (tmp_path / 'calls').unlink(missing_ok=True)
        (tmp_path / 'statuses').write_text(json.dumps(statuses))
        result = fork_tool('tools/fit.py', folder, '--work-dir', 'work', '--workers', 0, *arguments)
        calls = (tmp_path / 'calls').read_text().splitlines() if (tmp_path / 'calls').exists() else []
        return result, calls

    return run


BEGIN = ('--epochs', 1, '--batch-size', 2, '--try', 3)
TEST = 'test work/try_3/config.py work/try_3/best_epoch_1.pth'


def test_a_try_that_fails_is_not_the_end_and_a_signal_is(fit, folder, tmp_path):
    result, calls = fit(*BEGIN, statuses=[1, 130])
    assert result.returncode == 130, result.stderr
    assert calls == ['train work/try_1/config.py', 'train work/try_2/config.py']
    assert 'try 1 failed: exit status 1\n' in result.stdout and 'try 3' not in result.stdout
    result, calls = fit(*BEGIN)
    assert_one_line(result, "work dir 'work' holds a run already", '--resume')
    result, calls = fit('--resume', '--try', 2)
    assert_one_line(result, "--try 2 is not what the run in 'work' was begun with, 3")
    result, calls = fit('--resume')
    assert result.returncode == 0, result.stderr
    *trained, tested = calls
    assert trained == ['train work/try_2/config.py --resume', 'train work/try_3/config.py']
    assert tested.startswith(TEST)
    assert 'has chosen it, so it is too high' in result.stdout
    rows = [line.split() for line in result.stdout.splitlines() if '_micro ' in line and 'try' not in line]
    assert [row[0] for row in rows] == ['3', '2', '1'] and rows[2][-2] == 'failed'
    result, calls = fit('--resume')
    assert result.returncode == 0 and len(calls) == 1 and calls[0].startswith(TEST) and 'minutes' in result.stdout
    result, calls = fit('--resume', '--folds', 2)
    assert_one_line(result, '--folds 2 is not what the run')
    result, calls = fit('--resume', '--try', 4)
    assert result.returncode == 0, result.stderr
    assert calls == [
        'train work/try_4/config.py',
        'test work/try_4/config.py work/try_4/best_epoch_1.pth --report work/try_4/report',
    ]
    assert 'try 4 of 4: ' in result.stdout and len(json.loads((tmp_path / 'work/tries.json').read_text())) == 4
    result, calls = fit('--resume')
    assert result.returncode == 0 and calls[0].startswith('test work/try_4/')


def test_where_all_fail_nothing_is_tested(fit):
    result, calls = fit(*BEGIN, statuses=[1, 137, 2])
    assert_one_line(result, 'all 3 tries failed; their logs are in work/try_1')
    assert len(calls) == 3


def test_what_cannot_be_tried_is_one_line(fit, tmp_path, monkeypatch):
    result, calls = fit(*BEGIN, '--folds', 2)
    assert_one_line(result, '--try 3 compares settings on one split, but --folds 2 makes several')
    assert_one_line(fit('--try', 1)[0], '--try 1 must be at least 2', status=2)
    two = ('--model', 'vmf_micro', '--model', CONFIG)
    assert_one_line(fit(*two)[0], '--model names 2 models (vmf_micro, ', 'give one, or compare them by --try')
    assert_one_line(fit(*BEGIN, *two)[0], "--model 'vmf_micro' and --model '", 'have the same name')
    three = (*two[:2], '--model', 'vidtr_micro', '--model', 'dualformer_micro')
    assert_one_line(fit(*three, '--try', 2)[0], '--try 2 is less than the 3 models that --model names')
    options = ('optim_wrapper.optimizer.lr=1', 'optim_wrapper.optimizer.weight_decay=0')
    options += ('model.cls_head.label_smooth_eps=0', 'model.cls_head.dropout_ratio=0')
    result, calls = fit(*BEGIN, '--model', CONFIG, '--cfg-options', *options)
    assert_one_line(result, '--try has nothing to compare')
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None if name == 'optuna' else find_spec(name))
    result, calls = fit(*BEGIN)
    assert_one_line(result, '--try needs the package optuna: pip install "mmdualformer[tune]"')
    assert not calls and not (tmp_path / 'work').exists()


def test_each_model_without_weights_starts_from_its_own(fit, folder, tmp_path, monkeypatch):
    """As far as there are any: here none, so all three are drawn."""
    monkeypatch.setattr('mmdualformer.checkpoints.motion.FOLDER', tmp_path)
    result, _ = fit('--epochs', 1, '--batch-size', 2, '--try', 6)
    assert result.returncode == 0, result.stderr
    models = json.loads((tmp_path / 'work/fit.json').read_text())['runs']
    assert models == [f'models/{name}_micro' for name in ('vmf', 'dualformer', 'vidtr')]
    backbones = {Config.fromfile(tmp_path / f'work/try_{i}/config.py').model.backbone.type for i in range(1, 7)}
    assert len(backbones) > 1


def test_models_that_are_named_are_compared_with_weights_and_without(fit, tmp_path, monkeypatch):
    weights = tmp_path / 'weights'
    weights.mkdir()
    shutil.copy(find_motion_weights('vmf_micro'), weights)
    monkeypatch.setattr('mmdualformer.checkpoints.motion.FOLDER', weights)
    models = ('--model', 'vidtr_micro', '--model', 'vmf_micro')
    result, _ = fit('--epochs', 1, '--batch-size', 2, '--try', 2, *models)
    assert result.returncode == 0, result.stderr
    assert 'warning: vidtr_micro starts from random weights' in result.stdout
    assert 'vmf_micro starts from random' not in result.stdout
    assert 'try 1 of 2: vidtr_micro, lr' in result.stdout and 'try 2 of 2: vmf_micro, lr' in result.stdout
    starts = [Config.fromfile(tmp_path / f'work/try_{i}/config.py').load_from for i in (1, 2)]
    assert starts == [None, str(tmp_path / 'work/models/vmf_micro/start.pth')]
    path = os.path.relpath(REPO / 'configs/own_videos/vidtr_micro.py', tmp_path)
    assert fit('--resume', '--model', path, *models[2:])[0].returncode == 0  # another way to write the same
    assert_one_line(fit('--resume', *models[2:])[0], "--model ['vmf_micro'] is not what the run in 'work' was begun")


def test_two_tries_of_real_clips(fork_tool, folder, tmp_path, monkeypatch):
    """With the tools in forks of this process, which has imported everything already."""

    def run(command, **_):
        pid = fork()
        if pid == 0:
            be_tool(tmp_path, [f'tools/{command[3]}.py', *command[4:]], [1, 2])
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    monkeypatch.setattr(processes, 'run', run)
    options = ('--epochs', 1, '--batch-size', 2, '--workers', 0, '--test-share', 0.25, '--no-flip')
    result = fork_tool('tools/fit.py', folder, '--work-dir', 'work', '--try', 2, *options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert '4 videos to train, 2 to validate, 2 to test' in result.stdout
    assert 'too high' not in result.stdout
    assert result.stdout.count('epoch 1/1  loss') == 2 and result.stdout.count('\ntest  ') == 1
    rows = json.loads((tmp_path / 'work/tries.json').read_text())
    assert {row['try'] for row in rows} == {1, 2} and not any(row['exit_status'] for row in rows)
    assert rows[0]['value'] >= rows[1]['value'] and {row['value'] for row in rows} <= {0, 0.5, 1}
    best = f'work/{rows[0]["work_dir"]}'
    assert f'testing {tmp_path / best}/epoch_1.pth' in result.stdout
    assert result.stdout.splitlines()[-1].endswith(f'{best}/epoch_1.pth VIDEO')
    meta = torch.load(tmp_path / best / 'epoch_1.pth', weights_only=True)['meta']['dataset_meta']
    assert meta == dict(classes=['jump', 'swim'], clip_seconds=1.2)  # 18 frames at 15 a second
    for i in (1, 2):
        cfg = Config.fromfile(tmp_path / f'work/try_{i}/config.py')
        assert cfg.train_dataloader.dataset.ann_file == str(tmp_path / 'work/lists/train.txt')
        row = next(row for row in rows if row['try'] == i)
        assert cfg.load_from == str(tmp_path / f'work/models/{row["model"]}/start.pth')
        assert cfg.optim_wrapper.optimizer.lr == row['lr']
