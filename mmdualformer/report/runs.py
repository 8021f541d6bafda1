"""What a work dir tells of the runs in it: curves, ledgers of videos, and the lists that training was made from."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

SCALARS = '*/vis_data/scalars.json'  # of MMEngine's LocalVisBackend, in a folder a run
STAMP = '%Y%m%d_%H%M%S'  # the folder's name
LEDGERS = {'unreadable': 'unreadable_videos*.tsv', 'damaged': 'damaged_videos*.tsv'}


@dataclass(frozen=True)
class Curves:
    """What was logged of a training, its resumed runs joined.

    Attributes:
        train (list): Of some iterations, a dict with ``iter``, ``loss``, ``lr`` and what else was logged.
        val (list): Of each validation, a dict with ``step`` and the metrics, in shares of 1.
        by_epoch (bool): Whether ``step`` of a validation is an epoch.
        epoch_length (float): Iterations of an epoch; 1 where training goes by iterations.
        runs (int): Runs that were joined.
        seconds (float): How long they took together, from their starts to the last lines of their logs.
    """

    train: list[dict]
    val: list[dict]
    by_epoch: bool
    epoch_length: float
    runs: int
    seconds: float


def read_curves(work_dir: Path) -> Curves | None:
    """Read the curves of the newest training in a work dir, and of the runs that it went on from.

    A run that starts anew hides those before it; one that was resumed hides what they did after the place where it
    starts.
    """
    train: list[dict] = []
    val: dict[int, dict] = {}  # by step
    spans: list[tuple[float, int]] = []  # seconds of each run, and its first iteration
    for path in sorted(work_dir.glob(SCALARS), key=lambda path: path.parents[1].name):
        lines = list(_read_lines(path))
        new = [line for line in lines if 'iter' in line and 'loss' in line]
        # a run that goes on validates the epoch that it goes on from, and the last one may do nothing else
        tested = {line['step']: line for line in lines if line.get('step') and 'iter' not in line}  # a test is step 0
        if not new:
            val |= tested
            continue
        first = new[0]
        train = [line for line in train if line['iter'] < first['iter']] + new
        start = first['epoch'] if 'epoch' in first else first['iter']
        val = {step: line for step, line in val.items() if step < start} | tested
        spans = [span for span in spans if span[1] < first['iter']]
        spans.append((_duration(path), first['iter']))
    if not train:
        return None
    by_epoch = 'epoch' in train[-1]
    length = max(line['iter'] / line['epoch'] for line in train) if by_epoch else 1.0
    return Curves(train, list(val.values()), by_epoch, length, len(spans), sum(seconds for seconds, _ in spans))


def read_ledgers(work_dirs: Iterable[Path]) -> dict[str, list[tuple[str, str]]]:
    """Read which videos the runs could not read, and which are damaged.

    Returns:
        dict: Under ``'unreadable'`` and ``'damaged'`` pairs of a video and the reason, each video once.
    """
    found: dict[str, dict[str, str]] = {kind: {} for kind in LEDGERS}
    for work_dir in work_dirs:
        for kind, pattern in LEDGERS.items():
            for path in sorted([*work_dir.glob(pattern), *work_dir.glob(f'*/{pattern}')]):
                for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
                    video, _, reason = line.partition('\t')
                    if video:
                        found[kind][video] = reason
    return {kind: list(videos.items()) for kind, videos in found.items()}


def read_lists(work_dirs: Iterable[Path]) -> dict:
    """Read ``lists/data.json``: how a user's own videos became the lists; empty where there is none."""
    for work_dir in work_dirs:
        try:
            content = json.loads((work_dir / 'lists' / 'data.json').read_text(encoding='utf-8'))
        except (OSError, ValueError):
            continue
        if isinstance(content, dict):
            return content
    return {}


def read_seed(work_dirs: Iterable[Path]) -> int | None:
    """Read the seed that the newest run has logged."""
    logs = [path for work_dir in work_dirs for path in work_dir.glob('*/*.log')]
    for path in sorted(logs, key=lambda path: path.name, reverse=True):
        with open(path, encoding='utf-8', errors='replace') as file:
            found = re.search(r'^ {4}seed: (\d+)$', file.read(1 << 20), re.M)
        if found:
            return int(found[1])
    return None


def find_work_dirs(checkpoint: str, work_dir: str) -> list[Path]:
    """Find the folders whose runs a report of a test shows: that of the checkpoint, if runs left it, and the test's.

    Args:
        checkpoint (str): What was tested.
        work_dir (str): Of the test.
    """
    trained = Path(checkpoint).resolve().parent
    folders = [trained] if any(trained.glob(SCALARS)) else []
    return list(dict.fromkeys([*folders, Path(work_dir).resolve()]))


def in_epochs(curves: Curves, lines: Sequence[dict]) -> list[float]:
    """Where lines stand on an axis of epochs, or of iterations where training goes by those."""
    return [line['iter'] / curves.epoch_length if 'iter' in line else line['step'] for line in lines]


def _read_lines(path: Path) -> Iterable[dict]:
    """Yield the lines that are whole: a run that was killed may have left a part of one."""
    for text in path.read_text(encoding='utf-8', errors='replace').splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            yield line


def _duration(path: Path) -> float:
    """Seconds from the start of a run, which its folder is named after, to the last line of its log."""
    folder = path.parents[1]
    try:
        start = datetime.strptime(folder.name, STAMP)
        text = (folder / f'{folder.name}.log').read_text(encoding='utf-8', errors='replace')
        *_, last = re.findall(r'^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - ', text, re.M)
        end = datetime.strptime(last, '%Y/%m/%d %H:%M:%S')
    except (OSError, ValueError):  # ValueError: there is no line, too
        return 0.0
    return max((end - start).total_seconds(), 0.0)
