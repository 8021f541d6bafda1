import json
from pathlib import Path

from .layout import Split, locate, make_split


def read_something_something(root: Path) -> tuple[list[str], list[Split]]:
    """Read Something-Something V2.

    ``20bn-something-something-v2/`` holds ``{id}.webm``; ``something-something-v2-{labels,train,validation}.json``, or
    ``labels/{labels,train,validation}.json`` in later downloads, the number of each class and the class of each video,
    whose template has brackets around the things.

    Args:
        root (Path): The data set's folder.

    Returns:
        tuple: The names of the classes, and the splits.

    Raises:
        UserError: A file is missing.
    """
    numbers = {name: int(number) for name, number in _load(root, 'labels').items()}
    source = locate(root, 'videos', '20bn-something-something-v2')
    splits = []
    for name, part in (('train', 'train'), ('val', 'validation')):
        annotated = [(f'{entry["id"]}.webm', [numbers[entry['template'].replace('[', '').replace(']', '')]])
                     for entry in _load(root, part)]
        splits.append(make_split(f'{name}_list', 'videos', source, annotated))
    return sorted(numbers, key=numbers.get), splits


def _load(root: Path, name: str) -> dict | list:
    official = f'something-something-v2-{name}.json'
    path = locate(root, official, f'labels/{name}.json', f'annotations/{official}')
    return json.loads(path.read_text(encoding='utf-8'))
