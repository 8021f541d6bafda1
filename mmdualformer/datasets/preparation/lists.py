from pathlib import Path

from mmdualformer.datasets.annotations import format_line

from .layout import Split


def write_lists(root: Path, dataset: str, classes: list[str], splits: list[Split]) -> None:
    """Write MMAction2's lists, ``{dataset}_{split}_videos.txt``, and the names of the classes, ``label_map.txt``.

    Args:
        root (Path): The folder to write to.
        dataset (str): The data set's name.
        classes (list): The names of the classes, in the order of the labels.
        splits (list): What is in the lists.
    """
    for split in splits:
        lines = [format_line(video, labels) for video, labels in split.samples]
        _write_lines(root / f'{dataset}_{split.name}_videos.txt', lines)
    _write_lines(root / 'label_map.txt', classes)


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')
