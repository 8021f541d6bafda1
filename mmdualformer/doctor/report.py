"""The table of all checks, and how what they find is told."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

from mmdualformer.version import __version__

from . import devices, packages, system, videos
from .running import FAULT, OK, WARNING, Check, Result, pip, run

REPORT = 'mmdualformer doctor --json > doctor.json  # and attach it to an issue'

CHECKS = (
    Check('python', packages.check_python, REPORT),
    Check('requirements', packages.check_requirements, pip('install packaging')),
    Check('pinned versions', packages.check_pins, pip('install packaging')),
    Check('conflicts', packages.check_conflicts, REPORT, 20),
    Check('torch', devices.check_torch, pip('install --force-reinstall torch'), 240),
    *(Check(name, function, mend, 30) for name, function, mend in videos.DECODERS),
    Check('network', system.check_network, REPORT),
    Check('shared memory', system.check_shared_memory, REPORT),
    Check('memory', system.check_memory, REPORT),
    Check('open files', system.check_open_files, REPORT),
    Check('CPUs', system.check_processors, REPORT),
    Check('disk', system.check_disk, REPORT),
    Check('temporary folder', system.check_temporary_folder, REPORT),
    Check('clock', system.check_clock, REPORT),
    Check('job launchers', system.check_launchers, REPORT),
)


def examine(as_json: bool, brief: bool) -> int:
    """Run all checks and print what they find.

    Args:
        as_json (bool): Print one JSON object.
        brief (bool): Print warnings, faults and the last line only.

    Returns:
        int: The exit status: 1 if there is a fault, else 0.
    """
    begun = time.monotonic()
    results = []
    for result in run(CHECKS, slots=max(os.cpu_count() or 1, 2)):
        result = Result(*map(_without_home, result))
        results.append(result)
        if not as_json and not (brief and result.status == OK):
            print(f'{result.status:8} {result.name}: {result.text}', flush=True)
            if result.mend:
                print(f'         mend: {result.mend}', flush=True)
    count = Counter(result.status for result in results)
    seconds = time.monotonic() - begun
    if as_json:
        summary = dict(version=__version__, ok=count[OK], warnings=count[WARNING], faults=count[FAULT])
        print(json.dumps({**summary, 'seconds': round(seconds, 1), 'checks': [r._asdict() for r in results]}, indent=2))
    else:
        print(
            f'mmdualformer {__version__}: {_plural(count[FAULT], "fault")}, {_plural(count[WARNING], "warning")}, '
            f'{count[OK]} checks passed in {seconds:.0f} s'
        )
    return int(count[FAULT] > 0)


def _plural(count: int, word: str) -> str:
    return f'{count} {word}{"s" * (count != 1)}'


def _without_home(text: str) -> str:
    """Home as ~, so that what is pasted into an issue names nobody."""
    try:
        home = str(Path.home())
    except RuntimeError:  # the user has none, as some in containers
        return text
    return text.replace(home, '~') if len(home) > 1 else text
