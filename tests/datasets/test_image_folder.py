import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from mmdualformer.datasets import ImageFolderDataset
from mmdualformer.errors import UserError
from tests.helpers import REPO

COLOURS = {'cat': (250, 20, 60), 'ant': (10, 200, 30), 'dog': (90, 90, 240)}


@pytest.fixture
def root(tmp_path):
    """Two images of each class, one colour a class, among files and folders that are no classes and no images."""
    root = tmp_path / 'images'
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for i, suffix in enumerate(('JPEG', 'png')):
            Image.new('RGB', (300, 280 + i), colour).save(root / name / f'{i}.{suffix}')
    (root / 'cat' / 'notes.txt').write_text('no image')
    (root / 'list.txt').write_text('no class')
    (root / '.cache').mkdir()
    return root


def build(root, **settings) -> ImageFolderDataset:
    return ImageFolderDataset([], data_prefix=dict(img=str(root)), **settings)


def files(dataset) -> list:
    infos = map(dataset.get_data_info, range(len(dataset)))
    return [(info['filename'].split('/')[-2:], info['label']) for info in infos]


def test_labels_count_the_sorted_class_folders(root):
    dataset = build(root)
    assert dataset.metainfo['classes'] == ['ant', 'cat', 'dog']
    assert files(dataset) == [
        ([name, file], label) for label, name in enumerate(['ant', 'cat', 'dog']) for file in ('0.JPEG', '1.png')
    ]


def test_named_classes_choose_and_order(root, tmp_path):
    (tmp_path / 'names.txt').write_text('dog\nant\n')
    for classes in (['dog', 'ant'], str(tmp_path / 'names.txt')):
        dataset = build(root, metainfo=dict(classes=classes))
        assert [(name, label) for (name, _), label in files(dataset)] == [
            ('dog', 0),
            ('dog', 0),
            ('ant', 1),
            ('ant', 1),
        ]


def test_a_list_gives_the_labels_of_images_in_any_folder(root, tmp_path):
    (tmp_path / 'val.txt').write_text('dog/1.png 5\ncat/0.JPEG 7\n\n')
    dataset = ImageFolderDataset([], data_root=str(tmp_path), data_prefix=dict(img='images'), ann_file='val.txt')
    assert files(dataset) == [(['dog', '1.png'], 5), (['cat', '0.JPEG'], 7)]


@pytest.mark.parametrize('pipeline', ['train', 'val'])
def test_an_image_is_a_clip_of_one_frame(root, pipeline):
    """Through the pipelines of ImageNet; what they put in is what the 2D model takes, in RGB."""
    cfg = Config.fromfile(REPO / 'configs/dualformer_t_in1k.py')
    init_default_scope('mmaction')
    settings = cfg[f'{pipeline}_dataloader'].dataset
    settings.data_prefix.img = str(root)
    dataset = DATASETS.build(settings)
    for i in range(len(dataset)):
        sample = dataset[i]
        assert sample['inputs'].shape == (1, 3, 1, 224, 224) and sample['inputs'].dtype == torch.uint8
        assert sample['data_samples'].gt_label.tolist() == [i // 2]
        if pipeline == 'val':
            colour = COLOURS[dataset.metainfo['classes'][i // 2]]
            difference = sample['inputs'][0, :, 0].int() - torch.tensor(colour)[:, None, None]
            assert difference.abs().max() <= 3  # JPEG


def test_validation_is_the_middle_of_the_image(tmp_path):
    """224 of 256 pixels of the short side: of a horizontal ramp, the middle 7/8."""
    (tmp_path / 'ramp').mkdir()
    ramp = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (256, 1, 3))
    Image.fromarray(ramp).save(tmp_path / 'ramp' / '0.png')
    cfg = Config.fromfile(REPO / 'configs/dualformer_t_in1k.py')
    init_default_scope('mmaction')
    dataset = DATASETS.build(dict(cfg.val_dataloader.dataset, data_prefix=dict(img=str(tmp_path))))
    assert dataset[0]['inputs'][0, 0, 0, 0].tolist() == list(range(16, 240))


def test_unusable_folders(root, tmp_path):
    with pytest.raises(UserError, match=r"image folder '.*/none' does not exist"):
        build(tmp_path / 'none')
    with pytest.raises(UserError, match=r'has no class folders; it must be CLASS/\*\.JPEG inside'):
        build(root / 'cat')
    with pytest.raises(UserError, match=r"class folder '.*/bird', which metainfo\.classes names, does not exist"):
        build(root, metainfo=dict(classes=['cat', 'bird']))
    with pytest.raises(UserError, match=r"metainfo\.classes='none\.txt' must be names, or a file"):
        build(root, metainfo=dict(classes='none.txt'))
    (root / 'empty').mkdir()
    with pytest.raises(UserError, match=r"class folder '.*/empty' has no images \(\.bmp, .*\.jpeg"):
        build(root)
