"""Table 5b of VidTr: what each kind of attention holds in memory."""

import subprocess
import sys

from mmdualformer.commands import ROOT
from mmdualformer.errors import UserError

from .setting import Setting


def run(setting: Setting) -> None:
    """Run the tool that measures it, and keep its table.

    Raises:
        UserError: The tool fails.
    """
    size = ['--frames', '2', '--size', '32'] if setting.quick else []
    command = [sys.executable, str(ROOT / 'tools/analysis/attention_memory.py'), '--device', setting.device, *size]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        lines = process.stderr.strip().splitlines()
        raise UserError(lines[-1] if lines else f'exit status {process.returncode}')
    setting.keep('attention', {'command': ['attention_memory.py', *command[2:]], 'table': process.stdout})
