from pathlib import Path

from mmdualformer.datasets.annotations import read_lines
from mmdualformer.errors import UserError

from .layout import Split, check_label, locate, make_split, read_rows, reading


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
        UserError: A file is missing, or an entry is not what it must be.
    """
    path = _locate(root, 'Charades_v1_classes.txt')
    codes = dict(_read_class(path, number, line) for number, line in enumerate(read_lines(path), 1) if line.strip())
    if sorted(codes) != list(range(len(codes))):
        raise UserError(f'{path} must number its classes from c000, without a gap')
    classes = [codes[label] for label in range(len(codes))]
    source = locate(root, 'videos', 'Charades_v1_480', 'Charades_v1')
    splits = []
    for name, part in (('train', 'train'), ('val', 'test')):
        annotated = []
        for place, row in read_rows(_locate(root, f'Charades_v1_{part}.csv'), ('id', 'actions')):
            with reading(place, row, 'an id, and actions such as c092 11.90 21.20'):
                annotated.append((f'{row["id"]}.mp4', _labels(row['actions'], classes)))
        splits.append(make_split(f'{name}_list', 'videos', source, annotated))
    return classes, splits


def _read_class(path: Path, number: int, line: str) -> tuple[int, str]:
    with reading(f'{path} line {number}', line, 'a class, such as c092 and its name'):
        code, name = line.split(maxsplit=1)
        return _number(code), name.strip()


def _labels(actions: str, classes: list[str]) -> list[int]:
    codes = (action.split()[0] for action in actions.split(';') if action.strip())
    return sorted({check_label(_number(code), classes) for code in codes})


def _number(code: str) -> int:
    return int(code.removeprefix('c'))


def _locate(root: Path, name: str) -> Path:
    return locate(root, name, f'Charades/{name}', f'annotations/{name}')
