import pytest

from mmdualformer.datasets.own_videos import find_videos
from mmdualformer.errors import UserError
from tests.datasets.own_videos.test_sources import places, write_frames


def rows_of(folder, text, name='list.csv', **options):
    """Classes, and labels by the path in the folder."""
    (folder / name).write_text(text)
    found = find_videos(folder / name, **options)
    return found.classes, {video.name: video.labels for video in found.videos}


@pytest.mark.parametrize('header', ['', 'path,label\n'])
def test_a_csv_of_names_or_numbers(folder, header):
    table = folder / 'list.csv'
    table.write_text(header + 'run/0 a.MP4,run\njump/0 a.MP4, jump\n')
    found = find_videos(table)
    assert found.classes == ['jump', 'run']
    assert places(found) == [(folder / 'run/0 a.MP4', (1,)), (folder / 'jump/0 a.MP4', (0,))]
    table.write_text(header + 'run/0 a.MP4,1\njump/0 a.MP4,0\n')
    assert places(find_videos(table)) == places(found)


def test_a_csv_of_a_spreadsheet(folder):
    """Excel marks UTF-8 at the start of the file."""
    (folder / 'list.csv').write_text('run/0 a.MP4,run\r\njump/0 a.MP4,jump\r\n', encoding='utf-8-sig')
    assert places(find_videos(folder / 'list.csv'))[0] == (folder / 'run/0 a.MP4', (1,))


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        ('run/0 a.MP4,2\njump/0 a.MP4,1\n', r'has labels of 1 to 2; as numbers they must be 0 to 1, without a gap'),
        ('run/0 a.MP4,0\njump/0 a.MP4,2\n', 'has labels of 0 to 2'),
        ('run/0 a.MP4,run\n', r'has 1 classes \(run\)'),
        ('run/9.mp4,run\n', r'line 1: there is no .*run/9\.mp4'),
        ('run/0 a.MP4\n', r"line 1: 'run/0 a\.MP4' must be path,label"),
        ('run/0 a.MP4,run\njump/0 a.MP4, \n', r"line 2: 'jump/0 a\.MP4,' must be path,label"),
        ('path,label\nrun/0 a.MP4,run\n\n,jump\n', "line 4: ',jump' must be path,label, with a path and label"),
        ('path,label\nrun/0 a.MP4,run,p1\n', "line 2: 'run/0 a.MP4,run,p1' has 3 cells, and the header 2"),
        ('run/0 a.MP4,run,p1\n', "line 1: 'run/0 a.MP4,run,p1' must be path,label, or path,label,split; a header"),
        ('run/0 a.MP4,run,train\nrun/0 a.MP4,run,val\n', "line 2: 'run/0 a.MP4' is of val, but of train in line 1"),
        ('path,label,split\nrun/0 a.MP4,run,all\n', "line 2: split 'all' must be train, val or test"),
        ('path,file,label\nrun/0 a.MP4,x,run\n', 'line 1: path and file may both be the column of paths; keep one'),
        ('path,class,label\nrun/0 a.MP4,x,run\n', 'line 1: class and label may both be the column of labels'),
        ('path,person\nrun/0 a.MP4,p1\n', "line 1: 'path,person' has no column of labels; it must have one of label"),
        ('path,jump,run\nrun/0 a.MP4,0,1\njump/0 a.MP4,1,0\nrun/more/1 a.MP4,0,2\n', "line 4: run is '2', and must"),
        ('path,label\nrun/0 a.MP4,run|\n', r"line 2: 'run\|' must be a label, or labels as a\|b"),
        ('run/0 a.MP4,run,val\njump/0 a.MP4,jump,val\n', 'has no training videos, only val'),
        ('run/0 a.MP4,run,train\njump/0 a.MP4,jump,val\n', "class 'jump' of .* is only in val"),
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


@pytest.mark.parametrize('delimiter', [',', ';', '\t'])
@pytest.mark.parametrize('header', ['path,label', 'Video Path,category', 'file_name,class', 'filename,target'])
def test_a_csv_with_other_columns(folder, delimiter, header):
    text = f'id,{header},person\n1,run/0 a.MP4,run,p 1\n2,jump/0 a.MP4,jump,p 2\n'.replace(',', delimiter)
    assert rows_of(folder, text) == (['jump', 'run'], {'run/0 a.MP4': (1,), 'jump/0 a.MP4': (0,)})
    assert find_videos(folder / 'list.csv').videos[0].columns['person'] == 'p 1'


