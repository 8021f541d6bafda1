import os
import shutil
import signal

import pytest
from PIL import Image

from mmdualformer.datasets.own_videos import (
    OwnVideos,
    cleaning,
    find_videos,
    leave_out_copies,
    leave_out_unreadable,
    split,
    write_training_lists,
)
from mmdualformer.errors import UserError
from tests.helpers import break_off, write_video


@pytest.fixture
def folder(motion_root, tmp_path):
    """Three classes of two, three and four clips, one of them in a deeper folder, and a file that is no video."""
    clips = iter(sorted(motion_root.glob('videos_train/*.mp4')))
    for name, count in (('jump', 2), ('long jump', 3), ('run', 4)):
        (tmp_path / 'mine' / name / 'more').mkdir(parents=True)
        for i in range(count):
            place = tmp_path / 'mine' / name / ('more' if i == 1 else '')
            shutil.copy(next(clips), place / f'{i} a.MP4')
    (tmp_path / 'mine' / 'jump' / 'notes.txt').write_text('mine')
    (tmp_path / 'mine' / '.hidden').mkdir()
    return tmp_path / 'mine'


def test_a_folder_with_a_sub_folder_for_each_class(folder):
    found = find_videos(folder)
    assert found.classes == ['jump', 'long jump', 'run']
    assert [label for _, label in found.videos] == [0, 0, 1, 1, 1, 2, 2, 2, 2]
    readable, unreadable, _ = leave_out_unreadable(found, workers=2)
    assert readable == found and unreadable == []


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
    assert [path for path, _ in found.videos if path.is_dir()] == [
        folder / 'run/clip',
        folder / 'run/other',
        folder / 'run/same',
        folder / 'still',
    ]
    kept, shared = leave_out_copies(found)
    assert set(found.videos) - set(kept.videos) == {(folder / 'run/same', 2)} and not shared
    (folder / 'list.csv').write_text('run/clip,run\nstill,still\n')
    assert find_videos(folder / 'list.csv').videos == [(folder / 'run/clip', 0), (folder / 'still', 1)]


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


@pytest.mark.parametrize('header', ['', 'path,label\n'])
def test_a_csv_of_names_or_numbers(folder, header):
    table = folder / 'list.csv'
    table.write_text(header + 'run/0 a.MP4,run\njump/0 a.MP4, jump\n')
    found = find_videos(table)
    assert found.classes == ['jump', 'run']
    assert found.videos == [(folder / 'run/0 a.MP4', 1), (folder / 'jump/0 a.MP4', 0)]
    table.write_text(header + 'run/0 a.MP4,1\njump/0 a.MP4,0\n')
    assert find_videos(table).videos == found.videos


def test_a_csv_of_a_spreadsheet(folder):
    """Excel marks UTF-8 at the start of the file."""
    (folder / 'list.csv').write_text('run/0 a.MP4,run\r\njump/0 a.MP4,jump\r\n', encoding='utf-8-sig')
    assert find_videos(folder / 'list.csv').videos[0] == (folder / 'run/0 a.MP4', 1)


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        ('run/0 a.MP4,2\njump/0 a.MP4,1\n', r'has labels of 1 to 2; as numbers they must be 0 to 1, without a gap'),
        ('run/0 a.MP4,0\njump/0 a.MP4,2\n', 'has labels of 0 to 2'),
        ('run/0 a.MP4,run\n', r'has 1 classes \(run\)'),
        ('run/9.mp4,run\n', r'line 1: there is no .*run/9\.mp4'),
        ('run/0 a.MP4\n', r"line 1: 'run/0 a\.MP4' must be path,label"),
        ('run/0 a.MP4,run\njump/0 a.MP4, \n', r"line 2: 'jump/0 a\.MP4,' must be path,label"),
        ('path,label\nrun/0 a.MP4,run\n\n,jump\n', "line 4: ',jump' must be path,label"),
        ('', r'has 0 classes \(none\); it must have at least two, as the labels of its path,label rows'),
        ('run/0 a.MP4,laufen\njump/0 a.MP4,h\xfcpfen\n', r"list.csv' is no csv in UTF-8: line 2: byte 0xfc"),
        ('run/0 a.MP4,run\njump/0\0a.MP4,jump\n', "list.csv' is no csv in UTF-8: line 2: a NUL"),
        (
            'run/0 a.MP4,run\njump/0 a.MP4,jump\n\nrun/0 a.MP4,jump\n',
            "line 4: 'run/0 a.MP4' is of 'jump', but of 'run' in line 1",
        ),
        (f'run/0 a.MP4,run\n{"x" * 300},run\n', 'line 2: there is no .*xxx'),
    ],
)
def test_tables_that_cannot_be_used(folder, rows, message):
    (folder / 'list.csv').write_text(rows, encoding='latin-1')
    with pytest.raises(UserError, match=message):
        find_videos(folder / 'list.csv')


def test_only_decimal_labels_are_numbers(folder):
    (folder / 'list.csv').write_text('run/0 a.MP4,²\njump/0 a.MP4,0\n', encoding='utf-8')
    assert find_videos(folder / 'list.csv').classes == ['0', '²']


