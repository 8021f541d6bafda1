from pathlib import Path

from .layout import Split, check_label, locate, make_split, read_json, reading


def read_diving48(root: Path) -> tuple[list[str], list[Split]]:
    """Read Diving-48 with the labels of V2.

    ``rgb/`` holds the videos, ``Diving48_V2_{train,test}.json`` their names and labels, and ``Diving48_vocab.json`` the
    four words of each class, such as Back, 15som, 05Twis and FREE.

    Args:
        root (Path): The data set's folder.

    Returns:
        tuple: The names of the classes, and the splits.

    Raises:
        UserError: A file is missing, or an entry is not what it must be.
    """
    vocabulary = _locate(root, 'Diving48_vocab.json')
    classes = []
    for number, words in enumerate(read_json(vocabulary, list)):
        with reading(f'{vocabulary} class {number}', words, 'a list of words'):
            classes.append('+'.join(words))
    source = locate(root, 'videos', 'rgb')
    splits = []
    for name, part in (('train', 'train'), ('val', 'test')):
        path = _locate(root, f'Diving48_V2_{part}.json')
        annotated = []
        for number, entry in enumerate(read_json(path, list)):
            with reading(f'{path} entry {number}', entry, f'a vid_name and a label of 0 to {len(classes) - 1}'):
                annotated.append((f'{entry["vid_name"]}.mp4', [check_label(entry['label'], classes)]))
        splits.append(make_split(f'{name}_list', 'videos', source, annotated))
    return classes, splits


def _locate(root: Path, name: str) -> Path:
    return locate(root, name, f'annotations/{name}')
