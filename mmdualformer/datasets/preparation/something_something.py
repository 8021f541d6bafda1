from pathlib import Path

from mmdualformer.errors import UserError

from .layout import Split, locate, make_split, read_json, reading


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
        UserError: A file is missing, or an entry is not what it must be.
    """
    path = _locate(root, 'labels')
    numbers = {}
    for name, number in read_json(path, dict).items():
        with reading(f'{path} class {name!r}', number, 'its number'):
            numbers[name] = int(number)
    if sorted(numbers.values()) != list(range(len(numbers))):
        raise UserError(f'{path} must number its classes from 0, without a gap')
    source = locate(root, 'videos', '20bn-something-something-v2')
    splits = []
    for name, part in (('train', 'train'), ('val', 'validation')):
        path = _locate(root, part)
        annotated = []
        for number, entry in enumerate(read_json(path, list)):
            with reading(f'{path} entry {number}', entry, 'an id and the template of a class'):
                template = entry['template'].replace('[', '').replace(']', '')
                annotated.append((f'{entry["id"]}.webm', [numbers[template]]))
        splits.append(make_split(f'{name}_list', 'videos', source, annotated))
    return sorted(numbers, key=numbers.__getitem__), splits


def _locate(root: Path, name: str) -> Path:
    official = f'something-something-v2-{name}.json'
    return locate(root, official, f'labels/{name}.json', f'annotations/{official}')
