"""Whether a run goes on, and from which checkpoint."""

import logging
import os
from pathlib import Path
from typing import NamedTuple

from mmengine.logging import print_log

from mmdualformer.errors import UserError
from mmdualformer.finite import refuse_non_finite_state
from mmdualformer.weights import check_state_of_training, load_safely, read_progress


class _Age(NamedTuple):
    """When a checkpoint was written, and at which step."""

    time: float
    step: int

    def rank(self, last: '_Age | None') -> tuple:
        """What checkpoints are sorted by, given the age of the one that was named as the last."""
        is_after = last is not None and self.time >= last.time and self.step >= last.step
        return (True, self.step, self.time) if is_after or self == last else (False, self.time, self.step)


def find_newest(work_dir: str) -> str | None:
    """Find the newest checkpoint of a work dir that can be loaded and holds neither NaN nor infinity.

    It is the one that ``last_checkpoint`` names, unless one was written after it that got further. Where that is
    missing or cannot be loaded, it is the one that was written last. Files that hold no state of training, such as the
    best of a run, are not looked at. The log says which others are passed over.

    Args:
        work_dir (str): Its ``last_checkpoint`` may name a file of another folder, which is looked into too. What it
            names is given back as it is if it is an address, or a folder as DeepSpeed writes.

    Returns:
        str or None: The path; None if there are no checkpoints.

    Raises:
        UserError: There are checkpoints, and none can be loaded.
    """
    named = _read_pointer(Path(work_dir))
    if '://' in named or (named and Path(named).is_dir()):
        return named
    folders = {Path(work_dir), Path(named).parent} if named else {Path(work_dir)}
    paths = {path for folder in folders for path in folder.glob('*.pth') if path.is_file()}
    if Path(named).is_file():
        paths.add(Path(named))
    passed_over = []
    found: dict[str, _Age] = {}
    for path in sorted(paths):
        try:
            progress = read_progress(str(path))
        except UserError as error:
            if not path.name.startswith('best_'):
                passed_over.append(str(error))
            continue
        if progress['can_resume']:
            found[str(path)] = _Age(path.stat().st_mtime, progress['iter'])
    last = found.get(named) or found.get(str(Path(work_dir, Path(named).name)))  # the folder may have been moved
    for newest in sorted(found, key=lambda path: found[path].rank(last), reverse=True):
        try:
            checkpoint = load_safely(newest)
            check_state_of_training(checkpoint, newest)
            refuse_non_finite_state(checkpoint, newest)
        except UserError as error:
            passed_over.append(str(error))
            continue
        for reason in passed_over:
            print_log(f'passed over: {reason}', 'current', logging.WARNING)
        return newest
    if passed_over:
        raise UserError(
            f'none of the {len(passed_over)} checkpoints in {work_dir} can be gone on from; to start anew, move them '
            f'away: {passed_over[-1]}'
        )
    return None


def was_started_again() -> bool:
    """Whether Slurm has queued this job again, or torchrun has replaced this process."""
    return any(os.environ.get(f'{launcher}_RESTART_COUNT', '0') != '0' for launcher in ('SLURM', 'TORCHELASTIC'))


def _read_pointer(work_dir: Path) -> str:
    """What the ``last_checkpoint`` of a work dir names; nothing if it is missing or empty."""
    pointer = work_dir / 'last_checkpoint'
    return pointer.read_text(encoding='utf-8', errors='replace').strip() if pointer.is_file() else ''
