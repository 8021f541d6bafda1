from pathlib import Path

from mmdualformer.datasets.annotations import read_lines
from mmdualformer.errors import UserError

from .layout import Split, locate, make_split, reading

UNUSED, TRAIN, TEST = '0', '1', '2'  # marks in the split files


def read_hmdb51(root: Path) -> tuple[list[str], list[Split]]:
    """Read HMDB-51 with its three splits.

    A folder for each class holds the videos, in ``videos/``, ``hmdb51_org/`` or the root itself;
    ``testTrainMulti_7030_splits/{class}_test_split{1,2,3}.txt`` have a ``video mark`` line for each. The classes are in
    the order of their names, as in MMAction2's label map.

    Args:
        root (Path): The data set's folder.

    Returns:
        tuple: The names of the classes, and the splits.

    Raises:
        UserError: A file is missing, or a line is not what it must be.
    """
    marks = locate(root, 'testTrainMulti_7030_splits', 'annotations')
    classes = sorted(path.name.removesuffix('_test_split1.txt') for path in marks.glob('*_test_split1.txt'))
    if not classes:
        raise UserError(f'{marks} has no CLASS_test_split1.txt')
    source = locate(root, 'videos', 'hmdb51_org', '.')
    splits = []
    for number in (1, 2, 3):
        videos: dict[str, list[tuple[str, list[int]]]] = {UNUSED: [], TRAIN: [], TEST: []}
        for label, name in enumerate(classes):
            path = locate(marks, f'{name}_test_split{number}.txt')
            for place, line in enumerate(read_lines(path), 1):
                if line.strip():
                    with reading(f'{path} line {place}', line, 'a video and 0, 1 or 2'):
                        video, mark = line.rsplit(maxsplit=1)
                        videos[mark].append((f'{name}/{video}', [label]))
        splits.append(make_split(f'train_split_{number}', 'videos', source, videos[TRAIN]))
        splits.append(make_split(f'val_split_{number}', 'videos', source, videos[TEST]))
    return classes, splits