@pytest.mark.parametrize(
    'names', [('train', 'val'), ('videos_train', 'videos_val'), ('Train', 'Test', 'valid'), ('train',)]
)
def test_splits_are_no_classes(folder, names):
    for name in names:
        shutil.copytree(folder / 'run', folder.parent / 'split' / name)
    with pytest.raises(UserError, match=f'sub-folders {", ".join(sorted(names))}, which are splits and no classes'):
        find_videos(folder.parent / 'split')


def test_folders_of_the_same_classes_are_no_classes(folder):
    for name in ('monday', 'tuesday'):
        shutil.copytree(folder, folder.parent / 'days' / name)
    with pytest.raises(UserError, match='monday, tuesday, which are splits and no classes'):
        find_videos(folder.parent / 'days')


def test_classes_may_have_a_folder_of_the_same_name(folder):
    for name in ('run', 'long jump', 'jump'):
        assert (folder / name / 'more').is_dir()
    assert len(find_videos(folder).classes) == 3


def test_videos_that_break_off_are_used_or_refused(folder):
    break_off(write_video(folder / 'run' / 'cut.mp4', g='1'))  # its first half can be read
    found = find_videos(folder)
    readable, unreadable, damaged = leave_out_unreadable(found, workers=2)
    assert readable == found and not unreadable
    assert len(damaged) == 1 and damaged[0].startswith(f'{folder}/run/cut.mp4: ')
    readable, unreadable, damaged = leave_out_unreadable(found, workers=2, damaged='refuse')
    assert len(readable.videos) == len(found.videos) - 1 and not damaged
    assert len(unreadable) == 1 and unreadable[0].startswith(f'{folder}/run/cut.mp4: damaged: ')


def test_videos_that_crash_a_decoder_or_never_end_are_left_out(folder, monkeypatch):
    crashing, hanging = folder / 'run' / '0 a.MP4', folder / 'run' / 'more' / '1 a.MP4'

    def read(path, read=cleaning._read):
        if path == crashing:
            os.kill(os.getpid(), signal.SIGKILL)
        if path == hanging:
            signal.sigwait([signal.SIGUSR1])
        read(path)

    monkeypatch.setattr(cleaning, 'READING_LIMIT', 5.0)
    monkeypatch.setattr(cleaning, '_read', read)
    found = find_videos(folder)
    readable, unreadable, _ = leave_out_unreadable(found, workers=2)
    assert readable.videos == [video for video in found.videos if video[0] not in (crashing, hanging)]
    assert unreadable == [f'{crashing}: killed: SIGKILL, mostly for want of memory', f'{hanging}: no answer within 5 s']


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


def test_unreadable_videos_are_left_out_until_a_class_has_none(folder):
    (folder / 'jump' / '0 a.MP4').write_text('no video')
    readable, unreadable, _ = leave_out_unreadable(find_videos(folder), workers=2)
    assert len(readable.videos) == 8
    assert len(unreadable) == 1
    assert unreadable == [f'{folder / "jump" / "0 a.MP4"}: Invalid data found when processing input']
    (folder / 'jump' / 'more' / '1 a.MP4').write_bytes(b'')
    with pytest.raises(UserError, match=r"class 'jump' has no video that can be read, for one .*0 a\.MP4: Invalid"):
        leave_out_unreadable(find_videos(folder), workers=2)


def test_copies(folder):
    shutil.copy(folder / 'run' / '0 a.MP4', folder / 'run' / 'again.mp4')
    shutil.copy(folder / 'run' / '0 a.MP4', folder / 'jump' / 'wrong.mp4')
    found = find_videos(folder)
    kept, shared = leave_out_copies(found)
    assert len(found.videos) == 11 and len(kept.videos) == 10
    assert len(shared) == 1 and 'wrong.mp4 (jump)' in shared[0] and '0 a.MP4 (run)' in shared[0]


def test_each_class_is_split_by_itself(folder):
    videos = [(folder / f'{label}/{i}.mp4', label) for label, count in enumerate((1, 2, 10, 50)) for i in range(count)]
    train, val = split(OwnVideos(list('abcd'), videos), 0.2)
    assert [sum(label == i for _, label in val) for i in range(4)] == [0, 1, 2, 10]
    assert sorted(train + val) == sorted(videos)
    assert split(OwnVideos(list('abcd'), videos), 0.2) == (train, val)
    assert sum(label > 0 for _, label in split(OwnVideos(list('abcd'), videos), 0.99)[0]) == 3  # one of each to train
    assert sorted(val) != sorted(split(OwnVideos(list('abcd'), videos), 0.2, seed=1)[1])


def test_lists_are_absolute(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder.parent)
    found = find_videos(folder.relative_to(folder.parent))
    write_training_lists(tmp_path / 'lists', found.classes, found.videos, found.videos[:1])
    assert (tmp_path / 'lists/label_map.txt').read_text() == 'jump\nlong jump\nrun\n'
    assert (tmp_path / 'lists/val.txt').read_text() == f'{folder}/jump/0 a.MP4 0\n'
