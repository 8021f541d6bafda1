"""Runs of fit that are stopped and go on."""

import importlib.util
import json
import os
import shutil
import signal

import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine.config import Config

from mmdualformer import processes
from tests.helpers import REPO, assert_one_line, write_state_of_training
from tests.running import Running

CONFIG = REPO / 'configs/dualformer_micro_motion.py'


@pytest.fixture
def fit(folder, fork_tool, tmp_path, monkeypatch):
    """Run fit with tools that only note how they are called, and end as the file ``status`` says."""

    def note(command, **_):
        with open(tmp_path / 'calls', 'a') as file:
            print(*command[3:], file=file)
        (tmp_path / 'work/epoch_1.pth').touch()
        (tmp_path / 'work/best_acc_top1_epoch_1.pth').touch()
        status = tmp_path / 'status'
        return int(status.read_text()) if status.exists() else 0

    monkeypatch.setattr(processes, 'run', note)

    def run(*arguments, status=0):
        (tmp_path / 'calls').unlink(missing_ok=True)
        (tmp_path / 'status').write_text(str(status))
        result = fork_tool('tools/fit.py', folder, '--work-dir', 'work', '--workers', 0, *arguments)
        calls = (tmp_path / 'calls').read_text().splitlines() if (tmp_path / 'calls').exists() else []
        return result, calls

    return run


BEGIN = ('--model', CONFIG, '--epochs', 2, '--batch-size', 2)
TRAIN, TEST = 'train work/config.py', 'test work/config.py work/best_acc_top1_epoch_1.pth --report work/report'


def test_a_run_goes_on_as_it_was_begun(fit, folder, tmp_path):
    result, calls = fit('--resume', *BEGIN)
    assert_one_line(result, "--resume: work dir 'work' holds no run to go on with", 'leave --resume out')
    result, calls = fit(*BEGIN, status=143)
    assert result.returncode == 143 and calls == [TRAIN]
    kept = {path: path.read_bytes() for path in (tmp_path / 'work').rglob('*.*') if path.suffix != '.lock'}
    assert {path.name for path in kept} >= {'config.py', 'fit.json', 'train.txt', 'val.txt', 'label_map.txt'}

    result, calls = fit(*BEGIN)
    resume = f"fit.py '{folder}' --work-dir work --resume"
    assert_one_line(result, "work dir 'work' holds a run already", resume, 'or choose another --work-dir')
    for options, words in (
        (('--epochs', 3), "--epochs 3 is not what the run in 'work' was begun with, 2"),
        (('--batch-size=1',), "--batch-size 1 is not what the run in 'work' was begun with, 2"),
        (('--cfg-options', 'randomness.seed=1'), "--cfg-options {'randomness.seed': 1} is not what"),
    ):
        result, calls = fit('--resume', *options)
        assert_one_line(result, words, 'leave it out to go on, or choose another --work-dir')
        assert calls == []
    (folder / 'swim' / 'later.mp4').write_bytes(next(folder.glob('jump/*')).read_bytes())
    result, calls = fit('--resume')  # the defaults of what is not given are not those of the run
    assert result.returncode == 0 and calls == [f'{TRAIN} --resume', TEST]
    assert all(path.read_bytes() == content for path, content in kept.items() if path.name != 'fit.json')

    result, calls = fit('--resume', *BEGIN)
    assert 'the training has come to its end already' in result.stdout and calls == [TEST]
    result, calls = fit('--resume', status=130)
    assert result.returncode == 130 and result.stderr.endswith(f'{resume} goes on with the run\n')


def test_the_same_files_may_be_named_in_another_way(fit, tmp_path, monkeypatch):
    torch.save(dict(state_dict=init_recognizer(str(CONFIG), device='cpu').state_dict()), tmp_path / 'a.pth')
    result, calls = fit(*BEGIN, '--checkpoint', 'a.pth', status=143)
    assert result.returncode == 143 and calls == [TRAIN], result.stderr
    same = ('--model', os.path.relpath(CONFIG, tmp_path), '--checkpoint', tmp_path / 'x/../a.pth')
    result, calls = fit('--resume', *same, status=143)
    assert calls == [f'{TRAIN} --resume'], result.stderr
    for options in (('--checkpoint', 'b.pth'), ('--model', 'vmf_micro')):
        assert_one_line(fit('--resume', *options)[0], f'{options[0]} ', 'is not what the run')


def test_a_run_goes_on_from_another_folder(fit, folder, tmp_path):
    shutil.copytree(folder, tmp_path / 'more' / 'videos')
    for video in sorted((tmp_path / 'more' / 'videos').glob('*/*'))[1:-1]:
        video.unlink()
    result, calls = fit('--epochs', 2, '--batch-size', 2, '--val', 'more/videos', status=143)
    assert calls == [TRAIN], result.stderr
    cfg = Config.fromfile(tmp_path / 'work/config.py')
    assert cfg.work_dir == str(tmp_path / 'work') and cfg.load_from == str(tmp_path / 'work/start.pth')
    for name in ('train', 'val', 'test'):
        assert cfg[f'{name}_dataloader'].dataset.ann_file == str(tmp_path / f'work/lists/{name}.txt')
    result, calls = fit('--resume', '--val', tmp_path / 'more/videos')  # the same, by its whole path
    assert result.returncode == 0 and calls == [f'{TRAIN} --resume', TEST], result.stderr


