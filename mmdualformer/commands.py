"""How a tool is named to who started this process."""

import os
import shlex
from pathlib import Path

_TOOLS = Path(__file__).resolve().parents[1] / 'tools'


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
    if 'MMDUALFORMER_COMMAND' in os.environ or not (_TOOLS / 'quickstart.sh').is_file():
        return f'mmdualformer {name}'
    path = next(_TOOLS.rglob(f'{name.replace("-", "_")}.py'), None)
    if path is None:
        raise ValueError(f'there is no tool {name!r} in {_TOOLS}')
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f'python {shlex.quote(str(path))}'
