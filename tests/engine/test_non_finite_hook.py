"""Runs whose numbers are no longer finite."""

import math
import os
import re
import types
from pathlib import Path

import pytest
import torch
from mmaction.apis import init_recognizer
from mmaction.structures import ActionDataSample
from mmengine.config import Config

from mmdualformer.checkpoints.recognizer import describe_recognizer
from mmdualformer.engine import NonFiniteHook
from mmdualformer.errors import UserError
from mmdualformer.finite import find_non_finite_state
from tests.helpers import REPO, assert_one_line

CONFIG = REPO / 'configs/dualformer_micro_motion.py'
# A transform that spoils clips, a hook that spoils weights and one that writes down the weights of each process.
FAULTS = """
import os
from mmaction.registry import HOOKS, METRICS, TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook

@TRANSFORMS.register_module()
class Spoil(BaseTransform):

    def transform(self, results):
        results['imgs'] = results['imgs'].astype('float32')
        if any(name in results['filename'] for name in os.environ.get('SPOILT', '').split()):
            results['imgs'][0, 0, 0, 0, 0] = float('nan')
        return results

@HOOKS.register_module()
class SpoilWeights(Hook):

    def __init__(self, steps, after=False):
        self.steps = steps
        self.after = after

    def spoil(self, runner):
        if runner.iter in self.steps:
            runner.model.cls_head.fc_cls.weight.data[0, 0] = float('inf')

    def before_train_iter(self, runner, batch_idx, data_batch):
        if not self.after:
            self.spoil(runner)

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        if self.after:
            self.spoil(runner)

@HOOKS.register_module()
class WriteHash(Hook):

    def after_train(self, runner):
        with open(f'{runner.work_dir}/hash_{runner.rank}.txt', 'w') as file:
            file.write(str([part.double().sum().item() for part in runner.model.module.state_dict().values()]))

@METRICS.register_module()
class NoMetric(BaseMetric):

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        return dict(accuracy=float('nan'))
"""
FAULTY_CONFIG = f"""
_base_ = '{CONFIG}'
custom_imports = dict(imports=['mmdualformer', 'faults'])
train_pipeline = [*_base_.train_pipeline[:-1], dict(type='Spoil'), _base_.train_pipeline[-1]]
train_dataloader = dict(batch_size=4, dataset=dict(pipeline=train_pipeline))
"""


@pytest.fixture
def train(fork_tool, data_options, tmp_path, monkeypatch):
    """Train for two epochs of four steps; gives the process and the folder."""
    (tmp_path / 'faults.py').write_text(FAULTS)
    (tmp_path / 'faulty.py').write_text(FAULTY_CONFIG)
    monkeypatch.syspath_prepend(tmp_path)

    def run(*options, hooks='', spoilt='', max_epochs=2):
        monkeypatch.setenv('SPOILT', spoilt)
        (tmp_path / 'faulty.py').write_text(FAULTY_CONFIG + f'custom_hooks = [{hooks}]\n')
        result = fork_tool(
            'tools/train.py',
            'faulty.py',
            '--work-dir',
            tmp_path / 'work',
            '--no-validate',
            '--cfg-options',
            *data_options,
            f'train_cfg.max_epochs={max_epochs}',
            'default_hooks.checkpoint.max_keep_ckpts=2',
            *options,
        )
        return result, tmp_path / 'work'

    return run


def clips(motion_root: Path) -> list[str]:
    return sorted(path.name for path in motion_root.glob('videos_train/*.mp4'))


def load(path: Path) -> dict:
    checkpoint = torch.load(path, weights_only=True)
    assert find_non_finite_state(checkpoint) is None
    return checkpoint


def warnings(result) -> list[str]:
    return re.findall(r'WARNING - (the loss or its gradient .*)', result.stdout + result.stderr)


def test_a_bad_clip_is_named_and_its_steps_are_left_out(train, motion_root):
    clip = clips(motion_root)[2]
    result, work_dir = train(spoilt=clip)
    assert result.returncode == 0, result.stdout + result.stderr
    found = warnings(result)
    assert len(found) == 2  # once an epoch
    for epoch, line in enumerate(found, 1):
        assert f'epoch {epoch} is not taken: the input is not finite; the clips are {motion_root}' in line
        assert line.endswith(f'{clip} (label 2)')
    steps = {int(state['step']) for state in load(work_dir / 'epoch_2.pth')['optimizer']['state'].values()}
    assert steps == {6}


def test_bad_steps_in_a_row_end_the_run(train, motion_root):
    result, work_dir = train('default_hooks.non_finite.patience=2', spoilt='.mp4')
    assert_one_line(result, '2 steps in a row to step 2, epoch 1: the input is not finite; the clips are ', ' (label ')
    assert not list(work_dir.glob('*.pth'))


def test_an_epoch_without_a_step_ends_a_run_that_skips(train):
    result, work_dir = train('default_hooks.non_finite.policy=skip', spoilt='.mp4')
    assert_one_line(result, 'not finite in all 4 steps of epoch 1')
    assert len(warnings(result)) == 4 and not list(work_dir.glob('*.pth'))


