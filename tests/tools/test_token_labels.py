"""Token labelling as its user runs it: with the teacher, and from its labels on disk."""

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.datasets.token_labels import label_file
from mmdualformer.models import TokenTeacher
from tests.helpers import REPO, assert_one_line


@pytest.fixture
def config(tmp_path):
    """A student of the quick start's size whose teacher is another one, both on the 64 x 64 frames of its clips."""
    torch.manual_seed(0)
    cfg = Config.fromfile(REPO / 'configs/dualformer_micro_motion.py')
    init_default_scope('mmaction')
    model = MODELS.build(cfg.model)
    for parameter in model.cls_head.parameters():
        torch.nn.init.normal_(parameter)  # of clear opinions
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'teacher.pth')
    path = tmp_path / 'student.py'
    path.write_text(f"""
_base_ = '{REPO / 'configs/dualformer_micro_motion.py'}'
model = dict(
    type='TokenLabelRecognizer3D',
    teacher=dict(config='{REPO / 'configs/dualformer_micro_motion.py'}', checkpoint='teacher.pth'),
    cls_head=dict(type='TokenLabelHead'))
""")
    return path


def test_training_with_a_teacher_in_two_processes(run_tool, fork_tool, config, data_options, tmp_path):
    work_dir = tmp_path / 'work'
    result = run_tool('tools/dist_train.sh', config, 2, '--work-dir', work_dir, '--amp', '--cfg-options', *data_options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'loss_token: ' in result.stdout + result.stderr
    checkpoint = torch.load(work_dir / 'epoch_1.pth')
    assert not [name for name in checkpoint['state_dict'] if 'teacher' in name]

    (tmp_path / 'teacher.pth').unlink()
    result = fork_tool(
        'tools/test.py', config, work_dir / 'epoch_1.pth', '--work-dir', work_dir, '--cfg-options', *data_options
    )
    assert result.returncode == 0, result.stdout + result.stderr
    result = run_tool('tools/dist_train.sh', config, 2, '--work-dir', work_dir, '--cfg-options', *data_options)
    assert_one_line(result, "model.teacher.checkpoint: checkpoint 'teacher.pth' does not exist")


def test_training_from_labels_on_disk(fork_tool, config, data_options, motion_root, tmp_path):
    command = (
        'tools/write_token_labels.py',
        config,
        '--out',
        tmp_path / 'labels',
        '--num-labels',
        8,
        '--short-side',
        64,
        '--workers',
        0,
        '--cfg-options',
        *data_options,
    )
    result = fork_tool(*command)
    assert result.returncode == 0, result.stdout + result.stderr
    files = sorted((tmp_path / 'labels').rglob('*.npz'))
    assert len(files) == 16

    # the labels of a whole clip are the teacher's logits on it
    cfg = Config.fromfile(config)
    pipeline = [
        *cfg.train_pipeline[:3],
        dict(type='LoadTokenLabels', root=str(tmp_path / 'labels'), num_classes=8, map_size=(9, 4, 4)),
        *cfg.train_pipeline[5:-1],
        dict(type='PackActionInputs', algorithm_keys=('token_logits',)),
    ]
    init_default_scope('mmaction')
    dataset = DATASETS.build({**cfg.train_dataloader.dataset, 'data_root': str(motion_root), 'pipeline': pipeline})
    data = dataset[3]
    teacher = TokenTeacher(str(REPO / 'configs/dualformer_micro_motion.py'), str(tmp_path / 'teacher.pth'))
    expected = torch.nn.functional.adaptive_avg_pool3d(teacher(data['inputs'].float())[0], (9, 4, 4))
    torch.testing.assert_close(data['data_samples'].token_logits, expected, rtol=5e-3, atol=5e-3)

    # a run goes on where it stopped
    files[0].unlink()
    written = np.load(files[1])['logits']
    assert fork_tool(*command).returncode == 0
    assert files[0].exists()
    np.testing.assert_array_equal(np.load(files[1])['logits'], written)

    offline = tmp_path / 'offline.py'
    offline.write_text(f"""
_base_ = '{config}'
model = dict(teacher=None)
train_pipeline = [
    *_base_.train_pipeline[:-1],
    dict(type='LoadTokenLabels', root='labels', num_classes=8, map_size=(9, 4, 4)),
    dict(type='PackActionInputs', algorithm_keys=('token_logits', ))
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
""")
    (tmp_path / 'teacher.pth').unlink()
    result = fork_tool('tools/train.py', offline, '--work-dir', tmp_path / 'work', '--cfg-options', *data_options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'loss_token: ' in result.stdout + result.stderr

    for file in files:
        file.unlink()
    options = [*data_options, 'train_dataloader.num_workers=1']
    result = fork_tool('tools/train.py', offline, '--work-dir', tmp_path / 'work', '--cfg-options', *options)
    assert_one_line(result, 'has no token labels: there is no')


def test_broken_videos_are_named_and_the_others_labelled(fork_tool, config, data_options, motion_root, tmp_path):
    lines = (motion_root / 'train.txt').read_text().splitlines()[:2]
    (tmp_path / 'clips').mkdir()
    (tmp_path / 'clips' / 'broken.mp4').write_bytes(b'no video')
    good = (motion_root / 'videos_train' / lines[0].split()[0]).read_bytes()
    (tmp_path / 'clips' / 'good.mp4').write_bytes(good)
    (tmp_path / 'list.txt').write_text('broken.mp4 0\ngood.mp4 1\n')
    options = [
        *data_options,
        f'train_dataloader.dataset.ann_file={tmp_path}/list.txt',
        f'train_dataloader.dataset.data_prefix.video={tmp_path}/clips',
    ]
    result = fork_tool(
        'tools/write_token_labels.py', config, '--out', tmp_path / 'labels', '--workers', 0, '--cfg-options', *options
    )
    assert_one_line(result, '1 videos could not be read')
    assert 'skipped ' in result.stdout and 'broken.mp4' in result.stdout
    assert label_file(tmp_path / 'labels', tmp_path / 'clips/good.mp4').exists()


def test_a_config_without_a_teacher_is_refused(fork_tool):
    result = fork_tool('tools/write_token_labels.py', REPO / 'configs/dualformer_t_k400.py', '--out', 'labels')
    assert_one_line(result, 'has no model.teacher')