def test_a_path_may_hold_what_parts_another_csv(folder):
    (folder / 'run' / '0 a.MP4').rename(folder / 'run' / 'a,b.mp4')
    assert rows_of(folder, 'run/a,b.mp4;run\njump/0 a.MP4;jump\n')[1] == {'run/a,b.mp4': (1,), 'jump/0 a.MP4': (0,)}


def test_the_name_of_a_class_wins_over_its_number(folder):
    text = 'path,label,label_name\nrun/0 a.MP4,7,run\njump/0 a.MP4,3,jump\n'
    assert rows_of(folder, text)[0] == ['jump', 'run']


@pytest.mark.parametrize('header', ['', 'file_name,label,split\n', 'path,label,Subset\n'])
def test_a_csv_that_is_split(folder, header):
    rows = 'run/0 a.MP4,run,train\njump/0 a.MP4,jump,Training\nrun/more/1 a.MP4,run,validation\n'
    (folder / 'list.csv').write_text(f'{header}{rows}jump/more/1 a.MP4,jump,test\n')
    assert [video.split for video in find_videos(folder / 'list.csv').videos] == ['train', 'train', 'val', 'test']


def test_several_labels_in_a_cell(folder):
    classes, labels = rows_of(folder, 'run/0 a.MP4,run|jump\njump/0 a.MP4, jump | fall \njump/more/1 a.MP4,run\n')
    assert classes == ['fall', 'jump', 'run']
    assert list(labels.values()) == [(1, 2), (0, 1), (2,)]
    assert find_videos(folder / 'list.csv').multi_label


def test_a_column_for_each_class(folder):
    text = 'path,walk,run,person,jump\nrun/0 a.MP4,0,1,p1,1\njump/0 a.MP4,1,0,p2,0\njump/more/1 a.MP4,0,0,p2,0\n'
    classes, labels = rows_of(folder, text)
    assert classes == ['jump', 'run', 'walk'] and list(labels.values()) == [(0, 1), (2,), ()]
    assert find_videos(folder / 'list.csv').multi_label
    text = 'path,run,person,jump\nrun/0 a.MP4,1,0,0\njump/0 a.MP4,0,1,1\n'
    assert rows_of(folder, text, group_by='person')[0] == ['jump', 'run']  # persons 0 and 1 are no class
    assert not find_videos(folder / 'list.csv', group_by='person').multi_label


def test_a_row_that_comes_twice_is_one_video(folder):
    (folder / 'list.csv').write_text('run/0 a.MP4,run\njump/0 a.MP4,jump\nrun/0 a.MP4,run\n')
    found = find_videos(folder / 'list.csv')
    assert len(found.videos) == 2 and found.left_out == {'rows of a video that has one already': 1}


@pytest.mark.parametrize('name', ['list.txt', 'list.csv'])  # SlowFast's csv are such lists
def test_a_list_of_paths_and_numbers(folder, name):
    text = '# ours\nrun/0 a.MP4 1\njump/0 a.MP4 0\n'
    labels = {'run/0 a.MP4': (1,), 'jump/0 a.MP4': (0,)}
    assert rows_of(folder, text, name) == (['0', '1'], labels)
    (folder / 'label_map.txt').write_text('jump\nrun\n')
    assert rows_of(folder, text, name) == (['jump', 'run'], labels)
    assert rows_of(folder, text, name, classes=['run', 'jump'])[1] == {'run/0 a.MP4': (0,), 'jump/0 a.MP4': (1,)}
    (folder / 'label_map.txt').rename(folder / 'classes.txt')
    assert rows_of(folder, text, name)[0] == ['jump', 'run']
    with pytest.raises(UserError, match=r'has label 2, but .*classes.txt names 2 classes, 0 to 1'):
        rows_of(folder, 'run/0 a.MP4 2\n', name)
    with pytest.raises(UserError, match=r'there is no .*9\.mp4'):
        rows_of(folder, 'run/9.mp4 1\n', name)


def test_a_list_of_several_labels_and_of_frames(folder):
    write_frames(folder / 'clip', 1, 2, 3)
    assert rows_of(folder, 'run/0 a.MP4 1 2\njump/0 a.MP4 0\n', 'list.txt')[1]['run/0 a.MP4'] == (1, 2)
    assert rows_of(folder, 'clip 3 1\njump 2 0\n', 'list.txt')[1] == {'clip': (1,), 'jump': (0,)}  # MMAction2's
    assert rows_of(folder, 'clip 0 1\njump/0 a.MP4 0\n', 'other.txt')[1]['clip'] == (0, 1)
