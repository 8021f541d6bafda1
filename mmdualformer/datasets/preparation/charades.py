import csv
from pathlib import Path

from .layout import Split, locate, make_split


def read_charades(root: Path) -> tuple[list[str], list[Split]]:
    """Read Charades, whose videos have several labels, or none.

    ``Charades_v1/`` or ``Charades_v1_480/`` holds ``{id}.mp4``; ``Charades_v1_{train,test}.csv`` have the columns id
    and actions, such as ``c092 11.90 21.20;c147 0.00 12.60``, and ``Charades_v1_classes.txt`` a ``c092 name`` line for
    each class.

    Args:
        root (Path): The data set's folder.

    Returns:
        tuple: The names of the classes, and the splits.

    Raises:
        UserError: A file is missing.
    """
    lines = _locate(root, 'Charades_v1_classes.txt').read_text(encoding='utf-8').splitlines()
    classes = [name for _, name in sorted(line.split(maxsplit=1) for line in lines if line.strip())]
    source = locate(root, 'videos', 'Charades_v1_480', 'Charades_v1')
    splits = []
    for name, part in (('train', 'train'), ('val', 'test')):
        with open(_locate(root, f'Charades_v1_{part}.csv'), encoding='utf-8', newline='') as file:
            annotated = [(f'{row["id"]}.mp4', _labels(row['actions'])) for row in csv.DictReader(file)]
        splits.append(make_split(f'{name}_list', 'videos', source, annotated))
    return classes, splits


def _labels(actions: str) -> list[int]:
    return sorted({int(action.split()[0].removeprefix('c')) for action in actions.split(';') if action.strip()})


def _locate(root: Path, name: str) -> Path:
    return locate(root, name, f'Charades/{name}', f'annotations/{name}')
