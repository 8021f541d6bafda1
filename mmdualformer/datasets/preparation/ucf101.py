from pathlib import Path

from mmdualformer.datasets.annotations import parse_line, read_lines

from .layout import Split, locate, make_split, reading


def read_ucf101(root: Path) -> tuple[list[str], list[Split]]:
    """Read UCF-101 with its three splits.

    ``UCF-101/`` has a folder of videos for each class, ``ucfTrainTestlist/{trainlist,testlist}0{1,2,3}.txt`` their
    paths, and ``classInd.txt`` there the classes, of which the first is number 1.

    Args:
        root (Path): The data set's folder.

    Returns:
        tuple: The names of the classes, and the splits.

    Raises:
        UserError: A file is missing, or a line is not what it must be.
    """
    lists = locate(root, 'ucfTrainTestlist', 'annotations')
    numbered = []
    for place, line in _read(locate(lists, 'classInd.txt')):
        with reading(place, line, 'a number and the name of a class'):
            number, name = line.split()
            numbered.append((int(number), name))
    classes = [name for _, name in sorted(numbered)]
    source = locate(root, 'videos', 'UCF-101')
    splits = []
    for split in (1, 2, 3):
        for name, part in (('train', 'trainlist'), ('val', 'testlist')):
            annotated = []
            for place, line in _read(locate(lists, f'{part}{split:02d}.txt')):
                with reading(place, line, 'CLASS/VIDEO, of a class in classInd.txt'):
                    video, _ = parse_line(line)  # test lists have no labels
                    annotated.append((video, [classes.index(video.partition('/')[0])]))
            splits.append(make_split(f'{name}_split_{split}', 'videos', source, annotated))
    return classes, splits


def _read(path: Path) -> list[tuple[str, str]]:
    """Return the lines that are not empty, each after the words for its place."""
    return [(f'{path} line {number}', line) for number, line in enumerate(read_lines(path), 1) if line.strip()]
