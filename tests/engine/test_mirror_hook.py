"""Models that look where a clip is bright, which changes when mirrored, or how bright it is, which does not."""

import copy
import re
import signal
from types import SimpleNamespace

import pytest
import torch
from mmaction.registry import DATASETS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.datasets import SwitchableFlip
from mmdualformer.engine import MirrorHook, mirror_hook
from mmdualformer.weights import load_safely
from tests.engine.test_exact_resume import assert_same, options, write_config
from tests.helpers import REPO

CLASSES = ['sit', 'stand']


def clip(label: int, number: int) -> tuple[torch.Tensor, ActionDataSample]:
    """A clip ``[1, 3, 1, 1, 2]`` that is dark or bright, and on the left or the right side, by its label."""
    inputs = torch.zeros(1, 3, 1, 1, 2)
    inputs[..., label] = 1 + label
    return inputs, ActionDataSample(metainfo=dict(filename=f'{number}.mp4')).set_gt_label(label)


def look(by: str, inputs: torch.Tensor) -> torch.Tensor:
    """The scores of a model."""
    if by == 'nothing':
        return torch.tensor([1.0, 0.0])
    is_second = inputs[..., 1].sum() > inputs[..., 0].sum() if by == 'place' else inputs.sum() > 4
    return torch.tensor([0.0, 1.0] if is_second else [1.0, 0.0])


class Run:
    """A run of a model; ``by`` says how it tells the classes apart in each epoch."""

    def __init__(self, by: list[str], max_epochs: int = 10, each: int = 4) -> None:
        self.by = by
        self.each = each
        self.lines: list[str] = []
        self.flip = SwitchableFlip(flip_ratio=0.5)
        dataset = SimpleNamespace(
            pipeline=SimpleNamespace(transforms=[SimpleNamespace(transforms=[self.flip])]),
            metainfo=dict(classes=CLASSES),
        )
        self.runner = SimpleNamespace(
            epoch=0,
            max_epochs=max_epochs,
            logger=SimpleNamespace(info=lambda line, extra: self.lines.append(line)),
            model=SimpleNamespace(val_step=self.predict),
            val_loop=SimpleNamespace(fp16=False),
            train_dataloader=SimpleNamespace(dataset=dataset),
            val_dataloader=torch.utils.data.DataLoader(range(2 * each), batch_size=2),
            _resume=False,
        )
        self.hook = MirrorHook()
        self.passes = 0
        self.saved_before_validation: list[dict] = []
        self.saved_after_validation: list[dict] = []

    def predict(self, batch: dict) -> list[ActionDataSample]:
        self.passes += 1
        by = self.by[min(self.runner.epoch, len(self.by)) - 1]
        return [
            sample.set_pred_score(look(by, inputs)) for inputs, sample in zip(batch['inputs'], batch['data_samples'])
        ]

    def save(self) -> dict:
        checkpoint: dict = dict(meta=dict(epoch=self.runner.epoch))
        self.hook.before_save_checkpoint(self.runner, checkpoint)
        return copy.deepcopy(checkpoint)

    def resume(self, checkpoint: dict) -> None:
        self.runner._resume, self.runner.epoch = True, checkpoint['meta']['epoch']
        self.hook.after_load_checkpoint(self.runner, checkpoint)

    def validate(self) -> None:
        self.hook.before_val_epoch(self.runner)
        for number in range(self.each):
            batch = [clip(label, 2 * number + label) for label in (0, 1)]
            inputs, samples = map(list, zip(*batch))
            data = dict(inputs=inputs, data_samples=samples)
            outputs = self.predict(data)
            scores = [sample.pred_score.clone() for sample in outputs]
            self.hook.after_val_iter(self.runner, number, data, outputs)
            assert all(sample.pred_score.equal(score) for sample, score in zip(outputs, scores))
        self.hook.after_val_epoch(self.runner)

    def go_on(self) -> list[bool]:
        """Train to the end; gives whether each epoch was mirrored."""
        mirrored = []
        self.hook.before_train(self.runner)
        if self.runner.epoch:
            self.validate()
        while self.runner.epoch < self.runner.max_epochs:
            self.hook.before_train_epoch(self.runner)
            mirrored.append(self.flip.flip_ratio == 0.5)
            self.runner.epoch += 1
            self.saved_before_validation.append(self.save())
            self.validate()
            self.saved_after_validation.append(self.save())
        self.hook.after_train(self.runner)
        return mirrored


def test_clips_are_mirrored_once_two_validations_say_that_nothing_changes():
    run = Run(['nothing', 'brightness', 'place', 'brightness'], max_epochs=20)
    assert run.go_on() == [False] * 5 + [True] * 15
    assert run.lines == [
        'clips are mirrored from now on, as the classes do not change (epoch 5; of 8 validation clips 8 are '
        'recognised, and 8 of them mirrored)'
    ]
    assert run.passes == 20 * 4 + 5 * 4  # those of the model itself, and one more until it was decided


def test_classes_that_change_are_named():
    run = Run(['place'], max_epochs=20)
    assert run.go_on() == [False] * 20
    assert run.lines == [
        'clips are not mirrored: mirrored clips of `sit` look like `stand`, of `stand` look like `sit` (epoch 2; of 8 '
        'validation clips 8 are recognised, and 0 of them mirrored)'
    ]


