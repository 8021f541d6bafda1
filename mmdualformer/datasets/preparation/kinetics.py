from pathlib import Path

from .layout import Split, index_videos, locate, make_split, read_rows, reading

COLUMNS = ('label', 'youtube_id', 'time_start', 'time_end')


def read_kinetics(root: Path) -> tuple[list[str], list[Split]]:
    """Read Kinetics-400, -600 or -700 as the CVDF distributes it.

    ``train/`` and ``val/`` hold ``{youtube_id}_{start:06d}_{end:06d}.mp4``, with or without a folder for each class;
    ``annotations/{train,val}.csv`` have the columns label, youtube_id, time_start and time_end. The classes are
    in the order of their names, as in MMAction2's label maps.

    Args:
        root (Path): The data set's folder.

    Returns:
        tuple: The names of the classes, and the splits.

    Raises:
        UserError: A file or column is missing, or a row is not what it must be.
    """
    annotations = {
        name: _read_annotations(locate(root, f'annotations/{name}.csv', f'{name}.csv')) for name in ('train', 'val')
    }
    classes = sorted({label for rows in annotations.values() for _, label in rows})
    index = {label: i for i, label in enumerate(classes)}
    splits = []
    for name, rows in annotations.items():
        source = locate(root, f'videos_{name}', name)
        videos = index_videos(source)
        annotated = [(videos.get(video, f'{video}.mp4'), [index[label]]) for video, label in rows]
        splits.append(make_split(f'{name}_list', f'videos_{name}', source, annotated))
    return classes, splits


def _read_annotations(path: Path) -> list[tuple[str, str]]:
    """Return the name of each video, and of its class."""
    videos = []
    for place, row in read_rows(path, COLUMNS):
        with reading(place, row, 'a label, a youtube_id, and a time_start and time_end in seconds'):
            start, end = (int(float(row[name])) for name in ('time_start', 'time_end'))
            videos.append((f'{row["youtube_id"]}_{start:06d}_{end:06d}', row['label'].strip('"')))
    return videos