def test_a_job_that_slurm_starts_again_goes_on(fit, monkeypatch):
    monkeypatch.setenv('SLURM_RESTART_COUNT', '1')
    result, calls = fit(*BEGIN, status=1)  # nothing was written before
    assert result.returncode == 1 and calls == [TRAIN], result.stderr
    result, calls = fit(*BEGIN)
    assert result.returncode == 0 and calls == [f'{TRAIN} --resume', TEST]


def test_folds_one_at_a_time_come_to_one_table(fit, tmp_path):
    def test_has_ended(fold):
        work_dir = tmp_path / f'work/fold_{fold}/20260101_000000'
        work_dir.mkdir(parents=True)
        (work_dir / '20260101_000000.json').write_text(json.dumps({'acc/top1': fold / 4}))
        write_state_of_training(work_dir.parent / 'epoch_2.pth', 2)

    begin = (*BEGIN, '--folds', 2)
    (tmp_path / 'work').mkdir()
    result, calls = fit(*begin, '--fold', 1, status=143)
    assert calls == ['train work/fold_1/config.py'], result.stderr
    assert '--fold 1 --resume goes on with the run' in result.stderr
    test_has_ended(1)
    (tmp_path / 'work/epoch_1.pth').unlink()  # of the tools that only note
    (tmp_path / 'work/best_acc_top1_epoch_1.pth').unlink()
    result, calls = fit(*begin)
    assert_one_line(result, "'work' holds checkpoints of another run, in 'work/fold_1'; choose another --work-dir")
    assert not calls
    result, calls = fit('--fold', 1, '--resume')
    assert 'fold_1 of 2\n' in result.stdout and len(calls) == 2 and 'mean' not in result.stdout
    test_has_ended(2)
    (tmp_path / 'work/fold_2/epoch_2.pth').rename(tmp_path / 'kept')
    result, calls = fit(*begin, '--fold', 2, status=143)
    assert calls == ['train work/fold_2/config.py'], result.stderr
    (tmp_path / 'kept').rename(tmp_path / 'work/fold_2/epoch_2.pth')
    result, calls = fit('--fold', 2, '--resume')
    assert result.returncode == 0 and '0.3750' in result.stdout, result.stderr
    assert json.loads((tmp_path / 'work/folds.json').read_text())['acc/top1']['values'] == [0.25, 0.5]


def test_the_config_shows_the_run_and_writes_curves(fit, folder, tmp_path, monkeypatch):
    result, _ = fit(*BEGIN, '--tensorboard')
    assert result.returncode == 0 and 'the curves: tensorboard --logdir work\n' in result.stdout
    cfg = Config.fromfile(tmp_path / 'work/config.py')
    assert cfg.runner_type == 'QuietRunner' and cfg.default_hooks.progress.type == 'ProgressHook'
    assert cfg.default_hooks.interruption.resume_with.endswith(f"fit.py '{folder}' --work-dir work --resume")
    assert [backend.type for backend in cfg.visualizer.vis_backends] == ['LocalVisBackend', 'TensorboardVisBackend']
    assert json.loads((tmp_path / 'work/fit.json').read_text())['arguments']['epochs'] == 2

    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None if name == 'tensorboard' else find_spec(name))
    shutil.rmtree(tmp_path / 'work')
    result, calls = fit(*BEGIN, '--tensorboard')
    assert_one_line(result, '--tensorboard needs the package tensorboard: pip install "mmdualformer[tensorboard]"')
    assert not calls and not (tmp_path / 'work').exists()


@pytest.mark.slow
def test_a_run_that_is_stopped_and_killed_comes_to_its_end(folder, tmp_path):
    """With real signals, and curves for TensorBoard."""
    options = ('--model', CONFIG, '--epochs', 2, '--batch-size', 1, '--workers', 0, '--tensorboard')

    def fit(name, *arguments):
        return Running(tmp_path / name, 'tools/fit.py', folder, '--work-dir', tmp_path / 'work', *arguments)

    runs = [fit('stopped', *options)]
    try:
        runs[0].wait_for('clips/s')
        runs[0].send(signal.SIGTERM)
        assert runs[0].end() == 143
        (line,) = (line for line in runs[0].stderr.splitlines() if 'stopped' in line)
        assert line.startswith(f'stopped by SIGTERM; {tmp_path}/work/') and ' holds all that was trained, and ' in line
        assert line.endswith(f"fit.py '{folder}' --work-dir {tmp_path}/work --resume goes on from it")
        config = (tmp_path / 'work/config.py').read_bytes()
        runs.append(fit('killed', '--resume'))
        runs[1].wait_for('clips/s')
        runs[1].send(signal.SIGKILL)
        assert runs[1].end() == -signal.SIGKILL
        runs.append(fit('ended', '--resume', *options))
        assert runs[2].end() == 0, runs[2].output
    finally:
        for run in runs:
            run.kill()
    lines = runs[2].outputs[0].read_text().splitlines()
    assert any(line.startswith('epoch 2/2  loss') and ' took ' in line for line in lines)
    assert lines[-2].endswith('holds the model and the names of its classes:')
    assert (tmp_path / 'work/config.py').read_bytes() == config and (tmp_path / 'work/epoch_2.pth').exists()
    assert list((tmp_path / 'work').glob('*/vis_data/events.out.tfevents.*'))
