"""Fine-tune a model on your own videos: a folder with one sub-folder a class, or a csv of path,label lines."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import torch

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli, signals
from mmdualformer.checkpoints.starts import find_start
from mmdualformer.checks import check_file
from mmdualformer.commands import ROOT, tool_command
from mmdualformer.configs import merge_options, read_config
from mmdualformer.datasets import own_videos
from mmdualformer.errors import UserError
from mmdualformer.finetuning import (
    FinetuningDir,
    add_tensorboard,
    adopt_settings,
    check_finetuning,
    check_tensorboard,
    choose_model,
    compare_classes,
    find_batch_size,
    finetuning_config,
    order_videos,
    set_batch,
    set_flip,
    show_progress,
    write_start,
)
from mmdualformer.processes import run
from mmdualformer.resuming import find_newest, was_started_again
from mmdualformer.video.files import describe_left_out
from mmdualformer.work_dirs import WorkDirLock

DEFAULT_MODEL = 'dualformer_t'
PROCESSES = max(torch.cuda.device_count(), 1)


def parse_args() -> tuple[argparse.Namespace, set[str]]:
    """Parse the command line: all arguments, and the names of those that are on it."""
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path, help='folder with one sub-folder a class, or a csv of path,label lines')
    parser.add_argument(
        '--model', help=f'a model, or a config file (default: that of --checkpoint; without it, {DEFAULT_MODEL})'
    )
    parser.add_argument(
        '--checkpoint',
        help='weights to start from: of ours, released ones, or of images; without, training starts from random ones',
    )
    parser.add_argument('--epochs', type=cli.at_least(1), default=16, help='epochs to train')
    parser.add_argument('--batch-size', type=cli.at_least(1), help='clips of a process (default: what fits)')
    parser.add_argument('--val-share', type=float, default=0.2, help='share of each class to test on')
    parser.add_argument(
        '--damaged',
        choices=('use', 'refuse'),
        default='use',
        help='read damaged videos as far as they can be read, or leave them out',
    )
    parser.add_argument(
        '--flip',
        action=argparse.BooleanOptionalAction,
        help='mirror half of the training clips, or none (default: if the classes do not change when mirrored)',
    )
    parser.add_argument('--work-dir', type=Path, help='where everything goes (default: work_dirs/fit_FOLDER)')
    parser.add_argument(
        '--resume', action='store_true', help='go on with the run that the work dir holds, as it was begun'
    )
    parser.add_argument('--tensorboard', action='store_true', help='write the curves for TensorBoard too')
    cli.add_workers_argument(parser, default=min((os.cpu_count() or 1) // PROCESSES, 8), least=0)
    cli.add_options_argument(parser)
    return parser.parse_args(), cli.given_arguments(parser)


def find_config(model: str) -> str:
    """Find the config of a model."""
    if model.endswith('.py'):
        return model
    known = {path.stem.removesuffix('_k400'): path for path in (ROOT / 'configs').glob('*_k400.py')}
    if model not in known:
        raise UserError(f'--model {model!r} is unknown; choose from {", ".join(sorted(known))}, or give a config file')
    return str(known[model])


def default_work_dir(folder: Path) -> Path:
    """Name a work dir after the videos."""
    folder = folder.resolve()
    return Path('work_dirs', f'fit_{folder.name if folder.is_dir() else folder.stem}')


def find_best(work_dir: Path) -> str:
    """Find the best checkpoint, or the last where none was kept as the best."""
    best = max(work_dir.glob('best_*.pth'), key=os.path.getmtime, default=None)
    return str(best or find_newest(str(work_dir)))


def prepare_data(args: argparse.Namespace, known: list[str]) -> tuple[int, list[str]]:
    """Write the lists of the videos, with the classes that a checkpoint knows first.

    Returns:
        tuple: Training videos, and the names of the classes.
    """
    found = order_videos(own_videos.find_videos(args.folder), known)
    for line in compare_classes(found.classes, known):
        print(line)
    if found.left_out:
        print(describe_left_out(found.left_out))
    found, unreadable, damaged = own_videos.leave_out_unreadable(found, args.workers or 1, args.damaged)
    for line in unreadable:
        print(f'left out, as it cannot be read: {line}')
    for line in damaged:
        print(f'warning: damaged, and used as far as it can be read: {line}')
    total = len(found.videos)
    found, shared = own_videos.leave_out_copies(found)
    if len(found.videos) < total:
        print(f'left out {total - len(found.videos)} copies of other videos of their class')
    for line in shared:
        print(f'warning: the same video in several classes: {line}')
    train, val = own_videos.split(found, args.val_share)
    if not val:
        raise UserError(
            f'{str(args.folder)!r} has one video of each class; at least one class must have two, to test '
            'on one of them'
        )
    own_videos.write_training_lists(args.work_dir / 'lists', found.classes, train, val)
    print(f'{len(found.classes)} classes: {", ".join(found.classes)}; {len(train)} videos to train, {len(val)} to test')
    for label, name in enumerate(found.classes):
        if label not in {label for _, label in val}:
            print(f'warning: class {name!r} has one video, which is trained on and not tested')
    return len(train), found.classes


def resume_command(args: argparse.Namespace) -> str:
    """The command that goes on with this run."""
    work_dir = [] if args.work_dir == default_work_dir(args.folder) else ['--work-dir', str(args.work_dir)]
    return f'{tool_command("fit")} {shlex.join([str(args.folder), *work_dir, "--resume"])}'


def run_tool(name: str, *arguments: object, processes: int, hint: Callable[[], str] = str) -> None:
    """Run a tool in one process or in several; if it fails or is stopped, this process ends as it has ended.

    Args:
        name (str): As the command ``mmdualformer`` lists it.
        *arguments: Its arguments.
        processes (int): How many.
        hint (callable): Gives what is said where a signal has stopped it. Defaults to nothing.
    """
    several = ['--gpus', processes] if processes > 1 else []
    command = [sys.executable, '-m', 'mmdualformer', name, *arguments, *several]
    code = run(list(map(str, command)))
    if code in signals.STATUSES and hint():
        print(hint(), file=sys.stderr)
    if code or signals.received():  # the status of a job that Slurm has queued again is 0
        sys.exit(code)


def begin(args: argparse.Namespace, run_dir: FinetuningDir, resume: str) -> None:
    """Read the videos, find the batch, and write the config of a run."""
    if not 0 < args.val_share < 1:
        raise UserError(f'--val-share {args.val_share} must be between 0 and 1')
    if args.tensorboard:
        check_tensorboard()
    start = None
    if args.checkpoint:
        check_file('--checkpoint', args.checkpoint)
        start = find_start(args.checkpoint)
    is_named = args.model is not None
    args.model = args.model or (choose_model(start) if start else DEFAULT_MODEL)
    print(f'checking the model {args.model}')
    config = read_config(find_config(args.model))
    for line in adopt_settings(config, args.model, start, is_named) if start else ():
        print(line)
    merge_options(config, args.cfg_options, args.model)
    check_finetuning(config, args.model, start)
    lock = WorkDirLock(args.work_dir)
    count, classes = prepare_data(args, start.classes if start else [])
    if not start:
        print('warning: training starts from random weights, which takes far more videos; give --checkpoint')

    checkpoint = str(args.work_dir / 'start.pth') if start else None
    cfg = finetuning_config(config, args.work_dir / 'lists', args.epochs, checkpoint, args.workers, args.damaged)
    print(set_flip(cfg, args.flip, classes))
    show_progress(cfg, resume)
    if args.tensorboard:
        add_tensorboard(cfg)
    merge_options(cfg, args.cfg_options, args.model)  # again: they win over what fits the videos
    if start:
        print(write_start(start, cfg, classes, Path(checkpoint)))
        del start  # its weights, which the training reads from there
    batch = args.batch_size or args.cfg_options.get('train_dataloader.batch_size')
    if not batch:
        print('finding the batch that fits the memory')
        batch = find_batch_size(cfg, limit=count // PROCESSES)
    set_batch(cfg, batch, count, PROCESSES)
    merge_options(cfg, args.cfg_options, args.model)  # and over what fits the batch
    cfg.work_dir = str(args.work_dir)
    run_dir.begin(cfg, vars(args))
    print(f'the config is {run_dir.config}')
    if args.tensorboard:
        print(f'the curves: tensorboard --logdir {shlex.quote(str(args.work_dir))}')
    lock.release()  # the run takes it


def main() -> None:
    sys.stdout.reconfigure(line_buffering=True)  # so that what the tools print comes after
    args, given = parse_args()
    args.work_dir = args.work_dir or default_work_dir(args.folder)
    run_dir = FinetuningDir(args.work_dir)
    resume = resume_command(args)
    is_resumed = args.resume or (run_dir.is_begun and was_started_again())
    if is_resumed:
        run_dir.check_resumable(vars(args), given)
    else:
        run_dir.check_unused(resume)
        signals.explain('; training had not begun, and the same command begins again')
        begin(args, run_dir, resume)
    hint = f'{resume} goes on with the run'
    signals.explain(f'; {hint}')
    cfg = read_config(str(run_dir.config))
    if run_dir.is_trained:
        print('the training has come to its end already')
    else:
        clips, epochs = cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs
        several = f' on {PROCESSES} GPUs' if PROCESSES > 1 else ''
        print(f'training for {epochs} epochs with {clips} clips a step{several}; the log is in {args.work_dir}')
        run_tool(
            'train',
            run_dir.config,
            *(['--resume'] if is_resumed else []),
            processes=PROCESSES,
            # the line about a checkpoint names the command itself
            hint=lambda: '' if any(args.work_dir.glob('*.pth')) else hint,
        )
        run_dir.end_training()
    best = find_best(args.work_dir)
    print(f'testing {best}')
    run_tool('test', run_dir.config, best, processes=PROCESSES, hint=lambda: hint)
    print(
        f'{best} holds the model and the names of its classes:\n{tool_command("recognize")} {shlex.quote(best)} VIDEO'
    )


if __name__ == '__main__':
    cli.run(main)
