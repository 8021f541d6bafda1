"""What the command-line tools share: arguments, the config, and errors in one line."""

import argparse
import errno
import inspect
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch.distributed.elastic.multiprocessing.errors import get_error_handler

from mmdualformer import compat
from mmdualformer.errors import UserError

# What a runner reads of a config: its arguments, and what it looks up itself.
RUNNER_KEYS = {
    *inspect.signature(Runner).parameters,
    'activation_checkpointing',
    'compile',
    'detect_anomalous_params',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'sync_bn',
}
# Variables of OpenMMLab's configs, which runs do not read; inference reads test_pipeline.
VARIABLES = re.compile('(train|val|test)_pipeline|data_root.*|ann_file.*|dataset_type')

# Why files cannot be written that are no fault of a tool.
UNWRITABLE = (errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS)


class Options(DictAction):
    """``--cfg-options``, of which one that is not ``key=value`` is a usage error."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        """Add the options to the namespace."""
        for value in values:
            if '=' not in value:
                parser.error(f'{option_string} {value!r} must be key=value')
        super().__call__(parser, namespace, values, option_string)


def add_runner_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that MMAction2's train and test tools have in common."""
    parser.add_argument('--work-dir', help='where logs, checkpoints and metrics go (default: work_dirs/CONFIG_NAME)')
    add_options_argument(parser)
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def add_options_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=Options,
        help='settings to override, as key=value; a list is key="[a,b]" or key=a,b, without white space',
    )


def load_config(args: argparse.Namespace) -> Config:
    """Load ``args.config`` with ``args.cfg_options``, the launcher and the work dir in place.

    Raises:
        UserError: See :func:`read_config`; or an option sets what a run does not read.
    """
    for key in args.cfg_options or {}:
        if VARIABLES.fullmatch(key.partition('.')[0]):
            raise UserError(
                f'--cfg-options {key} would change nothing: {args.config} has put it into the data '
                'already; set it there, in keys such as train_dataloader.dataset.pipeline'
            )
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = read_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    if cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', Path(args.config).stem))
    return cfg


def read_config(path: str, options: dict | None = None) -> Config:
    """Read a config, and merge ``--cfg-options`` into it.

    Raises:
        UserError: The file does not exist, is no config or has no model, or an option does not fit.
    """
    if not Path(path).is_file():
        raise UserError(f'config {path!r} does not exist (looked in {Path.cwd()})')
    try:
        cfg = Config.fromfile(path)
    except SyntaxError as error:
        raise UserError(f'config {path!r} line {error.lineno}: {error.msg}') from None
    except Exception as error:  # it is a program: anything can go wrong in it
        raise UserError(f'config {path!r}: {type(error).__name__}: {_last_line(error)}') from None
    if 'model' not in cfg:
        raise UserError(f'config {path!r} has no model; choose one such as configs/dualformer_t_k400.py')
    merge_options(cfg, options or {}, path)
    return cfg


def merge_options(cfg: Config, options: dict, path: str) -> None:
    """Merge ``--cfg-options`` into the config that ``path`` names.

    Raises:
        UserError: An option does not fit, or nothing would read it.
    """
    for key, value in options.items():
        root = key.partition('.')[0]
        if root not in cfg and root not in RUNNER_KEYS:
            raise UserError(f'--cfg-options {key}={value} does not fit {path}: nothing reads {root!r}')
        try:
            cfg.merge_from_dict({key: value})
        except (AttributeError, KeyError, TypeError) as error:
            raise UserError(f'--cfg-options {key}={value} does not fit {path}: {error}') from None


def build_runner(cfg: Config) -> Runner:
    """Build the runner of a config.

    Raises:
        UserError: Something in the config has an unknown type or argument.
    """
    try:
        return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    except (KeyError, TypeError) as error:
        message = _last_line(error)
        if re.search('unexpected keyword argument|required positional argument|is not in the .* registry', message):
            raise UserError(message.partition('. Please check')[0]) from None
        raise


def _last_line(error: Exception) -> str:
    """What an error says; of one from a data loader's worker, without the traceback that it carries."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    lines = text.strip().splitlines() or ['']
    return lines[-1].rpartition(f'{UserError.__name__}: ')[2]


def run(main: Callable[[], None]) -> None:
    """Run a tool; a :class:`UserError`, or a full or read-only disk, becomes one line on stderr and exit status 1.

    Under torchrun the line goes to the launcher, so that of many processes with the same error one reports it.
    """
    try:
        main()
        compat.leave_process_group()
    except (UserError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in UNWRITABLE:
            raise
        message = _last_line(error)
        if os.environ.get('TORCHELASTIC_ERROR_FILE'):
            get_error_handler().record_exception(UserError(message))
        else:
            print(f'error: {message}', file=sys.stderr)
        sys.exit(1)
