"""Train a model on your own videos: a folder with one sub-folder a class, folders of splits, or a table."""

import argparse
import os
import shlex
import sys
from pathlib import Path

from mmengine.config import Config

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli, finetuning, signals
from mmdualformer.checkpoints.starts import Start, find_start
from mmdualformer.checks import check_file
from mmdualformer.commands import tool_command
from mmdualformer.configs import merge_options, read_config
from mmdualformer.finetuning import PROCESSES, FinetuningDir, PreparedData, Run, fold_dir
from mmdualformer.resuming import was_started_again
from mmdualformer.work_dirs import WorkDirLock

MOST_EPOCHS = 30  # unless --epochs says more: recipes for large data sets have hundreds


def parse_args() -> tuple[argparse.Namespace, set[str]]:
    """Parse the command line: all arguments, and the names of those that are on it."""
    parser = cli.ArgumentParser(description=__doc__)
    finetuning.add_data_arguments(parser)
    parser.add_argument(
        '--model',
        action='append',
        help='a model, or a config file; with --try it may be given several times, to compare them (default: that of '
        f'--checkpoint; without it, {finetuning.DEFAULT_MODEL}, or with --try the small models that have weights)',
    )
    parser.add_argument(
        '--checkpoint',
        help='weights to start from: of ours, released ones, or of images (default: for a small model those that were '
        'pretrained on drawn motion; otherwise random ones)',
    )
    parser.add_argument(
        '--epochs', type=cli.at_least(1), help=f"epochs to train (default: the model's, at most {MOST_EPOCHS})"
    )
    parser.add_argument('--batch-size', type=cli.at_least(1), help='clips of a process (default: what fits)')
    parser.add_argument(
        '--dtype',
        choices=('float32', 'bfloat16', 'float16'),
        help='what products are computed in while it trains (default: as the config says, on a CPU float32)',
    )
    parser.add_argument(
        '--best', action='store_true', help='test and keep the epoch that validates best, rather than the last one'
    )
    parser.add_argument(
        '--flip',
        action=argparse.BooleanOptionalAction,
        help='mirror half of the training clips, or none (default: if the classes do not change when mirrored)',
    )
    parser.add_argument(
        '--try',
        type=cli.at_least(2),
        metavar='N',
        help='compare N settings on the validation videos, and keep the best',
    )
    parser.add_argument('--work-dir', type=Path, help='where everything goes (default: work_dirs/fit_FOLDER)')
    parser.add_argument(
        '--resume', action='store_true', help='go on with the run that the work dir holds, as it was begun'
    )
    parser.add_argument('--tensorboard', action='store_true', help='write the curves for TensorBoard too')
    cli.add_workers_argument(parser, default=min((os.cpu_count() or 1) // PROCESSES, 8), least=0)
    cli.add_options_argument(parser)
    return parser.parse_args(), cli.given_arguments(parser)


def default_work_dir(folder: Path) -> Path:
    """Name a work dir after the videos."""
    folder = folder.resolve()
    return Path('work_dirs', f'fit_{folder.name if folder.is_dir() else folder.stem}')


def resume_command(args: argparse.Namespace) -> str:
    """The command that goes on with this run."""
    work_dir = [] if args.work_dir == default_work_dir(args.folder) else ['--work-dir', str(args.work_dir)]
    fold = ['--fold', str(args.fold)] if args.fold else []
    return f'{tool_command("fit")} {shlex.join([str(args.folder), *work_dir, *fold, "--resume"])}'


def choose_model(args: argparse.Namespace) -> tuple[Config, Start | None]:
    """Choose the model and what it starts from: the config, and the weights; ``args.model`` names the model then."""
    start, is_named = None, args.model is not None
    if args.checkpoint:
        check_file('--checkpoint', args.checkpoint)
        start = find_start(args.checkpoint)
    args.model = args.model or (finetuning.choose_model(start) if start else finetuning.DEFAULT_MODEL)
    print(f'checking the model {args.model}')
    config = read_config(finetuning.find_config(args.model))
    finetuning.check_config(config, args.model)
    for line in finetuning.adopt_settings(config, args.model, start, is_named) if start else ():
        print(line)
    merge_options(config, args.cfg_options, args.model)
    with finetuning.explain_options(args.cfg_options):
        start = start or finetuning.find_packaged_start(config, args.model)
        finetuning.check_finetuning(config, args.model, start)
    return config, start


def begin(args: argparse.Namespace, work: FinetuningDir, resume: str) -> None:
    """Read the videos, find the batch, and write the config of each run."""
    is_try = vars(args)['try'] is not None
    finetuning.check_data_arguments(args)
    if is_try:
        finetuning.check_tries(args)
    if args.tensorboard:
        finetuning.check_tensorboard()
    finetuning.check_models(args.model or [], vars(args)['try'])
    names = args.model or (finetuning.list_models() if is_try and not args.checkpoint else [None])
    models = [argparse.Namespace(**{**vars(args), 'model': name}) for name in names]
    chosen = [choose_model(own) for own in models]
    args.model = [own.model for own in models]
    if is_try:  # or there is nothing to draw
        finetuning.make_space({own.model: config for own, (config, _) in zip(models, chosen)}, args.cfg_options)
    lock = WorkDirLock(args.work_dir)
    work.check_unused(resume)  # again: another fit may have begun one meanwhile
    starts = [start for _, start in chosen if start]
    prepared = finetuning.prepare_data(args, starts[0].classes if starts else ())
    for own, (_, start) in zip(models, chosen):
        if not start:
            hint = '' if len(models) > 1 else '; give --checkpoint'  # which is of one model
            print(f'warning: {own.model} starts from random weights, which takes far more videos{hint}')
    runs = []
    for own, (config, start) in zip(models, chosen):
        for data in prepared:
            path = args.work_dir / 'models' / Path(own.model).stem if is_try else data.work_dir
            runs.append(write_run(own, config, start, data, path, resume))
    work.begin(runs, vars(args))
    print(f'the config is {runs[0].config}')
    if args.tensorboard:
        print(f'the curves: tensorboard --logdir {shlex.quote(str(args.work_dir))}')
    lock.release()  # each run takes that of its own folder


def write_run(
    args: argparse.Namespace, config: Config, start: Start | None, data: PreparedData, work_dir: Path, resume: str
) -> Run:
    """Write the config of one run, and the weights that it starts from."""
    written = Run(work_dir)
    epochs = args.epochs or min(config.train_cfg.max_epochs, MOST_EPOCHS)
    cfg = finetuning.finetuning_config(
        config,
        data.lists.absolute(),
        epochs,
        str(written.start.absolute()) if start else None,
        args.workers,
        args.damaged,
        data.multi_label,
        data.clip_seconds,
    )
    cfg.randomness = dict(cfg.get('randomness') or {}, seed=args.seed)
    cfg.default_hooks.checkpoint.save_best = 'auto' if args.best else None
    print(finetuning.set_flip(cfg, args.flip, data.classes))
    finetuning.show_progress(cfg, resume)
    if args.tensorboard:
        finetuning.add_tensorboard(cfg)
    if args.dtype:
        cfg.optim_wrapper.update(type='AmpOptimWrapper', dtype=args.dtype)
    merge_options(cfg, args.cfg_options, args.model)  # again: they win over what fits the videos
    with finetuning.explain_options(args.cfg_options):
        if start:
            print(finetuning.write_start(start, cfg, data.classes, written.start))
        args.batch_size = args.batch_size or args.cfg_options.get('train_dataloader.batch_size')
        if not args.batch_size:
            print('finding the batch that fits the memory')
            limit = min(data.train, cfg.auto_scale_lr.base_batch_size) // PROCESSES  # few videos need many steps
            args.batch_size = finetuning.find_batch_size(cfg, limit)
        elif args.cfg_options:
            finetuning.find_batch_size(cfg, 1)  # tells whether a step can be made at all
    finetuning.set_batch(cfg, args.batch_size, data.train, PROCESSES)
    merge_options(cfg, args.cfg_options, args.model)  # and over what fits the batch
    cfg.work_dir = str(work_dir.absolute())  # as all paths in it: it may go on from another folder
    written.write_config(cfg)
    return written


def main() -> None:
    sys.stdout.reconfigure(line_buffering=True)  # so that what the tools print comes after
    args, given = parse_args()
    args.work_dir = args.work_dir or default_work_dir(args.folder)
    work = FinetuningDir(fold_dir(args.work_dir, args.fold) if args.fold else args.work_dir)
    resume = resume_command(args)
    if args.resume or (work.runs and was_started_again()):
        work.check_resumable(vars(args), given)
    else:
        work.check_unused(resume)
        signals.explain('; training had not begun, and the same command begins again')
        begin(args, work, resume)
    signals.explain(f'; {resume} goes on with the run')
    finetuning.train_and_test(work, args.work_dir, resume)


if __name__ == '__main__':
    cli.run(main)
