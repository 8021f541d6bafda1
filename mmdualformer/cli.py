"""What the command-line tools share: arguments, the config, and errors in one line."""

import argparse
import os
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import torch.nn as nn
from mmaction.registry import MODELS
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from torch.distributed.elastic.multiprocessing.errors import get_error_handler

from mmdualformer import compat
from mmdualformer.errors import UserError


def add_runner_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that MMAction2's train and test tools have in common."""
    parser.add_argument('--work-dir', help='where logs, checkpoints and metrics go (default: work_dirs/CONFIG_NAME)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='settings to override, as key=value; a list is key="[a,b]" or key=a,b, without white space')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def load_config(args: argparse.Namespace) -> Config:
    """Load ``args.config`` with ``args.cfg_options``, the launcher and the work dir in place.

    Raises:
        UserError: The file does not exist or is not Python.
    """
    if not Path(args.config).is_file():
        raise UserError(f'config {args.config!r} does not exist (looked in {Path.cwd()})')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    try:
        cfg = Config.fromfile(args.config)
    except SyntaxError as error:
        raise UserError(f'config {args.config!r} line {error.lineno}: {error.msg}') from None
    cfg.launcher = args.launcher
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    cfg.setdefault('work_dir', str(Path('work_dirs', Path(args.config).stem)))
    return cfg


def build_scorer(cfg: Config) -> nn.Module:
    """Build backbone and head of a config's recognizer, from a normalised clip to logits, in eval mode."""
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model).eval()
    return nn.Sequential(OrderedDict(backbone=model.backbone, cls_head=model.cls_head))  # the recognizer's names


def clip_shape(cfg: Config) -> tuple[int, int, int, int, int]:
    """Shape of the single clip and view that a config's test pipeline makes, batch included."""
    frames = next(step.clip_len for step in cfg.test_pipeline if 'clip_len' in step)
    size = next(step.crop_size for step in cfg.test_pipeline if 'crop_size' in step)
    return 1, 3, frames, size, size


def run(main: Callable[[], None]) -> None:
    """Run a tool; a :class:`UserError` becomes one line on stderr and exit status 1.

    Under torchrun the line goes to the launcher, so that of many processes with the same error one reports it.
    """
    try:
        main()
        compat.leave_process_group()
    except UserError as error:
        if os.environ.get('TORCHELASTIC_ERROR_FILE'):
            get_error_handler().record_exception(error)
        else:
            print(f'error: {error}', file=sys.stderr)
        sys.exit(1)
