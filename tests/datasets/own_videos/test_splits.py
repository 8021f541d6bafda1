import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mmdualformer.datasets.own_videos import (
    Video,
    deal_folds,
    find_videos,
    join_groups,
    name_groups,
    split,
    write_data_json,
    write_training_lists,
)
from mmdualformer.errors import UserError


def videos_of(*counts: int, groups: int = 0) -> list[Video]:
    """So many videos of each class, in so many groups in turn."""
    return [
        Video(Path(f'{label}/{i}.mp4'), (label,), f'{label}/{i}.mp4', group=f'p{i % groups}' if groups else '')
        for label, count in enumerate(counts)
        for i in range(count)
    ]


def split_names(videos, pairs=(), seed=0, **shares) -> dict[str, str]:
    """The split of each video, by its name."""
    splits = split(videos, join_groups(videos, pairs), shares or dict(val=0.2), seed)
    return {video.name: name for video, name in zip(videos, splits)}


def count(splits: dict[str, str], name: str) -> list[int]:
    """Videos of each class in a split."""
    counts = Counter(video.split('/')[0] for video, other in splits.items() if other == name)
    return [counts[label] for label in sorted({video.split('/')[0] for video in splits})]


def test_each_class_is_split_by_itself():
    videos = videos_of(1, 2, 10, 50)
    splits = split_names(videos)
    assert count(splits, 'val') == [0, 1, 2, 10] and count(splits, 'train') == [1, 1, 8, 40]
    assert count(split_names(videos, val=0.99), 'train') == [1, 1, 1, 1]  # one of each to train
    three = split_names(videos, test=0.1, val=0.2)
    assert count(three, 'test') == [0, 1, 1, 5] and count(three, 'val') == [0, 0, 2, 10]
    assert split_names(videos, seed=1) != splits


def test_a_split_is_the_same_in_any_order_and_with_more_videos():
    videos = videos_of(20, 30)
    splits = split_names(videos)
    assert split_names(videos[::-1]) == splits
    moves = []
    for number in range(20):
        more = split_names([*videos, Video(Path('new'), (0,), f'0/new_{number}.mp4')])
        changed = [name for name in splits if more[name] != splits[name]]
        assert len(changed) <= 1 and all(name.startswith('0/') for name in changed)
        moves += changed
    assert moves  # one that comes into the validation takes the place of another


@pytest.mark.parametrize('shares', [dict(val=0.2), dict(test=0.2, val=0.2)])
def test_groups_stay_on_one_side(shares):
    videos = videos_of(40, 40, 40, groups=20)
    splits = split_names(videos, **shares)
    for name in shares:
        assert count(splits, name) == [8, 8, 8]
    sides = {}
    for video in videos:
        sides.setdefault(video.group, set()).add(splits[video.name])
    assert all(len(side) == 1 for side in sides.values())


def test_a_group_of_most_videos_is_trained_on():
    videos = [replace(video, group='all' if i < 17 else '') for i, video in enumerate(videos_of(20))]
    assert Counter(split_names(videos).values()) == dict(train=17, val=3)
    one = [replace(video, group='all') for video in videos_of(5, 5)]
    assert set(split_names(one).values()) == {'train'}


def test_near_duplicates_stay_on_one_side():
    videos = videos_of(10)
    for number in range(1, 10):
        splits = split_names(videos, pairs=[(videos[0].path, videos[number].path)], val=0.5)
        assert splits['0/0.mp4'] == splits[f'0/{number}.mp4']
    chain = [(videos[i].path, videos[i + 1].path) for i in range(5)]
    assert sorted(map(len, join_groups(videos, chain))) == [1, 1, 1, 1, 6]


def test_videos_of_several_labels_are_split_by_all_of_them():
    videos = [Video(Path(str(i)), (0, 1) if i % 2 else (1,), str(i)) for i in range(40)]
    splits = split_names([*videos, Video(Path('none'), (), 'none')])
    for label in (0, 1):
        chosen = [video for video in videos if splits[video.name] == 'val' and label in video.labels]
        assert len(chosen) == pytest.approx(0.2 * sum(label in video.labels for video in videos), abs=1)