def test_weights_that_explode_end_the_run_at_once(train):
    result, work_dir = train(hooks="dict(type='SpoilWeights', steps=[1])")
    assert_one_line(
        result, 'the weights are not finite at step 2, epoch 1: cls_head.fc_cls.weight holds NaN or infinity'
    )
    assert not list(work_dir.glob('*.pth'))


@pytest.mark.parametrize('options', [(), ('compile.backend=eager',)], ids=['eager', 'compiled'])
def test_a_learning_rate_that_is_too_large(train, options):
    result, work_dir = train('optim_wrapper.optimizer.lr=1e30', 'param_scheduler=None', *options)
    assert_one_line(result, '3 steps in a row to step 4, epoch 1: backbone.', ' gives values that are not finite; the')
    assert not list(work_dir.glob('*.pth'))


class TestRollBack:
    POLICY = 'default_hooks.non_finite.policy=roll_back'

    def test_the_run_goes_on_from_the_last_checkpoint(self, train):
        result, work_dir = train(self.POLICY, hooks="dict(type='SpoilWeights', steps=[5])")
        output = result.stdout + result.stderr
        assert result.returncode == 0, output
        assert 'the weights are not finite at step 6, epoch 2: cls_head.fc_cls.weight holds NaN or infinity' in output
        assert 'going on from the weights and the optimizer of epoch_1.pth' in output
        after = load(work_dir / 'epoch_2.pth')
        for state in after['optimizer']['state'].values():
            assert int(state['step']) == 4 + 2  # steps 7 and 8
        assert after['meta']['iter'] == 8
        # the schedule is where it would be: the cosine of epochs 2 to 12, an epoch of four steps later
        (rate,) = {group['lr'] for group in after['optimizer']['param_groups']}
        assert rate == pytest.approx(1e-3 * (1 + math.cos(math.pi * 4 / 44)) / 2)

    def test_weights_and_optimizer_are_those_of_the_checkpoint(self, train):
        """When the step after which the run would go on is the last."""
        result, work_dir = train(self.POLICY, hooks="dict(type='SpoilWeights', steps=[7])")
        assert result.returncode == 0, result.stdout + result.stderr
        before, after = load(work_dir / 'epoch_1.pth'), load(work_dir / 'epoch_2.pth')
        for name, tensor in before['state_dict'].items():
            assert torch.equal(tensor, after['state_dict'][name])
        for key, state in before['optimizer']['state'].items():
            assert all(torch.equal(value, after['optimizer']['state'][key][name]) for name, value in state.items())

    def test_what_does_not_help_is_not_done_again(self, train):
        result, _ = train(self.POLICY, hooks="dict(type='SpoilWeights', steps=[4, 6])")
        assert_one_line(result, 'at step 7, epoch 2', 'rolling back to epoch_1.pth has not helped before')

    def test_there_must_be_a_checkpoint(self, train):
        result, _ = train(self.POLICY, hooks="dict(type='SpoilWeights', steps=[2])")
        assert_one_line(result, 'at step 3, epoch 1', 'there is no checkpoint to roll back to')


class TestCheckpoints:
    def test_none_is_written_that_is_not_finite(self, train):
        result, work_dir = train(hooks="dict(type='SpoilWeights', steps=[3], after=True, priority='VERY_HIGH')")
        assert_one_line(result, 'no checkpoint is written of step 4: state_dict.cls_head.fc_cls.weight holds NaN')
        assert not list(work_dir.glob('*.pth'))

    def test_none_is_used_that_is_not_finite(self, fork_tool, data_options, clip_file, tmp_path):
        weights = init_recognizer(str(CONFIG), device='cpu').state_dict()
        weights['backbone.norm.bias'][3] = math.nan
        state = dict(
            optimizer=dict(state={}, param_groups=[]),
            message_hub=dict(log_scalars={}, runtime_info={}, resumed_keys={}),
        )
        meta = dict(epoch=1, iter=4, recognizer=describe_recognizer(Config.fromfile(CONFIG)))
        torch.save(dict(state, state_dict=weights, meta=meta), tmp_path / 'nan.pth')
        settings = ('--work-dir', tmp_path / 'work', '--cfg-options', *data_options)
        for command in (
            ('tools/test.py', CONFIG, 'nan.pth', *settings),
            ('tools/train.py', CONFIG, '--resume', 'nan.pth', *settings),
            ('tools/train.py', CONFIG, *settings, 'load_from=nan.pth'),
            ('tools/analysis/sweep_views.py', CONFIG, 'nan.pth', '--clips', 1, '--crops', 1, *settings),
            ('tools/recognize.py', CONFIG, 'nan.pth', clip_file),
            ('tools/recognize.py', 'nan.pth', clip_file),
        ):
            result = fork_tool(*command)
            assert_one_line(result, "checkpoint 'nan.pth' cannot be used: backbone.norm.bias holds NaN or infinity")
            assert 'nan%' not in result.stdout

    def test_an_optimizer_that_is_not_finite_is_not_resumed(self, train, fork_tool, data_options, tmp_path):
        _, work_dir = train(max_epochs=1)
        checkpoint = load(work_dir / 'epoch_1.pth')
        checkpoint['optimizer']['state'][3]['exp_avg'][0] = math.inf
        torch.save(checkpoint, tmp_path / 'inf.pth')
        result = fork_tool('tools/train.py', CONFIG, '--resume', 'inf.pth', '--cfg-options', *data_options)
        assert_one_line(result, "checkpoint 'inf.pth' cannot be used: optimizer.state.3.exp_avg holds NaN or infinity")

    def test_a_metric_that_is_nan_is_never_the_best(self, train, fork_tool, data_options, tmp_path):
        train(max_epochs=1)
        options = [*data_options, 'val_evaluator.type=NoMetric', 'default_hooks.checkpoint.rule=greater']
        result = fork_tool('tools/train.py', 'faulty.py', '--work-dir', 'nan', '--cfg-options', *options)
        output = result.stdout + result.stderr
        assert result.returncode == 0, output
        assert 'accuracy is nan in the validation of epoch 1' in output
        assert [path.name for path in (tmp_path / 'nan').glob('*.pth')] == ['epoch_1.pth']