@pytest.mark.parametrize(('epochs', 'end'), [(10, 4), (2, 2), (1, 1)])
def test_what_is_not_clear_in_time_stays_as_it_is(epochs, end):
    run = Run(['nothing'] * end + ['brightness'], max_epochs=epochs)
    assert run.go_on() == [False] * epochs
    (line,) = run.lines
    assert line.startswith('clips are not mirrored, as it is not clear whether') and f'(epoch {end}; of 8 ' in line


def test_a_run_that_resumes_decides_alike():
    by = ['brightness', 'nothing', 'brightness', 'brightness']
    whole = Run(by)
    mirrored = whole.go_on()
    assert mirrored == [False] * 4 + [True] * 6
    for checkpoint in [*whole.saved_before_validation, *whole.saved_after_validation]:
        run = Run(by)
        run.resume(checkpoint)
        assert run.go_on() == mirrored[checkpoint['meta']['epoch'] :]


def test_a_run_that_rolls_back_keeps_what_it_has_decided():
    run = Run(['brightness'])
    run.go_on()
    run.resume(run.saved_before_validation[0])
    run.hook.before_train(run.runner)
    assert run.flip.flip_ratio == 0.5


def test_all_processes_judge_all_clips_each_once(monkeypatch):
    other = {('0.mp4', 0): (0, 0, 1), ('7.mp4', 1): (1, 1, 0), ('new.mp4', 1): (1, 1, 0)}
    monkeypatch.setattr(mirror_hook, 'all_gather_object', lambda clips: [other, clips, other])
    run = Run(['place'])
    run.go_on()
    assert 'of 9 validation clips 9 are' in run.lines[0]


def test_a_long_validation_is_mirrored_in_part():
    run = Run(['brightness'], each=40)
    run.hook = MirrorHook(most_clips=20)
    run.go_on()
    assert 'of 20 validation clips 20 are' in run.lines[0]


def test_blank_clips_say_nothing():
    run = Run(['place'])
    run.hook.before_train(run.runner)
    inputs, sample = clip(0, 0)
    sample.set_metainfo(dict(unreadable='broken'))
    data = dict(inputs=[inputs], data_samples=[sample])
    run.runner.epoch = 1
    run.hook.after_val_iter(run.runner, 0, data, run.predict(data))
    run.hook.after_val_epoch(run.runner)
    assert run.save()['meta'][mirror_hook.KEY]['verdict']['figures'].startswith('of 0 validation clips')


@pytest.mark.parametrize('kind', ['RobustVideoDataset', 'RobustRepeatAugDataset'])
def test_data_sets_mirror_when_it_is_decided(motion_root, kind):
    cfg = Config.fromfile(REPO / 'configs/dualformer_micro_motion.py')
    init_default_scope('mmaction')
    *steps, pack = cfg.train_pipeline
    flip = dict(type='SwitchableFlip', flip_ratio=1.0)
    pipeline = [*steps[:-1], flip, steps[-1], dict(pack, meta_keys=('flip',))]
    config = {**cfg.train_dataloader.dataset, 'type': kind, 'data_root': str(motion_root), 'pipeline': pipeline}
    dataset = DATASETS.build(dict(type='RepeatDataset', times=2, dataset=config))

    def mirrored() -> bool:
        data = dataset[0]
        return all(part['data_samples'].flip for part in (data if isinstance(data, list) else [data]))

    assert not mirrored()
    run = Run(['brightness'])
    run.runner.train_dataloader.dataset = dataset
    run.hook._choice = True
    run.hook.before_train(run.runner)
    assert mirrored()


@pytest.mark.slow
def test_a_killed_run_mirrors_the_same_clips(fork_tool, motion_root, tmp_path):
    """Killed in the epoch in which flips begin, with workers that live on from the one before."""
    flip = "dict(type='SwitchableFlip', flip_ratio=0.5)"
    pipeline = f'[*_base_.train_pipeline[:-2], {flip}, *_base_.train_pipeline[-2:]]'
    config = write_config(tmp_path, motion_root, 'dualformer_micro_motion.py')
    text = config.read_text()
    for old, new in (
        ("'tests.engine.kill_hook'", "'tests.engine.kill_hook', 'tests.engine.same_when_mirrored'"),
        ('max_epochs=2', 'max_epochs=3'),
        ('step=0)]', "step=0), dict(type='MirrorHook')]"),
        ('4, **data)', f'4, dataset=dict(data_root={str(motion_root)!r}, pipeline={pipeline}))'),
    ):
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    train = 'tools/train.py', config, '--work-dir'
    killed = fork_tool(*train, 'killed', *options(2, step=10))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert fork_tool(*train, 'killed', '--resume', *options(1)).returncode == 0

    seed = load_safely(str(tmp_path / 'killed/epoch_3.pth'))['meta']['seed']
    whole = fork_tool(*train, 'whole', '--seed', seed, *options(0))
    assert whole.returncode == 0
    assert re.search(r'clips are mirrored from now on.* \(epoch 2; of 8 clips\)', whole.stdout + whole.stderr)
    assert_same(tmp_path / 'killed/epoch_3.pth', tmp_path / 'whole/epoch_3.pth')
