import json
from pathlib import Path

from .layout import Split, locate, make_split


def read_diving48(root: Path) -> tuple[list[str], list[Split]]:
    """Read Diving-48 with the labels of V2.

    ``rgb/`` holds the videos, ``Diving48_V2_{train,test}.json`` their names and labels, and ``Diving48_vocab.json`` the
    four words of each class, such as Back, 15som, 05Twis and FREE.

    Args:
        root (Path): The data set's folder.

    Returns:
        tuple: The names of the classes, and the splits.

    Raises:
        UserError: A file is missing.
    """
    vocabulary = json.loads(_locate(root, 'Diving48_vocab.json').read_text(encoding='utf-8'))
    classes = ['+'.join(words) for words in vocabulary]
    source = locate(root, 'videos', 'rgb')
    splits = []
    for name, part in (('train', 'train'), ('val', 'test')):
        entries = json.loads(_locate(root, f'Diving48_V2_{part}.json').read_text(encoding='utf-8'))
        annotated = [(f'{entry["vid_name"]}.mp4', [entry['label']]) for entry in entries]
        splits.append(make_split(f'{name}_list', 'videos', source, annotated))
    return classes, splits


def _locate(root: Path, name: str) -> Path:
    return locate(root, name, f'annotations/{name}')