def test_scores_that_are_not_finite(fork_tool, data_options, clip_file, tmp_path):
    """Of weights that are."""
    weights = init_recognizer(str(CONFIG), device='cpu').state_dict()
    weights['cls_head.fc_cls.weight'].fill_(3e38)
    torch.save(dict(state_dict=weights), tmp_path / 'huge.pth')
    settings = ('--work-dir', tmp_path / 'work', '--cfg-options', *data_options)
    result = fork_tool('tools/recognize.py', CONFIG, 'huge.pth', clip_file)
    assert_one_line(result, f'the scores of video {clip_file!r} are NaN or infinite')
    assert '%' not in result.stdout
    sweep = ('tools/analysis/sweep_views.py', CONFIG, 'huge.pth', '--clips', 1, '--crops', 1)
    for command in (('tools/test.py', CONFIG, 'huge.pth'), sweep):
        result = fork_tool(*command, *settings)
        assert_one_line(result, 'the model gives scores that are NaN or infinite, for ', '.mp4 (label ')


def test_processes_decide_alike(run_tool, train, data_options, motion_root, tmp_path):
    """One of the two has the bad clip."""
    train(hooks="dict(type='WriteHash')", max_epochs=0)
    clip = clips(motion_root)[2]
    env = dict(PYTHONPATH=os.pathsep.join([str(tmp_path), str(REPO)]), SPOILT=clip)
    command = ('tools/dist_train.sh', 'faulty.py', 2, '--no-validate', '--work-dir', 'work', '--cfg-options')
    result = run_tool(*command, *data_options, **env)
    assert result.returncode == 0, result.stdout + result.stderr
    (line,) = warnings(result)
    assert line.endswith(f'the input is not finite; the clips are {motion_root}/videos_train/{clip} (label 2)')
    hashes = [(tmp_path / 'work' / f'hash_{rank}.txt').read_text() for rank in range(2)]
    assert hashes[0] == hashes[1]
    assert {int(state['step']) for state in load(tmp_path / 'work/epoch_1.pth')['optimizer']['state'].values()} == {1}


def test_running_statistics_are_those_before_a_bad_step():
    """Also if one of several batches of the step was bad."""
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(2))
    wrapper = types.SimpleNamespace(fault=False, should_update=lambda: False)
    hook = NonFiniteHook(policy='skip')
    runner = types.SimpleNamespace(model=model, optim_wrapper=wrapper, iter=0, epoch=0)
    runner.logger = types.SimpleNamespace(warning=lambda message: None)
    hook.before_train(runner)
    hook._is_watching = True
    hook._find_cause = lambda runner, batches: f'{len(batches)} batches'
    model(torch.randn(4, 2))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for number, (clips, fault) in enumerate(((torch.full((4, 2), math.nan), False), (torch.randn(4, 2), True))):
        hook.before_train_iter(runner, number, clips)
        model(clips)
        wrapper.fault, wrapper.should_update = fault, lambda number=number: number == 1
        hook.after_train_iter(runner, number, clips)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(policy='ignore'), "default_hooks.non_finite.policy='ignore' must be one of 'stop', 'skip', 'roll_back'"),
        (dict(patience=0), 'default_hooks.non_finite.patience=0 must be a number of steps, at least 1'),
    ],
)
def test_arguments_that_are_none(kwargs, message):
    with pytest.raises(UserError, match=message):
        NonFiniteHook(**kwargs)


def test_scores_of_validation_are_looked_at():
    samples = [
        ActionDataSample(metainfo=dict(filename=name)).set_pred_score(torch.tensor([0.5, score]))
        for name, score in (('a.mp4', 0.5), ('b.mp4', math.nan))
    ]
    hook = NonFiniteHook()
    hook.after_val_iter(None, 0, None, samples[:1])
    with pytest.raises(UserError, match=r'scores that are NaN or infinite, for b\.mp4$'):
        hook.after_val_iter(None, 0, None, samples)
