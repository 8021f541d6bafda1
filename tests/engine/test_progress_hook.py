"""What one sees of runs, whose steps take the time that a clock of the test's says."""

import io
import logging
import os
import re
import sys

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from rich.console import Console
from rich.text import Text

from mmdualformer.engine import ProgressHook, QuietRunner
from mmdualformer.engine.progress_line import Progress, ProgressLine
from mmdualformer.engine.quiet_runner import SHOWN
from tests.engine.test_time_left import Clock


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    """The same terminal, wherever the tests run."""
    monkeypatch.setenv('TERM', 'xterm-256color')
    for name in ('COLORTERM', 'NO_COLOR', 'FORCE_COLOR', 'COLUMNS'):
        monkeypatch.delenv(name, raising=False)


class Screen(io.StringIO):
    """A terminal's file."""

    def isatty(self) -> bool:
        return True


def lines_of(screen: io.StringIO) -> list[str]:
    """What was on a screen, line by line, and each state of the last one."""
    text = Text.from_ansi(screen.getvalue().replace('\r', '\n')).plain
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def show(progress: Progress, width: int, **options) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, **options)
    console.print(progress)
    (line,) = console.file.getvalue().splitlines()
    return line.rstrip()


PARTS = (('loss 1.234', 3), ('train 61.2 %', 1), ('val 55.0 %', 2), ('13.1 clips/s', 0), ('0:41 left', 4))


def test_a_narrow_terminal_gets_what_matters_most():
    progress = Progress('epoch 3/40', 5, 20, PARTS)
    for width, texts in (
        (120, ['loss 1.234', 'train 61.2 %', 'val 55.0 %', '13.1 clips/s', '0:41 left']),
        (80, ['loss 1.234', 'train 61.2 %', 'val 55.0 %', '0:41 left']),
        (66, ['loss 1.234', 'val 55.0 %', '0:41 left']),
        (52, ['loss 1.234', '0:41 left']),
        (40, ['0:41 left']),
    ):
        line = show(progress, width)
        assert len(line) <= width and line.startswith('epoch 3/40  ') and line.endswith('  '.join(['5/20', *texts]))
    assert show(progress, 20) == 'epoch 3/40  5/20'
    assert len(show(progress, 8)) <= 8


class Model(BaseModel):
    """Takes the time of a clock for its steps."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.took = iter([20.0] + 100 * [2.0])

    def forward(self, inputs, data_samples, mode):
        if mode == 'predict':
            self.clock.now += 3
            return data_samples
        self.clock.now += next(self.took)
        right = torch.tensor(1.0 if self.clock.now > 135 else 0.5)
        return dict(loss=(self.weight - 1).abs().sum(), top1_acc=right)


class Metric(BaseMetric):
    """Gives what it is told to."""

    default_prefix = 'acc'

    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.values = iter(values)

    def process(self, data_batch, data_samples) -> None:
        self.results += data_samples

    def compute_metrics(self, results) -> dict:
        value = next(self.values)
        return dict(top1=value, mean1=value / 2)


def collate(numbers):
    return dict(inputs=[torch.zeros(1)] * len(numbers), data_samples=[ActionDataSample() for _ in numbers])


def loader(videos: int, batch: int) -> dict:
    return dict(
        dataset=list(range(videos)),
        batch_size=batch,
        num_workers=0,
        collate_fn=collate,
        sampler=dict(type='DefaultSampler', shuffle=False),
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Build a runner of three epochs of two steps, with a console."""

    # which asks compilers for their versions
    monkeypatch.setattr(QuietRunner, '_log_env', lambda self, *_: self.logger.info('System environment'))

    def build(console, name, values=(0.5, 0.75, 0.25), train_cfg=None, **options):
        clock = Clock()
        return QuietRunner(
            model=Model(clock),
            work_dir=str(tmp_path / name),
            train_dataloader=loader(8, 4),
            train_cfg=train_cfg or dict(type='EpochBasedTrainLoop', max_epochs=3),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            val_dataloader=loader(4, 2),
            val_cfg=dict(),
            val_evaluator=[Metric(list(values))],
            test_dataloader=loader(4, 2),
            test_cfg=dict(),
            test_evaluator=[Metric([0.5])],
            default_scope='mmaction',
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
            custom_hooks=[ProgressHook(clock=clock, console=console, **options)],
            experiment_name=name,
            **(dict(resume=True) if (tmp_path / name).exists() else {}),
        )

    return build


