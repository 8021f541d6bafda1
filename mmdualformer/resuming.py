"""Which checkpoint a run goes on from."""

from pathlib import Path
from typing import NamedTuple

from mmdualformer.errors import UserError
from mmdualformer.weights import check_state_of_training, load_safely, read_progress


class Newest(NamedTuple):
    """The checkpoint that got furthest.

    Attributes:
        path (str, optional): The file; None if the folder has none.
        passed_over (list): Why files that may have got further are not it.
    """

    path: str | None
    passed_over: list[str]


def find_newest(work_dir: str) -> Newest:
    """Find the checkpoint of a work dir that got furthest and can be loaded.

    Files that hold no state of training, such as the best of a run, are not looked at.

    Args:
        work_dir (str): Its ``last_checkpoint`` may name a file of another folder, which is looked into too.

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
    for _, _, path in sorted(found, reverse=True):
        try:
            check_state_of_training(load_safely(path), path)
            return Newest(path, passed_over)
        except UserError as error:
            passed_over.append(str(error))
    if passed_over:
        raise UserError(
            f'none of the {len(passed_over)} checkpoints in {work_dir} can be gone on from; to start anew, move them '
            f'away: {passed_over[-1]}'
        )
    return Newest(None, [])
