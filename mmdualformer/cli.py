"""What the command-line tools share: their arguments, and errors in one line."""

import argparse
import errno
import math
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

import torch
import torch.nn as nn
from mmengine.config import Config

from mmdualformer import compat, processes, signals
from mmdualformer.checkpoints import load_recognizer
from mmdualformer.checks import read_labels
from mmdualformer.commands import program_name
from mmdualformer.configs import RUNNER_KEYS, merge_options, parse_options, read_config, read_inference_config
from mmdualformer.errors import UserError, describe
from mmdualformer.export import find_format
from mmdualformer.recognition import Recognizer

# Why files cannot be written that are no fault of a tool.
UNWRITABLE = (
    errno.EACCES,
    errno.EDQUOT,
    errno.EEXIST,
    errno.EFBIG,
    errno.EISDIR,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)

OPTIONS = '--cfg-options'
END = '--end-of-values'
SETTING = re.compile(r'[^\s/=]+=.*', re.DOTALL)


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the description, and says each option's default that its help does not say."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        has_none = action.default is False or action.default in (None, {}, [], argparse.SUPPRESS)
        if has_none or not action.help or 'default' in action.help:
            return action.help
        default = ' '.join(map(str, action.default)) if isinstance(action.default, list) else '%(default)s'
        return f'{action.help} (default: {default})'


class _End(argparse.Action):
    """Ends the values of the option before it, where files follow."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        """Do nothing."""


class ArgumentParser(argparse.ArgumentParser):
    """An argparse parser whose options may stand anywhere on the line, and whose errors are one line.

    Options of several values take what can be theirs: ``--layers 4 8 model.pth`` leaves the file, and ``--resume c.py``
    the config. After ``--`` everything is a file, also what begins with a dash.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(prog=program_name(), formatter_class=_HelpFormatter, allow_abbrev=False, **kwargs)
        self.add_argument(END, action=_End, nargs=0, dest=argparse.SUPPRESS, help=argparse.SUPPRESS)

    def parse_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        """Parse the command line."""
        args = list(sys.argv[1:] if args is None else args)
        end = args.index('--') if '--' in args else len(args)
        files = [f'./{name}' if name.startswith('-') else name for name in args[end + 1 :]]
        return self.parse_intermixed_args([*self._end_values(args[:end]), END, *files], namespace)

    def error(self, message: str) -> NoReturn:
        """End with one line and exit status 2."""
        message = re.sub(r'^argument (-\S+): ', r'\1 ', message)
        processes.report(f'{message}; see {self.prog} --help')
        self.exit(2)

    def _end_values(self, args: list[str]) -> list[str]:
        """Put what ends an option's values before the first argument that is none of them."""
        ended: list[str] = []
        action = None  # of the option whose values may follow
        for argument in args:
            name, equals, _ = argument.partition('=')
            if name in self._option_string_actions:
                known = self._option_string_actions[name]
                action = known if not equals or known.option_strings == [OPTIONS] else None
                ended.append(argument)
                continue
            if re.match('-[^0-9.]', argument):
                self.error(f'there is no option {name}; a file that begins with a dash comes after --')
            if action is not None and action.option_strings == [OPTIONS] and ended[-1] != OPTIONS:
                if SETTING.fullmatch(argument):
                    ended.append(OPTIONS)  # each takes one
                else:
                    action = None
            elif action is not None and not _may_be_value(action, argument):
                ended.append(END)
                action = None
            ended.append(argument)
        return ended


def given_arguments(parser: argparse.ArgumentParser) -> set[str]:
    """Names of the arguments that the command line of this process has, rather than their defaults."""
    words = [word.partition('=')[0] for word in sys.argv[1:]]
    return {
        action.dest
        for action in parser._actions
        if not action.option_strings or set(action.option_strings) & set(words)
    }


def _may_be_value(action: argparse.Action, argument: str) -> bool:
    """Whether an argument that follows an option can be one of its several values, or its optional one."""
    if action.nargs == '?':
        return not argument.endswith('.py')
    if action.nargs in ('+', '*') and callable(action.type):
        try:
            action.type(argument)
        except ValueError:
            return False
        except argparse.ArgumentTypeError:  # a value, and a wrong one
            return True
    return True


