"""Which checkpoint a run goes on from."""

import logging
from pathlib import Path

from mmengine.logging import print_log

from mmdualformer.errors import UserError
from mmdualformer.finite import refuse_non_finite_state
from mmdualformer.weights import check_state_of_training, load_safely, read_progress


def find_newest(work_dir: str) -> str | None:
    """Find the checkpoint of a work dir that got furthest, can be loaded and holds neither NaN nor infinity.

    Files that hold no state of training, such as the best of a run, are not looked at. The log says which others are
    passed over.

    Args:
        work_dir (str): Its ``last_checkpoint`` may name a file of another folder, which is looked into too.

    Returns:
        str or None: The path; None if there are no checkpoints.

    Raises:
        UserError: There are checkpoints, and none can be loaded.
    """
    folders = {Path(work_dir)}
    pointer = Path(work_dir, 'last_checkpoint')
    if pointer.is_file() and (named := pointer.read_text(encoding='utf-8', errors='replace').strip()):
        folders.add(Path(named).parent)
    passed_over = []
    found = []
    for path in sorted(path for folder in folders for path in folder.glob('*.pth')):
        try:
            progress = read_progress(str(path))
        except UserError as error:
            if not path.name.startswith('best_'):
                passed_over.append(str(error))
            continue
        if progress['can_resume']:
            found.append((progress['iter'], path.stat().st_mtime, str(path)))
    for _, _, newest in sorted(found, reverse=True):
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
