"""What MMEngine's and MMAction2's users switch on in a config, by our tools."""

import pickle
from pathlib import Path

import torch
from mmengine.config import Config

from tests.helpers import REPO, assert_one_line

CONFIG = REPO / 'configs/dualformer_micro_motion.py'


def write_config(folder: Path, root: Path, text: str = '') -> Path:
    """The quick start's config, whose loaders are to have workers that stay, without workers."""
    config = folder / 'config.py'
    config.write_text(f"""
_base_ = {str(CONFIG)!r}
loader = dict(num_workers=0, persistent_workers=True, prefetch_factor=2, dataset=dict(data_root={str(root)!r}))
train_dataloader = val_dataloader = test_dataloader = loader
train_cfg = dict(max_epochs=4)
{text}
""")
    return config


def test_hooks_wrappers_metrics_and_backends(fork_tool, motion_root, tmp_path):
    config = write_config(
        tmp_path,
        motion_root,
        f"""
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='EMAHook', momentum=0.5),
    dict(type='EarlyStoppingHook', monitor='acc/top1', patience=1, min_delta=2.0)]
optim_wrapper = dict(accumulative_counts=2)
visualizer = dict(vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])
val_evaluator = test_evaluator = [_base_.val_evaluator, dict(type='ConfusionMatrix')]
train_dataloader = dict(num_workers=0, persistent_workers=True, dataset=dict(
    _delete_=True, type='ClassBalancedDataset', oversample_thr=0.5,
    dataset={{**_base_.train_dataloader.dataset, 'data_root': {str(motion_root)!r}}}))
""",
    )
    result = fork_tool('tools/train.py', config, '--work-dir', 'work')
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert 'the monitored metric did not improve in the last 1 records' in output
    assert not (tmp_path / 'work/epoch_4.pth').exists()
    checkpoint = torch.load(tmp_path / 'work/epoch_2.pth', weights_only=True)
    weights, averages = checkpoint['state_dict'], checkpoint['ema_state_dict']
    assert averages['steps'] == 8  # 32 clips an epoch: each class twice as often
    assert any(not weights[name].equal(averages[f'module.{name}']) for name in weights)
    assert {int(state['step']) for state in checkpoint['optimizer']['state'].values()} == {4}
    assert list((tmp_path / 'work').glob('*/vis_data/events.out.tfevents.*'))
    result = fork_tool('tools/test.py', config, 'work/epoch_2.pth', '--work-dir', 'work')
    output = result.stdout + result.stderr
    matrix = output.rpartition('confusion_matrix/result')[2].partition('data_time')[0]
    assert result.returncode == 0 and sum(map(int, filter(str.isdigit, matrix))) == 8, output


def test_pictures_without_the_hook_or_a_visualizer(fork_tool, motion_root, tmp_path):
    config = write_config(tmp_path, motion_root)
    cfg = Config.fromfile(config)
    for key in ('default_hooks', 'visualizer', 'vis_backends', 'custom_hooks'):
        cfg.pop(key)
    cfg.dump(tmp_path / 'bare.py')
    result = fork_tool('tools/train.py', config, '--work-dir', 'work', '--cfg-options', 'train_cfg.max_epochs=1')
    assert result.returncode == 0, result.stderr
    result = fork_tool('tools/test.py', 'bare.py', 'work/epoch_1.pth', '--show-dir', 'shown')
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / 'shown').iterdir())) == 8

    features = ('--cfg-options', 'model.test_cfg.feature_extraction=True')
    test = ('tools/test.py', config, 'work/epoch_1.pth')
    for dtype in ('float32', 'bfloat16'):
        result = fork_tool(*test, '--dump', f'{dtype}.pkl', '--dtype', dtype, *features)
        assert result.returncode == 0, result.stderr
    exact, rough = (
        torch.stack(pickle.loads((tmp_path / f'{name}.pkl').read_bytes())) for name in ('float32', 'bfloat16')
    )
    assert exact.shape == (8, 128)
    assert 0 < (exact - rough).abs().max() < 0.1 * exact.abs().max()
    assert_one_line(fork_tool(*test, *features), '--dump FILE.pkl')
    assert_one_line(fork_tool('tools/train.py', config, *features), 'feature_extraction=True gives no predictions')


def test_batch_normalisation_is_folded(fork_tool, motion_root, tmp_path):
    config = write_config(tmp_path, motion_root)
    settings = ('--cfg-options', 'train_cfg.max_epochs=1', 'model.backbone.frozen_stages=0')
    cfg = REPO / 'configs/vmf_micro_motion.py'
    config.write_text(config.read_text().replace(str(CONFIG), str(cfg)))
    for runner in ([], ['runner_type=FlexibleRunner']):
        result = fork_tool(
            'tools/train.py',
            config,
            '--work-dir',
            f'work{len(runner)}',
            *settings,
            'efficient_conv_bn_eval=[backbone]',
            *runner,
        )
        assert result.returncode == 0, result.stdout + result.stderr
    first, second = (torch.load(tmp_path / f'work{i}/epoch_1.pth', weights_only=True)['state_dict'] for i in (0, 1))
    assert all(value.equal(second[name]) for name, value in first.items())
    result = fork_tool('tools/train.py', config, *settings, 'efficient_conv_bn_eval=[bakbone]')
    assert_one_line(result, "efficient_conv_bn_eval=['bakbone'] must name modules of the model")