class _Options(argparse.Action):
    """``--cfg-options``, of which one that is not ``key=value`` is a usage error."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        """Add a setting to the namespace."""
        try:
            setattr(namespace, self.dest, {**getattr(namespace, self.dest), **parse_options([values])})
        except UserError as error:
            parser.error(str(error))


class _ModelFiles(argparse.Action):
    """``[CONFIG] CHECKPOINT`` and the inputs that follow, as ``config``, ``checkpoint`` and ``self.dest``."""

    def __init__(self, *args, least: int = 0, most: float = 0, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.least, self.most = least, most

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        """Tell the files apart."""
        namespace.config = values.pop(0) if values[0].endswith('.py') else None
        if not values:
            parser.error('a checkpoint is needed')
        namespace.checkpoint, *inputs = values
        if len(inputs) < self.least:
            parser.error(f'{len(inputs)} {self.dest} given after the checkpoint, at least {self.least} needed')
        if len(inputs) > self.most:
            parser.error(f'{inputs[int(self.most)]!r} is one file too many')
        setattr(namespace, self.dest, inputs)


def add_model_arguments(parser: argparse.ArgumentParser, dest: str = 'inputs', least: int = 0, most: float = 0) -> None:
    """Add ``[CONFIG] CHECKPOINT INPUT...`` and ``--cfg-options``.

    Args:
        parser (ArgumentParser): Gets ``config``, which is None where it is not given, ``checkpoint`` and ``dest``.
        dest (str): Name of the inputs, such as ``'videos'``. Defaults to ``'inputs'``.
        least (int): Inputs that must be given. Defaults to 0.
        most (float): Inputs that may be given, infinitely many too. Defaults to 0.
    """
    inputs = f' {dest.removesuffix("s").upper()}{"..." * (most > 1)}' if most else ''
    parser.usage = f'%(prog)s [options] [CONFIG] CHECKPOINT{inputs}'
    parser.add_argument(
        dest,
        nargs='+',
        metavar='[CONFIG] CHECKPOINT' + inputs,
        action=_ModelFiles,
        least=least,
        most=most,
        help='CONFIG (.py) is needed only for a checkpoint that does not describe itself; with it, CHECKPOINT may be '
        "'none', for random weights",
    )
    add_options_argument(parser)


def load_model(args: argparse.Namespace) -> nn.Module:
    """Load the recognizer that :func:`add_model_arguments` was given, in eval mode, on ``--device`` or else the CPU.

    Where the tool has ``--labels``, the names of the classes are those.

    Raises:
        UserError: The config, the checkpoint or the labels cannot be used, or the checkpoint needs a config.
    """
    if args.cfg_options and not args.config:
        raise UserError(f'{OPTIONS} needs a config: the checkpoint describes its model itself')
    if args.checkpoint == 'none' and not args.config:
        raise UserError("the checkpoint 'none' needs a config before it")
    if is_exported(args):
        raise UserError(
            f'{args.checkpoint!r} is an exported model, which only scores clips; give the checkpoint that it was '
            'exported from'
        )
    cfg = read_inference_config(args.config, args.cfg_options) if args.config else None
    model: Any = load_recognizer(args.checkpoint, getattr(args, 'device', 'cpu'), cfg)
    if getattr(args, 'labels', None):
        names = read_labels(Path(args.labels), model.cls_head.num_classes, 'the model has')
        model.dataset_meta = {**(getattr(model, 'dataset_meta', None) or {}), 'classes': tuple(names)}
    return model


def is_exported(args: argparse.Namespace) -> bool:
    """Whether the checkpoint that :func:`add_model_arguments` was given is an exported model."""
    return find_format(Path(args.checkpoint)) is not None


def open_recognizer(args: argparse.Namespace) -> Recognizer:
    """Load the checkpoint or exported model that :func:`add_model_arguments` was given, to recognize videos with.

    ``--labels`` and ``--dtype`` count where the tool has them.

    Raises:
        UserError: See :func:`load_model` and :class:`~mmdualformer.recognition.Recognizer`.
    """
    dtype = getattr(args, 'dtype', 'float32')
    if is_exported(args):
        return Recognizer(args.checkpoint, args.config, labels=getattr(args, 'labels', None), dtype=dtype)
    return Recognizer(load_model(args), dtype=dtype)


def add_runner_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that MMAction2's train and test tools have in common."""
    parser.add_argument('--work-dir', help='where logs, checkpoints and metrics go (default: work_dirs/CONFIG_NAME)')
    add_options_argument(parser)
    add_launcher_argument(parser)


def add_launcher_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--launcher``, of several processes."""
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def add_options_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    parser.add_argument(
        OPTIONS,
        action=_Options,
        default={},
        metavar='KEY=VALUE ...',
        help='settings to override; a list is key="[a,b]" or key=a,b, without white space',
    )


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``, a GPU where there is one."""
    parser.add_argument(
        '--device',
        type=_device,
        default='cuda:0' if torch.cuda.is_available() else 'cpu',
        help="what to run on, such as 'cpu' or 'cuda:1'",
    )


