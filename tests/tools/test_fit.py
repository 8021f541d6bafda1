import re
import runpy
import shutil
from contextlib import nullcontext
from pathlib import Path

import mmaction
import psutil
import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine.config import Config

from mmdualformer.configs import merge_options
from mmdualformer.datasets.own_videos import find_videos, write_training_lists
from mmdualformer.errors import UserError
from mmdualformer.finetuning import Run, check_config, check_finetuning, find_batch_size, finetuning_config, set_batch
from mmdualformer.finetuning.session import run_tool
from tests.helpers import REPO, assert_one_line, write_state_of_training

CONFIG = REPO / 'configs/dualformer_micro_motion.py'


@pytest.fixture
def folder(motion_root, tmp_path):
    """Two classes of six clips, with a copy in both."""
    clips = sorted(motion_root.glob('videos_train/*.mp4'))
    for i, clip in enumerate(clips[:12]):
        place = tmp_path / 'my videos' / ('swim' if i % 2 else 'long jump')
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, place)
    shutil.copy(clips[0], tmp_path / 'my videos' / 'swim')
    return tmp_path / 'my videos'


def test_from_a_folder_to_predictions_with_names(run_tool, fork_tool, folder, tmp_path):
    torch.save(dict(state_dict=init_recognizer(str(CONFIG), device='cpu').state_dict()), tmp_path / 'pretrained.pth')
    (folder / 'swim' / 'broken.mp4').write_text('no video')
    (folder / 'swim' / 'notes.txt').touch()
    result = run_tool(
        'tools/fit.py',
        folder,
        '--model',
        CONFIG,
        '--checkpoint',
        'pretrained.pth',
        '--epochs',
        1,
        '--work-dir',
        'work',
        '--cfg-options',
        'train_dataloader.num_workers=0',
        'val_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
        'val_dataloader.persistent_workers=False',
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert '2 classes: long jump, swim; 11 videos to train, 2 to test' in output
    assert 'left out: 1 .txt\n' in output
    assert 'left out, as it cannot be read' in output and 'broken.mp4' in output
    assert 'warning: the same video in several classes' in output
    assert re.search(r'^epoch 1/1, step 1/.*left$', output, re.MULTILINE)
    assert re.search(r'^epoch 1/1 .* val .* \(. of 2\)  best .* \(epoch 1\)  took', output, re.MULTILINE)
    assert re.search(r'^test  .* \(. of 2\)  top5 100.0 %', output, re.MULTILINE)
    assert 'INFO' not in output and 'train_pipeline = ' not in output
    logs = [path.read_text() for path in sorted((tmp_path / 'work').glob('*/*.log'))]
    assert 'train_pipeline = ' in logs[0] and f'Load checkpoint from {tmp_path}/work/start.pth' in logs[0]
    assert re.search(r'Epoch\(test\).*acc/top1', logs[1])
    assert 'start: pretrained.pth is' in output

    cfg = Config.fromfile(tmp_path / 'work/config.py')
    assert cfg.model.cls_head.num_classes == 2
    assert cfg.train_dataloader.batch_size >= 2  # there is room for more than one
    checkpoint = tmp_path / 'work/epoch_1.pth'  # the last, as nothing is to be chosen on what is tested
    result = fork_tool('tools/recognize.py', checkpoint, next(folder.glob('*/*.mp4')))
    assert result.returncode == 0, result.stderr
    assert 'long jump' in result.stdout and 'swim' in result.stdout


def test_what_cannot_be_trained_on_is_one_line(fork_tool, folder, tmp_path):
    fit = ('tools/fit.py', folder, '--work-dir', tmp_path / 'work')
    assert_one_line(fork_tool(*fit, '--model', 'dualformer_x'), "--model 'dualformer_x' is unknown", 'dualformer_t')
    assert_one_line(fork_tool(*fit, '--checkpoint', 'no.pth'), "--checkpoint 'no.pth' does not exist")
    for name in ('epochs', 'batch-size'):
        assert_one_line(fork_tool(*fit, f'--{name}', 0), f'--{name} 0 must be at least 1', status=2)
    assert_one_line(fork_tool(*fit, '--val-share', 1.0), '--val-share 1.0 must be between 0 and 1')
    for video in sorted(folder.glob('*/*'))[1:-1]:
        video.unlink()
    assert_one_line(fork_tool(*fit), 'has one video of each class')
    for video in folder.glob('swim/*'):
        video.unlink()
    assert_one_line(fork_tool(*fit), "class 'swim' has no video")
    (folder / 'swim').rmdir()
    assert_one_line(fork_tool(*fit), 'has 1 classes (long jump)')


def test_what_does_not_fit_is_said_before_videos_are_read(fork_tool, folder, tmp_path):
    fit = ('tools/fit.py', folder, '--work-dir', tmp_path / 'work')
    configs = REPO / 'configs'
    assert_one_line(fork_tool(*fit, '--model', configs / 'dualformer_t_in1k.py'), 'is not for videos', 'ImageFolder')
    torch.save(dict(state_dict={'backbone.weight': torch.zeros(1)}), tmp_path / 'other.pth')
    fit = (*fit, '--model', CONFIG)
    assert_one_line(fork_tool(*fit, '--checkpoint', 'other.pth'), "'other.pth' is of another architecture")
    assert_one_line(fork_tool(*fit, '--cfg-options', 'model.backbone.type.x=1'), 'model.backbone.type.x=1 does not fit')
    assert not (tmp_path / 'work').exists()
    options = ('--batch-size', 2, '--workers', 0, '--cfg-options', 'model.cls_head.in_channels=7')
    for given in (options, options[2:]):
        result = fork_tool(*fit, *given)
        assert_one_line(result, '--cfg-options model.cls_head.in_channels=7 make a model or data that cannot be used: ')


def test_the_last_epoch_is_tested_unless_one_was_kept_as_the_best(tmp_path):
    write_state_of_training(tmp_path / 'epoch_2.pth', 20)
    assert Run(tmp_path).find_checkpoint() == str(tmp_path / 'epoch_2.pth')
    (tmp_path / 'best_acc_top1_epoch_1.pth').touch()
    assert Run(tmp_path).find_checkpoint() == str(tmp_path / 'best_acc_top1_epoch_1.pth')


def test_a_tool_that_fails_ends_the_run():
    tool = ('make-motion-clips', '--no-such-option')
    with pytest.raises(SystemExit, match=r'^2$'):
        run_tool(*tool, gpus=1)
    assert run_tool(*tool, gpus=1, may_fail=True) == 2


def test_each_folder_has_its_own_work_dir(tmp_path):
    default_work_dir = runpy.run_path(str(REPO / 'tools/fit.py'))['default_work_dir']
    for name in ('my.videos', 'my.clips'):
        (tmp_path / name).mkdir()
        assert default_work_dir(tmp_path / name) == Path('work_dirs', f'fit_{name}')
    assert default_work_dir(tmp_path / 'list.csv') == Path('work_dirs/fit_list')


@pytest.mark.parametrize(
    'model',
    [
        'vidtr_l_charades',
        'dualformer_t_ucf101',
        'vidtr_s_k400',
        'vmf_1g_k400',
        'dualformer_t_k400_tokenlabel',
        'cvidtr_micro_motion',
    ],
)
def test_configs_for_videos_fit(model):
    cfg = Config.fromfile(REPO / f'configs/{model}.py')
    check_config(cfg, model)
    check_finetuning(cfg, model, None)


OTHERS = Path(mmaction.__file__).parent / '.mim/configs'  # of MMAction2


@pytest.mark.parametrize(
    ('model', 'words'),
    [
        ('recognition/uniformer/uniformer-base_imagenet1k-pre_16x4x1_kinetics400-rgb', 'has no train_pipeline'),
        ('localization/bmn/bmn_2xb8-400x100-9e_activitynet-feature', 'has no model.backbone'),
        ('detection/slowonly/slowonly_kinetics400-pretrained-r50_8xb16-4x16x1-20e_ava21-rgb', 'has no model.cls_head'),
        ('recognition/tsn/tsn_imagenet-pretrained-r50_8xb32_5x1x3-110e_kinetics400-flow', "not for videos.*'RawframeD"),
        ('recognition/slowfast/slowfast_r50_8xb8-8x8x1-256e_kinetics400-rgb', '--cfg-options auto_scale_lr.base_ba'),
        ('recognition/tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb', None),
        ('recognition/mvit/mvit-small-p244_32xb16-16x4x1-200e_kinetics400-rgb', None),
    ],
)
def test_configs_of_mmaction2_fit_or_it_is_said_why_not(model, words):
    cfg = Config.fromfile(OTHERS / f'{model}.py')
    with pytest.raises(UserError, match=f"--model 'theirs' .*{words}") if words else nullcontext():
        check_config(cfg, 'theirs')
        check_finetuning(cfg, 'theirs', None)


@pytest.fixture
def cfg(folder, tmp_path):
    found = find_videos(folder)
    write_training_lists(tmp_path / 'lists', found.classes, found.videos, found.videos)
    return finetuning_config(Config.fromfile(CONFIG), tmp_path / 'lists', epochs=3, checkpoint=None, num_workers=0)


def test_the_config_is_one_for_these_videos(cfg, tmp_path):
    assert cfg.model.cls_head.num_classes == 2 and cfg.train_cfg.max_epochs == 3
    assert cfg.default_hooks.checkpoint.max_keep_ckpts == 1
    for name in ('train', 'val', 'test'):
        loader = cfg[f'{name}_dataloader']
        assert loader.dataset.ann_file == str(tmp_path / 'lists' / f'{name}.txt')
        assert loader.dataset.test_mode is (name != 'train')
        assert not loader.persistent_workers  # PyTorch refuses it without workers


@pytest.mark.parametrize(
    ('batch', 'videos', 'processes', 'periods'),
    [
        (8, 100, 2, [(0, 2), (2, 21)]),
        (64, 10, 1, [(0, 1), (1, 3)]),
        (16, 177, 1, [(0, 3), (3, 33)]),  # the last clip of an epoch alone is left out
        (16, 180, 1, [(0, 3), (3, 36)]),
    ],
)
def test_the_schedule_follows_the_batch(cfg, batch, videos, processes, periods):
    set_batch(cfg, batch, videos, processes)
    assert [(step.begin, step.end) for step in cfg.param_scheduler] == periods
    assert cfg.auto_scale_lr.enable and cfg.auto_scale_lr.base_batch_size == 16
    assert cfg.train_dataloader.drop_last == (videos == 177)


@pytest.mark.parametrize('model', ['own_videos/vmf_micro', 'dualformer_t_k400', 'vmf_1g_k400'])
def test_options_of_the_schedule_fit_before_it_is_made_and_after(model):
    cfg = Config.fromfile(REPO / f'configs/{model}.py')
    for _ in range(2):
        merge_options(cfg, {'param_scheduler.1.eta_min': 1e-5}, model)
        assert cfg.param_scheduler[1].type == 'CosineAnnealingLR' and cfg.param_scheduler[1].eta_min == 1e-5
        set_batch(cfg, 8, 100, 1)


def test_one_iteration_is_a_schedule_too(cfg):
    cfg.train_cfg.max_epochs = 1
    set_batch(cfg, 8, 8, 1)
    assert [(step.begin, step.end) for step in cfg.param_scheduler] == [(0, 1)]


@pytest.mark.skipif(torch.cuda.is_available(), reason='on a GPU its own memory counts')
def test_the_batch_follows_the_memory(cfg, monkeypatch):
    assert [find_batch_size(cfg, limit) for limit in (5, 0)] == [5, 1]
    monkeypatch.setattr(psutil, 'virtual_memory', lambda: type('Memory', (), dict(available=1)))
    assert find_batch_size(cfg, limit=64) == 1


@pytest.mark.parametrize('config', ['vmf_micro_motion', 'vidtr_micro_motion', 'cvidtr_micro_motion'])
def test_every_family_trains_on_a_single_clip(folder, tmp_path, config):
    """The batch may come to one clip, and so may the last of an epoch."""
    found = find_videos(folder)
    write_training_lists(tmp_path / 'lists', found.classes, found.videos, found.videos)
    cfg = Config.fromfile(REPO / f'configs/{config}.py')
    cfg = finetuning_config(cfg, tmp_path / 'lists', epochs=1, checkpoint=None, num_workers=0)
    assert find_batch_size(cfg, limit=1) == 1