@pytest.mark.parametrize('groups', [0, 12])
def test_each_video_is_in_one_fold(groups):
    videos = videos_of(12, 24, 36, groups=groups)
    joined = join_groups(videos, [])
    folds = deal_folds(videos, joined, 4)
    for label, share in enumerate((3, 6, 9)):
        counts = Counter(fold for video, fold in zip(videos, folds) if video.labels == (label,))
        assert counts == dict.fromkeys((1, 2, 3, 4), share)
    for unit in joined:
        assert len({folds[place] for place in unit}) == 1
    assert deal_folds(videos, joined, 4) == folds != deal_folds(videos, joined, 4, seed=1)


def test_fewer_groups_than_folds():
    videos = videos_of(9, 9, groups=3)
    with pytest.raises(UserError, match=r'--folds 4 are more than the 3 groups of videos that stay together; give at'):
        deal_folds(videos, join_groups(videos, []), 4)


def test_groups_of_folders_of_columns_and_of_patterns(folder):
    names = {video.name: video.group for video in name_groups(find_videos(folder).videos, r'(\d) a\.MP4$')}
    assert names['jump/0 a.MP4'] == names['run/0 a.MP4'] == '0' and names['run/more/1 a.MP4'] == '1'
    (folder / 'list.csv').write_text('path,label,who\nrun/more/1 a.MP4,run,ann\njump/more/1 a.MP4,jump,bob\n')
    videos = find_videos(folder / 'list.csv').videos
    assert [video.group for video in name_groups(videos, 'who')] == ['ann', 'bob']
    assert [video.group for video in name_groups(videos, 'parent')] == ['more', 'more']


@pytest.mark.parametrize(
    ('group_by', 'message'),
    [
        ('(a', r"--group-by '\(a' is no regular expression: missing \)"),
        ('a', "'a' is no column, and a regular expression of 0 groups; it must be a column of a csv, 'parent', or a"),
        ('(a)(b)', 'a regular expression of 2 groups'),
        ('(xyz)', r"'\(xyz\)' matches no path, such as 'jump/0 a\.MP4'"),
        ('(more)', r"gives no group to 6 of 9 videos, such as 'jump/0 a\.MP4': that has a path that it does not match"),
        ('parent', r"gives no group to 6 of 9 videos, such as 'jump/0 a\.MP4': that has no folder between it and"),
    ],
)
def test_groups_that_are_none(folder, group_by, message):
    with pytest.raises(UserError, match=message):
        name_groups(find_videos(folder).videos, group_by)


def test_columns_that_are_none(folder):
    (folder / 'list.csv').write_text('path,label,who\nrun/0 a.MP4,run,ann\njump/0 a.MP4,jump,\n')
    videos = find_videos(folder / 'list.csv').videos
    with pytest.raises(
        UserError, match=r"1 of 2 videos, such as 'jump/0 a\.MP4': that has an empty cell in that column"
    ):
        name_groups(videos, 'who')
    with pytest.raises(UserError, match=r'; the columns are path, label, who$'):
        name_groups(videos, 'person')


def test_lists_are_absolute(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder.parent)
    found = find_videos(folder.relative_to(folder.parent))
    write_training_lists(tmp_path / 'lists', found.classes, found.videos, found.videos[:1])
    assert (tmp_path / 'lists/label_map.txt').read_text() == 'jump\nlong jump\nrun\n'
    assert (tmp_path / 'lists/val.txt').read_text() == f'{folder}/jump/0 a.MP4 0\n'
    assert (tmp_path / 'lists/test.txt').read_text() == f'{folder}/jump/0 a.MP4 0\n'
    write_training_lists(tmp_path / 'lists', found.classes, found.videos, [], [replace(found.videos[0], labels=(0, 2))])
    assert (tmp_path / 'lists/test.txt').read_text() == f'{folder}/jump/0 a.MP4 0 2\n'
    write_data_json(tmp_path / 'lists', dict(source='fußball'))
    assert json.loads((tmp_path / 'lists/data.json').read_text(encoding='utf-8')) == dict(source='fußball')
