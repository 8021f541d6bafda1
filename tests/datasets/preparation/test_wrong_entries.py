"""Entries of the owners' files that are wrong, or that would have files written elsewhere."""

import pytest

from mmdualformer.datasets.preparation import READERS, check_targets, link_folders, write_lists
from mmdualformer.errors import UserError
from tests.datasets.preparation import test_readers
from tests.datasets.preparation.test_readers import MAKERS, write

WRONG = {
    # after the four rows of the small data set
    ('kinetics400', 'annotations/train.csv'): [
        ('tai chi,../../x,0,10', r"'\.\./\.\./x_000000_000010\.mp4' of train_list leads out of .*train, where"),
        ('tai chi,/etc/x,0,10', r"'/etc/x_000000_000010\.mp4' of train_list leads out of"),
        ('tai chi,"a\nb",0,10', r"'a\\nb_000000_000010\.mp4' is empty, has a line break or is no UTF-8"),
        ('tai chi,x,soon,10', r"train\.csv line 6: {.*'soon'.*} must be a label, a youtube_id, and a time_start"),
        ('tai chi,x,1e400,10', r'train\.csv line 6: .* must be a label'),
        ('tai chi,x,nan,10', r'train\.csv line 6: .* must be a label'),
        ('tai chi', r'train\.csv line 6: .* must be a label'),
        ('tai chi,x\0,0,10', r'train\.csv line 6: a NUL$'),
        ('x' * 200_000, r'train\.csv after line 5: field larger than'),
        ('yoga,-abcdefghi1,3,13', r"'tai chi/-abcdefghi1_000003_000013\.mp4' is in train_list with the labels"),
    ],
    ('diving48', 'Diving48_V2_train.json'): [
        ([dict(vid_name='../x', label=0)], r"'\.\./x\.mp4' of train_list leads out of .*rgb"),
        ([dict(vid_name='\ud800', label=0)], r"'\\ud800\.mp4' is empty, has a line break or is no UTF-8"),
        ([dict(vid_name='a_1', label=2)], 'entry 0: {.*} must be a vid_name and a label of 0 to 1'),
        ([dict(vid_name='a_1', label=True)], 'entry 0: {.*} must be a vid_name'),
        ([dict(vid_name='a_1', label=0), 'x'], "entry 1: 'x' must be a vid_name"),
        ([dict(vid_name='x' * 1000)], r"entry 0: {'vid_name': 'x*\.\.\. must be"),
        ({}, r'train\.json must be a list in JSON'),
        ('[' * 100_000, r'train\.json is no JSON: maximum recursion'),
        ('[{]', r'train\.json is no JSON: Expecting'),
    ],
    ('diving48', 'Diving48_vocab.json'): [([['Back'], 3], r'vocab\.json class 1: 3 must be a list of words')],
    ('hmdb51', 'testTrainMulti_7030_splits/wave_test_split1.txt'): [
        ('../../x.avi 1', r"'wave/\.\./\.\./x\.avi' of train_split_1 leads out of .*hmdb51_org"),
        ('\nx.avi 3', r"split1\.txt line 2: 'x\.avi 3' must be a video and 0, 1 or 2"),
        ('x.avi', r"line 1: 'x\.avi' must be a video and 0, 1 or 2"),
    ],
    ('ucf101', 'ucfTrainTestlist/trainlist01.txt'): [
        ('YoYo/../../x.avi 1', r"'YoYo/\.\./\.\./x\.avi' of train_split_1 leads out of .*UCF-101"),
        ('Yoga/x.avi 1', r"line 1: 'Yoga/x\.avi 1' must be CLASS/VIDEO, of a class in classInd\.txt"),
    ],
    ('ucf101', 'ucfTrainTestlist/classInd.txt'): [
        ('YoYo 1', r"classInd\.txt line 1: 'YoYo 1' must be a number and the name of a class"),
    ],
    ('sthv2', 'something-something-v2-train.json'): [
        ([dict(id='/x', template='Pushing something')], r"'/x\.webm' of train_list leads out of"),
        ([dict(id='1', template='Sleeping')], 'entry 0: {.*} must be an id and the template of a class'),
        ([3], 'entry 0: 3 must be an id'),
    ],
    ('sthv2', 'something-something-v2-labels.json'): [
        ({'Pushing something': '7'}, r'labels\.json must number its classes from 0, without a gap'),
        ({'Pushing something': []}, r"class 'Pushing something': \[\] must be its number"),
    ],
    ('charades', 'Charades_v1_test.csv'): [
        ('id,actions\n../x,c000 1 2\n', r"'\.\./x\.mp4' of val_list leads out of"),
        ('id,actions\nCCCCC,c003 1 2\n', r'test\.csv line 2: {.*} must be an id, and actions such as c092'),
        ('id\nCCCCC\n', r"test\.csv has no column 'actions'"),
        ('', r"test\.csv has no column 'id'"),
    ],
    ('charades', 'Charades_v1_classes.txt'): [
        ('c000 Holding\nc002 Opening\n', r'classes\.txt must number its classes from c000, without a gap'),
        ('c000 Holding\nOpening\n', r"classes\.txt line 2: 'Opening' must be a class, such as c092 and its name"),
    ],
}


