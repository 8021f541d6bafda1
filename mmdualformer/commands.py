"""Where tools and configs are, and how a tool is named to who started this process."""

import os
import re
import shlex
import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
IN_CHECKOUT = (_PACKAGE.parent / 'tools' / 'quickstart.sh').is_file()
ROOT = _PACKAGE.parent if IN_CHECKOUT else _PACKAGE / '.mim'  # of the folders tools and configs


def tool_command(name: str) -> str:
    """The command that runs a tool, for hints such as "recognise with ...": its arguments can follow.

    Args:
        name (str): Name of the tool as the command ``mmdualformer`` lists it, such as ``make-motion-clips``.

    Returns:
        str: ``mmdualformer recognize`` where the command started this process, or where the package is installed
        without a checkout. Otherwise ``python tools/recognize.py``, as seen from the current folder.

    Raises:
        ValueError: The checkout has no such tool.
    """
    if _is_command():
        return f'mmdualformer {name}'
    path = next((ROOT / 'tools').rglob(f'{name.replace("-", "_")}.py'), None)
    if path is None:
        raise ValueError(f'there is no tool {name!r} in {ROOT / "tools"}')
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f'python {shlex.quote(str(path))}'


def program_name() -> str:
    """What the running tool was called as: ``mmdualformer recognize``, or ``recognize.py``."""
    name = Path(sys.argv[0]).name
    return f'mmdualformer {_dashed(Path(name).stem)}' if _is_command() else name


def command_line() -> str:
    """The command that started this process, which does the same again, for bash."""
    arguments = sys.argv[1:]
    if _is_command() and arguments[:2] == ['--launcher', 'pytorch'] and 'LOCAL_WORLD_SIZE' in os.environ:
        arguments = ['--gpus', os.environ['LOCAL_WORLD_SIZE'], *arguments[2:]]  # which has started several
    return shlex.join([*program_name().split(), *arguments])


def translate(command: str) -> str:
    """Turn a command for the root of a checkout into one that works where this process was started.

    Args:
        command (str): For bash, with ``python tools/X.py``, ``bash tools/dist_train.sh CONFIG GPUS`` and their like.

    Returns:
        str: The same command in a checkout. Started by the command ``mmdualformer``, or installed, there is no folder
        ``tools``: the command ``mmdualformer`` then takes the place of its programs.
    """
    if not _is_command():
        return command
    command = re.sub(r'\bpython tools/(?:\w+/)?(\w+)\.py', lambda tool: f'mmdualformer {_dashed(tool[1])}', command)
    command = re.sub(r'\bbash tools/dist_train\.sh (\S+) (\d+)', r'mmdualformer train \1 --gpus \2', command)
    command = re.sub(r'\bbash tools/dist_test\.sh (\S+ \S+) (\d+)', r'mmdualformer test \1 --gpus \2', command)
    if 'tools/slurm_' in command:  # srun starts them on other machines, and knows no names of ours
        command = re.sub(r'(?<=\s)(tools/slurm_|configs/)', rf'{shlex.quote(str(ROOT))}/\1', command)
    return command


def _is_command() -> bool:
    return 'MMDUALFORMER_COMMAND' in os.environ or not IN_CHECKOUT


def _dashed(name: str) -> str:
    return name.replace('_', '-')