def add_labels_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--labels``."""
    parser.add_argument('--labels', help='text file with the name of a class a line (default: those of the checkpoint)')


def add_out_arguments(parser: argparse.ArgumentParser, **settings: Any) -> None:
    """Add ``--out`` for a file, which :func:`mmdualformer.files.check_target` is to check, and ``--overwrite``.

    Args:
        parser (ArgumentParser): The parser.
        **settings: Of ``--out``.
    """
    parser.add_argument('--out', type=settings.pop('type', Path), **settings)
    parser.add_argument('--overwrite', action='store_true', help='replace a file that is there')


def add_workers_argument(parser: argparse.ArgumentParser, default: int, least: int = 1) -> None:
    """Add ``--workers``; where 0 is allowed, it means the tool's own process."""
    parser.add_argument('--workers', type=at_least(least), default=default, help='processes that read videos')


def at_least(least: int) -> Callable[[str], int]:
    """Type of an argument that is a whole number of at least ``least``."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f'{text} must be at least {least}')
        return value

    return number


def seconds(text: str) -> float:
    """Type of an argument that is a length of time."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f'{text} must be seconds, more than 0')
    return value


def clip_size(text: str) -> tuple[int, int, int]:
    """Type of an argument that is the frames, the height and the width of a clip; one size stands for both."""
    lengths = [int(length) for length in text.split('x')]  # a ValueError is a usage error too
    if len(lengths) not in (2, 3) or min(lengths) < 1:
        raise argparse.ArgumentTypeError(f'{text!r} must be frames and size, such as 16x224 or 16x224x320')
    return (lengths[0], lengths[1], lengths[-1])


def _device(text: str) -> str:
    try:
        torch.empty(0, device=text)
    except (RuntimeError, AssertionError) as error:
        raise argparse.ArgumentTypeError(f'{text!r} cannot be used here: {str(error).splitlines()[0]}') from None
    return text


def load_config(args: argparse.Namespace) -> Config:
    """Load ``args.config`` with ``args.cfg_options``, the launcher and the work dir in place.

    Raises:
        UserError: See :func:`~mmdualformer.configs.read_config`; or an option sets what a run does not read.
    """
    cfg = read_config(args.config)
    for key in args.cfg_options:
        root = key.partition('.')[0]
        if root in cfg and root not in RUNNER_KEYS:
            raise UserError(
                f'{OPTIONS} {key} would change nothing: {root} is a variable, which {args.config} has put where it '
                'is read already; set it there, in keys such as train_dataloader.dataset.pipeline'
            )
    merge_options(cfg, args.cfg_options, args.config)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    if cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', Path(args.config).stem))
    return cfg


def _explain(error: Exception) -> Exception:
    """What processes of Slurm and MPI say to each other's end, or to a port that is taken; torchrun says so itself."""
    lost = re.search(r'gloo/transport.*(Connection (closed|reset) by peer.*?)(\. |$)', str(error).partition('\n')[0])
    if lost and not os.environ.get('TORCHELASTIC_ERROR_FILE'):
        return UserError(f'another process of this run has ended: {lost[1]}')
    if isinstance(error, torch.distributed.DistNetworkError) and 'EADDRINUSE' in str(error):
        address, port = (os.environ.get(f'MASTER_{part}') for part in ('ADDR', 'PORT'))
        return UserError(f'MASTER_PORT={port} is taken on MASTER_ADDR={address}; set another for each run')
    return error


def run(main: Callable[[], None]) -> None:
    """Run a tool; a :class:`UserError`, or a full or read-only disk, becomes one line on stderr and exit status 1.

    Under torchrun the line goes to the launcher, so that of many processes with the same error one reports it.
    """
    signals.listen()
    if processes.is_other_task():  # the first has said why, or does
        signals.leave_sigterm()
    processes.end_with_launcher()
    try:
        main()
        compat.leave_process_group()
    except signals.Stopped as stopped:
        traceback.clear_frames(stopped.__traceback__)  # which hold the runner, and it its DDP
        compat.leave_process_group()
        raise
    except BrokenPipeError:  # as of `| head`, which has read enough; what is left to print goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except Exception as error:
        if signals.may_end():  # as of another process that has ended on the signal before
            signals.say_first()
            os._exit(128 + signals.received())
        error = _explain(error)
        if not isinstance(error, UserError | OSError):
            raise
        if isinstance(error, OSError) and error.errno not in UNWRITABLE:
            raise
        processes.report(describe(error))
        sys.exit(1)
