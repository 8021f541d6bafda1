"""Images in one folder a class, to train the 2D models that video models start from."""

import os
from collections.abc import Sequence
from pathlib import Path

from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS
from mmengine.fileio import list_from_file

from mmdualformer.errors import UserError

from .annotations import read_list

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')


def find_classes(root: str | Path, classes: str | Sequence[str] | None = None) -> list[str]:
    """Name the classes of an image folder in the order of their labels.

    Args:
        root (str or Path): The folder of the class folders.
        classes (str or sequence, optional): The names, or a file with one a line. Defaults to None, the sorted names of
            the class folders.

    Raises:
        UserError: There is no such folder or file, or no class folder in it.
    """
    if not Path(root).is_dir():
        raise UserError(f'image folder {str(root)!r} does not exist')
    if classes is None:
        classes = sorted(path.name for path in Path(root).iterdir() if path.is_dir() and path.name[0] != '.')
    elif isinstance(classes, str):
        if not Path(classes).is_file():
            raise UserError(f'metainfo.classes={classes!r} must be names, or a file with one name a line')
        classes = list_from_file(classes)
    if not classes:
        raise UserError(f'image folder {str(root)!r} has no class folders; it must be CLASS/*.JPEG inside')
    return list(classes)


@DATASETS.register_module()
class ImageFolderDataset(BaseActionDataset):
    """Images as ImageNet is laid out, ``root/class_name/*.JPEG``.

    A pipeline begins with MMAction2's ``ImageDecode`` and ``BuildPseudoClip(clip_len=1)``: an image is a clip of one
    frame.

    Args:
        pipeline (sequence): Transforms.
        data_prefix (dict): ``img``, the root. Defaults to ``dict(img='')``, ``data_root`` itself.
        ann_file (str): A list of ``path label`` lines, paths below the root, for images that are not in class folders.
            Defaults to ``''``, none.
        metainfo (dict, optional): ``classes``, the class folders in the order of their labels, as names or as a file
            with one a line; other folders are left out. Defaults to None, all class folders, sorted.
        **kwargs: Those of ``BaseActionDataset``.

    Raises:
        UserError: There is no folder, no class folder, or no image in a class folder; raised as the images are listed.
    """

    def __init__(self, pipeline: Sequence, data_prefix: dict = dict(img=''), ann_file: str = '', **kwargs) -> None:
        super().__init__(ann_file, pipeline, data_prefix=dict(data_prefix), **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the images: for each ``filename`` and ``label``."""
        root = Path(self.data_prefix['img'])
        if self.ann_file:
            return [dict(filename=image, label=label) for image, (label,), _ in read_list(self.ann_file, str(root))]

        self._metainfo['classes'] = find_classes(root, self._metainfo.get('classes'))
        data_list = []
        for label, name in enumerate(self._metainfo['classes']):
            folder = root / name
            if not folder.is_dir():
                raise UserError(f'class folder {str(folder)!r}, which metainfo.classes names, does not exist')
            images = sorted(entry.path for entry in os.scandir(folder) if entry.name.lower().endswith(IMAGE_SUFFIXES))
            if not images:
                raise UserError(f'class folder {str(folder)!r} has no images ({", ".join(IMAGE_SUFFIXES)})')
            data_list += [dict(filename=image, label=label) for image in images]
        return data_list