@pytest.fixture(autouse=True)
def no_videos(monkeypatch):
    """No video is read."""
    monkeypatch.setattr(test_readers, 'write_video', lambda path, *args, **kwargs: path.touch())


@pytest.mark.parametrize(
    ('name', 'path', 'content', 'message'), [(*place, *entry) for place, entries in WRONG.items() for entry in entries]
)
def test_wrong_entries_are_one_line(tmp_path, name, path, content, message):
    MAKERS[name](tmp_path)
    if path.endswith('train.csv') and name == 'kinetics400':
        content = (tmp_path / path).read_text() + content
    write(tmp_path / path, content)
    with pytest.raises(UserError, match=message) as error:
        READERS[name](tmp_path)
    assert '\n' not in str(error.value) and len(str(error.value)) < 500


def test_files_of_windows(tmp_path):
    """With a mark at the start, and its line breaks."""
    for name, make in MAKERS.items():
        root = tmp_path / name
        root.mkdir()
        classes = make(root)
        for path in root.rglob('*'):
            if path.suffix in ('.csv', '.json', '.txt'):
                path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes().replace(b'\r\n', b'\n').replace(b'\n', b'\r\n'))
        assert READERS[name](root)[0] == classes


def test_a_name_that_is_too_long_is_missing(tmp_path):
    MAKERS['kinetics400'](tmp_path)
    with open(tmp_path / 'annotations/val.csv', 'a') as file:
        file.write(f'tai chi,{"x" * 300},0,10\n')
    _, (_, split) = READERS['kinetics400'](tmp_path)
    assert split.missing[-1].startswith('xxx')


class TestTargets:
    @pytest.fixture
    def data(self, tmp_path):
        root = tmp_path / 'data'
        root.mkdir()
        MAKERS['diving48'](root)
        return root, READERS['diving48'](root)

    def test_videos_are_not_written_through_links_that_leave_the_folder(self, data, tmp_path):
        _, (_, splits) = data
        check_targets(tmp_path / 'out', splits)
        (tmp_path / 'elsewhere').mkdir()
        (tmp_path / 'out').symlink_to('elsewhere')  # itself it may be a link
        check_targets(tmp_path / 'out', splits)
        (tmp_path / 'out' / 'videos').symlink_to('../data/rgb')
        with pytest.raises(UserError, match=r'out/videos is .*/data/rgb, out of .*/out, where alone is written to'):
            check_targets(tmp_path / 'out', splits)

    def test_nor_are_lists(self, data, tmp_path):
        root, (classes, splits) = data
        link_folders(root, splits)
        (root / 'label_map.txt').symlink_to('link')
        (root / 'link').symlink_to('../notes.txt')
        with pytest.raises(UserError, match=r'label_map\.txt is .*/notes\.txt, out of .*/data, .*; remove the link$'):
            write_lists(root, 'diving48', classes, splits)
        assert not (tmp_path / 'notes.txt').exists() and not list(root.glob('diving48_*'))
        (root / 'link').unlink()
        write_lists(root, 'diving48', classes, splits)
        assert (root / 'link').read_text().splitlines() == classes

    def test_names_with_line_breaks_are_in_no_list(self, data, tmp_path):
        root, (_, splits) = data
        with pytest.raises(UserError, match=r"'a\\nb' is empty, has a line break or is no UTF-8"):
            write_lists(root, 'diving48', ['a\nb', 'c'], splits)
        assert not list(tmp_path.rglob('*.txt'))
