"""The trainings and tests of a work dir, each in processes of its own, as far as they are not done."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from mmdualformer import processes, signals
from mmdualformer.commands import tool_command
from mmdualformer.configs import read_config
from mmdualformer.work_dirs import WorkDirLock

from .folds import print_folds, summarize_folds
from .tries import Tries, check_optuna
from .try_table import show_tries
from .work_dir import FinetuningDir, Run

PROCESSES = max(torch.cuda.device_count(), 1)


def train_and_test(work: FinetuningDir, root: Path, resume: str) -> None:
    """Train and test all that a work dir was begun with, as far as that is not done, and show what it came to.

    Args:
        work (FinetuningDir): The work dir.
        root (Path): The same, or that of all folds where it is of one.
        resume (str): The command that goes on with it.
    """
    if work.arguments.get('try'):
        _compare(work, resume)
        return
    runs = work.runs
    for this in runs:
        if work.folds:
            print(f'{this.path.name} of {work.folds}')
        if len(runs) == 1 or not this.is_tested:
            _train(this, resume)
            _test(this, resume)
    if work.folds and (summary := summarize_folds(root, work.folds)):
        print_folds(summary)


def _train(this: Run, resume: str, may_fail: bool = False) -> int:
    """Train as far as that is not done, and give the exit status."""
    if this.is_trained:
        print('the training has come to its end already')
        return 0
    cfg = read_config(str(this.config))
    clips, epochs = cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs
    several = f' on {PROCESSES} GPUs' if PROCESSES > 1 else ''
    print(f'training for {epochs} epochs with {clips} clips a step{several}; the log is in {this.path}')
    code = run_tool(
        'train',
        this.config,
        *(['--resume'] if this.is_begun else []),
        gpus=PROCESSES,
        # the line about a checkpoint names the command itself
        hint=lambda: '' if this.is_begun else f'{resume} goes on with the run',
        may_fail=may_fail,
    )
    if not code:
        this.end_training()
    return code


def _test(this: Run, resume: str) -> None:
    """Test what was trained, and say how to use it."""
    checkpoint = this.find_checkpoint()
    print(f'testing {checkpoint}')
    arguments = (this.config, checkpoint, '--report', this.report)
    run_tool('test', *arguments, gpus=PROCESSES, hint=lambda: f'{resume} goes on with the run')
    this.end_test()
    print(
        f'{checkpoint} holds the model and the names of its classes:\n'
        f'{tool_command("recognize")} {shlex.quote(checkpoint)} VIDEO'
    )


def _compare(work: FinetuningDir, resume: str) -> None:
    """Train with several settings as far as that is not done, show what they came to, and test the best."""
    check_optuna()
    WorkDirLock(str(work.path))  # what one run's own lock refuses would count as a failed try
    tries = Tries(work.path, work.runs, work.arguments)
    tries.run(lambda this: _train(this, resume, may_fail=True))
    show_tries(work.path, tries.rank())
    _test(tries.rank()[0].run, resume)


def run_tool(name: str, *arguments: object, gpus: int, hint: Callable[[], str] = str, may_fail: bool = False) -> int:
    """Run a tool in one process, or in one a GPU; if it fails or is stopped, this process ends as it has ended.

    Args:
        name (str): As the command ``mmdualformer`` lists it.
        *arguments: Its arguments.
        gpus (int): How many it may use.
        hint (callable): Gives what is said where a signal has stopped it. Defaults to nothing.
        may_fail (bool): If it fails, go on. Defaults to False.

    Returns:
        int: Its exit status.
    """
    several = ['--gpus', gpus] if gpus > 1 else []
    command = [sys.executable, '-m', 'mmdualformer', name, *arguments, *several]
    environment = {} if torch.cuda.is_available() else processes.cpu_environment()
    code = processes.run(list(map(str, command)), **environment)
    if code in signals.STATUSES and hint():
        print(hint(), file=sys.stderr)
    is_stopped = code in signals.STATUSES or signals.received()  # the status of a job that Slurm has queued again is 0
    if is_stopped or (code and not may_fail):
        sys.exit(code)
    return code
