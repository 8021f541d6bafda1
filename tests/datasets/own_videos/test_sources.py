import shutil

import pytest
from PIL import Image

from mmdualformer.datasets.own_videos import find_videos, leave_out_copies
from mmdualformer.errors import UserError


def places(found) -> list[tuple]:
    """The path and the labels of each video."""
    return [(video.path, video.labels) for video in found.videos]


def test_a_folder_with_a_sub_folder_for_each_class(folder):
    found = find_videos(folder)
    assert found.classes == ['jump', 'long jump', 'run']
    assert [video.labels for video in found.videos] == [(label,) for label in (0, 0, 1, 1, 1, 2, 2, 2, 2)]
    assert not found.multi_label
    assert {(video.name, video.parent) for video in found.videos if video.labels == (0,)} == {
        ('jump/0 a.MP4', ''),
        ('jump/more/1 a.MP4', 'more'),
    }


def write_frames(folder, *brightness) -> None:
    folder.mkdir(parents=True)
    for i, value in enumerate(brightness):
        Image.new('RGB', (8, 8), (value,) * 3).save(folder / f'img_{i:05}.png')


def test_folders_of_images_are_videos(folder):
    write_frames(folder / 'run' / 'clip', 1, 2, 3)
    write_frames(folder / 'run' / 'same', 1, 2, 3)
    write_frames(folder / 'run' / 'other', 3, 2, 1)
    write_frames(folder / 'still', 1, 2)
    found = find_videos(folder)
    assert found.classes == ['jump', 'long jump', 'run', 'still']
    assert [video.path for video in found.videos if video.path.is_dir()] == [
        folder / 'run/clip',
        folder / 'run/other',
        folder / 'run/same',
        folder / 'still',
    ]
    _, copies, shared = leave_out_copies(found)
    assert copies == {folder / 'run/same': folder / 'run/clip'} and not shared
    (folder / 'list.csv').write_text('run/clip,run\nstill,still\n')
    assert places(find_videos(folder / 'list.csv')) == [(folder / 'run/clip', (0,)), (folder / 'still', (1,))]


def test_folders_of_images_of_the_same_names_are_no_classes_of_splits(tmp_path):
    for name in ('jump', 'run'):
        for number in ('1', '2'):
            write_frames(tmp_path / name / number, 1, 2)
    assert find_videos(tmp_path).classes == ['jump', 'run']


def test_what_is_no_video_of_a_class_is_counted(folder):
    (folder / '0.mp4').touch()
    (folder / '__MACOSX').mkdir()
    (folder / 'run' / '._0 a.MP4').touch()
    assert find_videos(folder).left_out == {'.txt': 1, 'videos outside the sub-folders': 1, 'AppleDouble files ._*': 1}
    assert find_videos(folder).classes == ['jump', 'long jump', 'run']


@pytest.mark.parametrize(
    ('names', 'splits'),
    [
        (('train', 'val'), ['train', 'val']),
        (('videos_train', 'videos_val'), ['train', 'val']),
        (('Train', 'Test', 'valid'), ['test', 'train', 'val']),
        (('training', 'testing'), ['test', 'train']),
    ],
)
def test_folders_of_splits_are_the_split(folder, names, splits):
    for name in names:
        shutil.copytree(folder, folder.parent / 'split' / name)
    (folder.parent / 'split' / names[0] / 'over.mp4').touch()
    shutil.rmtree(folder.parent / 'split' / names[1] / 'run')
    found = find_videos(folder.parent / 'split')
    assert found.classes == ['jump', 'long jump', 'run']
    assert sorted({video.split for video in found.videos}) == splits
    assert found.left_out['videos outside the sub-folders'] == 1
    assert {video.name.split('/')[0] for video in found.videos} == {'jump', 'long jump', 'run'}


@pytest.mark.parametrize('names', [('train',), ('val', 'test'), ('train', 'val', 'validation')])
def test_folders_of_splits_that_are_none(folder, names):
    for name in names:
        shutil.copytree(folder, folder.parent / 'split' / name)
    with pytest.raises(UserError, match='folders of splits are train, and val or test or both, each with one'):
        find_videos(folder.parent / 'split')


def test_a_split_has_no_class_that_is_not_trained_on(folder):
    for name in ('train', 'val'):
        shutil.copytree(folder, folder.parent / 'split' / name)
    (folder.parent / 'split' / 'val' / 'run').rename(folder.parent / 'split' / 'val' / 'swim')
    with pytest.raises(UserError, match=r"class 'swim' of .* is only in val, as .*/val/swim/0 a\.MP4'; it must have"):
        find_videos(folder.parent / 'split')
    shutil.rmtree(folder.parent / 'split' / 'val')
    shutil.copytree(folder / 'run' / 'more', folder.parent / 'split' / 'val')
    with pytest.raises(UserError, match="split/val' is a split without sub-folders; it must have one a class"):
        find_videos(folder.parent / 'split')


def test_folders_of_the_same_classes_are_no_classes(folder):
    for name in ('monday', 'tuesday'):
        shutil.copytree(folder, folder.parent / 'days' / name)
    with pytest.raises(
        UserError,
        match='monday, tuesday with the same sub-folders in each; if they are classes, and those in them persons',
    ):
        find_videos(folder.parent / 'days')
    assert find_videos(folder.parent / 'days', group_by='parent').classes == ['monday', 'tuesday']


def test_classes_may_have_a_folder_of_the_same_name(folder):
    for name in ('run', 'long jump', 'jump'):
        assert (folder / name / 'more').is_dir()
    assert len(find_videos(folder).classes) == 3


def test_folders_that_cannot_be_used(folder, tmp_path):
    with pytest.raises(UserError, match='does not exist; give a folder'):
        find_videos(tmp_path / 'nowhere')
    with pytest.raises(UserError, match=r'has 1 classes \(more\)'):
        find_videos(folder / 'jump')
    (folder / 'empty').mkdir()
    with pytest.raises(UserError, match="class 'empty' has no video; known are"):
        find_videos(folder)


@pytest.mark.parametrize('name', ['long\njump', b'l\xe4ufer'.decode(errors='surrogateescape')])
def test_names_that_no_list_can_hold(folder, name):
    (folder / 'run').rename(folder / name)
    with pytest.raises(UserError, match=r'has a line break or is no UTF-8, and cannot be in a list; rename it$'):
        find_videos(folder)


def test_more_videos_are_of_the_same_classes(folder):
    """As --val gives them."""
    found = find_videos(folder, ['run', 'swim', 'jump', 'long jump'], '--val')
    assert found.classes == ['run', 'swim', 'jump', 'long jump']
    assert [video.labels[0] for video in found.videos] == [2, 2, 3, 3, 3, 0, 0, 0, 0]
    with pytest.raises(
        UserError, match=r"^--val .* has class 'run', as .*; the classes to train on are jump, long jump$"
    ):
        find_videos(folder, ['jump', 'long jump'], '--val')
    for name in ('train', 'val'):
        shutil.copytree(folder, folder.parent / 'split' / name)
    with pytest.raises(UserError, match=r'^--test .* is split itself; give a folder'):
        find_videos(folder.parent / 'split', found.classes, '--test')
    (folder / 'list.csv').write_text('run/0 a.MP4,0\n')
    with pytest.raises(UserError, match=r"^--val .* has class '0'"):
        find_videos(folder / 'list.csv', found.classes, '--val')
    (folder / 'list.csv').write_text('run/0 a.MP4,run\n')
    assert places(find_videos(folder / 'list.csv', found.classes, '--val')) == [(folder / 'run/0 a.MP4', (0,))]
