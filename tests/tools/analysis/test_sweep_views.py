import csv
import runpy

import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine.config import Config

from tests.helpers import REPO, assert_one_line

CONFIG = REPO / 'configs/dualformer_micro_motion.py'


def test_views_of_one_checkpoint(fork_tool, data_options, tmp_path):
    # ThreeCrop crops along the long side only
    step = 'test_dataloader.dataset.pipeline.'
    options = [*data_options, f'{step}1.clip_len=9', f'{step}3.scale=(48,32)', f'{step}3.keep_ratio=False']
    torch.save(dict(state_dict=init_recognizer(str(CONFIG), device='cpu').state_dict()), tmp_path / 'model.pth')
    command = (
        'tools/analysis/sweep_views.py',
        CONFIG,
        'model.pth',
        '--work-dir',
        tmp_path / 'work',
        '--clips',
        1,
        2,
        '--cfg-options',
        *options,
    )
    result = fork_tool(*command)
    assert result.returncode == 0, result.stdout + result.stderr
    with open(tmp_path / 'work' / 'views.csv') as file:
        rows = list(csv.DictReader(file))
    assert [(row['clips'], row['crops']) for row in rows] == [('1', '1'), ('1', '3'), ('2', '1'), ('2', '3')]
    one, _, two, six = (float(row['gflops']) for row in rows)
    assert (two, six) == (pytest.approx(2 * one, rel=0.05), pytest.approx(6 * one, rel=0.05))
    assert all(0 <= float(row['top1']) <= float(row['top5']) <= 1 for row in rows)

    # one crop of one clip is what the config's own test gives
    result = fork_tool('tools/test.py', CONFIG, 'model.pth', '--work-dir', tmp_path / 'test', '--cfg-options', *options)
    assert f'acc/top1: {float(rows[0]["top1"]):.4f}' in result.stdout + result.stderr


@pytest.mark.parametrize(('crops', 'step'), [(1, 'CenterCrop'), (3, 'ThreeCrop')])
def test_views_are_set_in_the_pipeline(crops, step):
    cfg = Config.fromfile(REPO / 'configs/dualformer_t_k400.py')
    runpy.run_path(str(REPO / 'tools/analysis/sweep_views.py'))['set_views'](cfg, 8, crops)
    pipeline = cfg.test_dataloader.dataset.pipeline
    assert [part.num_clips for part in pipeline if part.type == 'SampleFrames'] == [8]
    assert [part.type for part in pipeline if part.type.endswith('Crop')] == [step]


def test_a_pipeline_without_views_is_refused(fork_tool, data_options, tmp_path):
    torch.save({}, tmp_path / 'model.pth')
    command = ('tools/analysis/sweep_views.py', CONFIG, 'model.pth', '--cfg-options', *data_options)
    assert_one_line(
        fork_tool(*command, 'test_dataloader.dataset.pipeline.4.type=Resize'),
        'must have SampleFrames and',
        'CenterCrop, ThreeCrop',
    )
    assert_one_line(fork_tool(*command[:3], '--clips', 0), '--clips 0 must be at least 1', status=2)


def test_three_crops_of_frames_that_are_too_large_are_refused_before_any_test(fork_tool, data_options, tmp_path):
    torch.save({}, tmp_path / 'model.pth')
    result = fork_tool('tools/analysis/sweep_views.py', CONFIG, 'model.pth', '--cfg-options', *data_options)
    assert_one_line(result, '--crops 3 needs frames of which a side is crop_size=32', 'Resize(scale=(-1, 40))')
