from pathlib import Path

from mmdualformer.datasets.annotations import check_name, format_line

from .layout import Split, check_inside


def write_lists(root: Path, dataset: str, classes: list[str], splits: list[Split]) -> None:
    """Write MMAction2's lists, ``{dataset}_{split}_videos.txt``, and the names of the classes, ``label_map.txt``.

    Args:
        root (Path): The folder to write to.
        dataset (str): The data set's name.
        classes (list): The names of the classes, in the order of the labels.
        splits (list): What is in the lists.

    Raises:
        UserError: The name of a class or video cannot be in a list, or a file is a link that leads out of the folder;
            nothing is written then.
    """
    for name in classes:
        check_name(name)
    files = {
        f'{dataset}_{split.name}_videos.txt': [format_line(video, labels) for video, labels in split.samples]
        for split in splits
    }
    files['label_map.txt'] = classes
    for name in files:
        check_inside(root, root / name)
    for name, lines in files.items():
        (root / name).write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')