def plain(width=80) -> Console:
    return Console(file=io.StringIO(), width=width, highlight=False)


def test_a_quiet_runner_shows_what_is_meant_for_people(run, capsys, tmp_path):
    logger = run(plain(), 'quiet').logger
    logger.info('for the file')
    logger.info('for people', extra=SHOWN)
    logger.warning('a fault')
    shown = ''.join(capsys.readouterr())
    assert 'for people\n' in shown and 'INFO' not in shown  # as it is
    assert 'a fault' in shown and 'for the file' not in shown
    (log,) = (tmp_path / 'quiet').glob('*/*.log')
    assert 'for the file' in log.read_text()


def test_a_log_gets_a_line_now_and_then(run, capsys, tmp_path):
    console = plain()
    runner = run(console, 'plain', interval=8)
    runner.train()
    runner.test()
    # an epoch takes 4 s, and a validation 6
    assert console.file.getvalue().splitlines() == [
        'epoch 1/3, step 1/2  loss 1.000  train 50.0 %  0.2 clips/s  2:40 left',
        'epoch 1/3  loss 0.995  train 50.0 %  val 50.0 % (2 of 4)  best 50.0 % (epoch 1)  0:20 left',
        'epoch 2/3  loss 0.975  train 50.0 %  val 75.0 % (3 of 4)  best 75.0 % (epoch 2)  0:10 left',
        'epoch 3/3  loss 0.955  train 100.0 %  val 25.0 % (1 of 4)  best 75.0 % (epoch 2)  took 0:48',
        'test, step 1/2  0:03 left',
        'test  50.0 % (2 of 4)  mean1 25.0 %',
    ]
    assert 'INFO' not in capsys.readouterr().out  # nothing else but warnings, and all in the file
    (log,) = (tmp_path / 'plain').glob('*/*.log')
    assert 'System environment' in log.read_text() and 'Epoch(val) [3][2/2]' in log.read_text()


def test_a_run_that_goes_on_knows_its_best(run):
    run(plain(), 'resumed', train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2)).train()
    console = plain()
    run(console, 'resumed', values=(0.75, 0.25)).train()
    assert '(epoch 2)' in console.file.getvalue().splitlines()[-1]


def test_epochs_without_a_validation_and_steps_without_epochs(run):
    console = plain()
    run(console, 'some', train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=3, val_interval=3)).train()
    assert [line.partition('  loss')[0] for line in console.file.getvalue().splitlines()[1:]] == [
        'epoch 1/3',
        'epoch 2/3',
        'epoch 3/3',
    ]
    assert 'val' not in console.file.getvalue().splitlines()[-2]
    console = plain()
    run(console, 'steps', train_cfg=dict(by_epoch=False, max_iters=6, val_interval=4)).train()
    first, middle, last = console.file.getvalue().splitlines()
    assert first.startswith('training, step 1/6  loss')
    assert middle.startswith('step 4/6  loss') and middle.endswith('best 50.0 % (step 4)  0:10 left')
    assert last.startswith('step 6/6  loss') and last.endswith('best 75.0 % (step 6)  took 0:42')


