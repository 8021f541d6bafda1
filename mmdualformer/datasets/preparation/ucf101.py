from pathlib import Path

from mmdualformer.datasets.annotations import parse_line

from .layout import Split, locate, make_split


def read_ucf101(root: Path) -> tuple[list[str], list[Split]]:
    """Read UCF-101 with its three splits.

    ``UCF-101/`` has a folder of videos for each class, ``ucfTrainTestlist/{trainlist,testlist}0{1,2,3}.txt`` their
    paths, and ``classInd.txt`` there the classes, of which the first is number 1.

    Args:
        root (Path): The data set's folder.

    Returns:
        tuple: The names of the classes, and the splits.

    Raises:
        UserError: A file is missing.
    """
    lists = locate(root, 'ucfTrainTestlist', 'annotations')
    index = locate(lists, 'classInd.txt').read_text(encoding='utf-8')
    numbered = (line.split() for line in index.splitlines() if line.strip())
    classes = [name for _, name in sorted((int(number), name) for number, name in numbered)]
    source = locate(root, 'videos', 'UCF-101')
    splits = []
    for number in (1, 2, 3):
        for name, part in (('train', 'trainlist'), ('val', 'testlist')):
            lines = locate(lists, f'{part}{number:02d}.txt').read_text(encoding='utf-8').splitlines()
            videos = [parse_line(line)[0] for line in lines if line.strip()]  # test lists have no labels
            annotated = [(video, [classes.index(video.partition('/')[0])]) for video in videos]
            splits.append(make_split(f'{name}_split_{number}', 'videos', source, annotated))
    return classes, splits
