"""Fine-tune a model on your own videos: a folder with one sub-folder a class, folders of splits, or a table."""

import argparse
import os
import shlex
import sys
from pathlib import Path

import torch
from mmengine.config import Config

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.checks import check_file
from mmdualformer.commands import ROOT, tool_command
from mmdualformer.configs import merge_options, read_config
from mmdualformer.errors import UserError
from mmdualformer.finetuning import (
    PreparedData,
    add_data_arguments,
    check_data_arguments,
    check_finetuning,
    find_batch_size,
    finetuning_config,
    prepare_data,
    print_folds,
    set_batch,
    summarize_folds,
)
from mmdualformer.processes import run
from mmdualformer.resuming import find_newest
from mmdualformer.work_dirs import WorkDirLock

PROCESSES = max(torch.cuda.device_count(), 1)


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    add_data_arguments(parser)
    parser.add_argument('--model', default='dualformer_t', help='a model, or a config file')
    parser.add_argument('--checkpoint', help='weights to start from; without, training starts from random ones')
    parser.add_argument('--epochs', type=cli.at_least(1), default=16, help='epochs to train')
    parser.add_argument('--batch-size', type=cli.at_least(1), help='clips of a process (default: what fits)')
    parser.add_argument('--work-dir', type=Path, help='where everything goes (default: work_dirs/fit_FOLDER)')
    cli.add_workers_argument(parser, default=min((os.cpu_count() or 1) // PROCESSES, 8), least=0)
    cli.add_options_argument(parser)
    return parser.parse_args()


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


def run_tool(name: str, *arguments: object, processes: int) -> None:
    """Run a tool in one process or in several."""
    several = ['--gpus', processes] if processes > 1 else []
    command = [sys.executable, '-m', 'mmdualformer', name, *arguments, *several]
    code = run(list(map(str, command)))
    if code:
        sys.exit(code)


def train_and_test(args: argparse.Namespace, config: Config, data: PreparedData) -> None:
    """Train on prepared lists, and test."""
    cfg = finetuning_config(
        config, data.lists, args.epochs, args.checkpoint, args.workers, args.damaged, data.multi_label
    )
    merge_options(cfg, args.cfg_options, args.model)  # again: they win over what fits the videos
    batch = args.batch_size or args.cfg_options.get('train_dataloader.batch_size')
    batch = batch or find_batch_size(cfg, limit=data.train // PROCESSES)
    set_batch(cfg, batch, data.train, PROCESSES)
    merge_options(cfg, args.cfg_options, args.model)  # and over what fits the batch
    cfg.work_dir = str(data.work_dir)
    path = data.work_dir / 'config.py'
    cfg.dump(path)
    print(cfg.pretty_text)
    print(f'training {args.model} on {PROCESSES} processes of {batch} clips; the config above is {path}')

    run_tool('train', path, processes=PROCESSES)
    best = find_best(data.work_dir)
    run_tool('test', path, best, processes=PROCESSES)
    print(
        f'{best} holds the model and the names of its classes:\n{tool_command("recognize")} {shlex.quote(best)} VIDEO'
    )


def main() -> None:
    args = parse_args()
    args.work_dir = args.work_dir or default_work_dir(args.folder)
    check_data_arguments(args)
    config = read_config(find_config(args.model))
    merge_options(config, args.cfg_options, args.model)
    if args.checkpoint:
        check_file('--checkpoint', args.checkpoint)
    check_finetuning(config, args.model, args.checkpoint)
    lock = WorkDirLock(args.work_dir)
    prepared = prepare_data(args)
    if not args.checkpoint:
        print('warning: training starts from random weights, which takes far more videos; give --checkpoint')
    if not args.folds:
        lock.release()  # the run takes it
    for data in prepared:
        train_and_test(args, config, data)
    if args.folds and (summary := summarize_folds(args.work_dir, args.folds)):
        print_folds(summary)


if __name__ == '__main__':
    cli.run(main)