def test_a_terminal_gets_one_line_that_changes(run):
    console = Console(file=Screen(), width=100, force_terminal=True, color_system=None)
    runner = run(console, 'live')
    stream = next(handler for handler in runner.logger.handlers if not isinstance(handler, logging.FileHandler))
    stream.setStream(console.file)
    original = runner.train_loop.run_iter

    def warn(*args):
        original(*args)
        runner.logger.warning(f'a warning {runner.iter}')
        print('to stderr', file=sys.stderr)
        print('printed')

    runner.train_loop.run_iter = warn
    runner.train()
    lines = lines_of(console.file)
    step = next(line for line in lines if line.startswith('epoch 2/3') and ' 2/2 ' in line)
    assert step.endswith('2/2  loss 0.985  train 50.0 %  val 50.0 %  2.0 clips/s  0:16 left')
    kept = [line for line in lines if 'best' in line]
    assert len(kept) == 3 and kept[2].endswith('val 25.0 % (1 of 4)  best 75.0 % (epoch 2)  took 0:48')
    for text in ('a warning 3', 'to stderr', 'printed'):  # above the line, which is written anew
        assert any(text in line and '━' not in line for line in lines)
    assert stream.stream is console.file and not hasattr(sys.stdout, 'rich_proxied_file')


@pytest.mark.parametrize('options', [dict(), dict(force_terminal=True), dict(force_jupyter=True)])
def test_what_is_no_terminal_gets_plain_lines(options):
    """Colours may be forced in CI, whose log is a file; a notebook has no lines that change."""
    file = Screen() if 'force_jupyter' in options else io.StringIO()
    line = ProgressLine(console=Console(file=file, width=200, **options))
    line.start(logging.getLogger('none'))
    line.update(Progress('epoch 1/2', 1, 20, PARTS))
    line.update(Progress('epoch 1/2', 2, 20, PARTS))
    line.stop()
    if 'force_jupyter' not in options:  # which displays it in another way
        assert file.getvalue() == 'epoch 1/2, step 1/20  ' + '  '.join(text for text, _ in PARTS) + '\n'
    assert '━' not in file.getvalue()


@pytest.mark.parametrize('is_terminal', [True, False])
def test_a_run_goes_on_where_nobody_reads(is_terminal, monkeypatch):
    """As after `fit ... | head -1`, or where a terminal is gone."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, 'w') as pipe:
        monkeypatch.setattr(pipe, 'isatty', lambda: is_terminal, raising=False)
        monkeypatch.setattr(sys, 'stdout', pipe)
        monkeypatch.setenv('TERM', 'xterm')
        line = ProgressLine(interval=0)
        line.start(logging.getLogger('none'))
        for step in (1, 2):
            line.update(Progress('epoch 1/2', step, 9, PARTS), at_once=True)
        line.keep('epoch 1/2')
        line.stop()
        print('what others print')
        assert sys.stdout is pipe


@pytest.mark.parametrize('has_colors', [True, False])
def test_stdout(has_colors, monkeypatch):
    """It keeps its cursor, which a process that is killed would not bring back, and long lines as they are."""
    monkeypatch.setattr(sys, 'stdout', Screen())
    for name, value in (('TERM', 'xterm-256color'), ('COLUMNS', '40'), ('NO_COLOR', '' if has_colors else '1')):
        monkeypatch.setenv(name, value)
    screen, command = sys.stdout, 'mmdualformer fit ' + 30 * 'a' + ' --resume'
    line = ProgressLine()
    line.start(logging.getLogger('none'))
    line.update(Progress('epoch 1/2', 1, 2, PARTS))
    print(command)
    line.keep(command)
    line.stop()
    assert sys.stdout is screen and '\x1b[?25' not in screen.getvalue()
    assert lines_of(screen).count(command) == 2
    assert bool(re.search(r'\x1b\[[39]\d', screen.getvalue())) == has_colors  # of few colours or many


def test_what_goes_to_stdout_may_be_data(capsys):
    line = ProgressLine(interval=0, stderr=True)
    line.update(Progress('recognize', 1, 2, (('5.0 a second', 1),), 'video'))
    line.stop()
    assert capsys.readouterr() == ('', 'recognize, video 1/2  5.0 a second\n')
