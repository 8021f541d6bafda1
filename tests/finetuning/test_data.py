import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdualformer import cli
from mmdualformer.errors import UserError
from mmdualformer.finetuning import add_data_arguments, check_data_arguments, prepare_data
from tests.helpers import write_video


@pytest.fixture
def folder(motion_root, tmp_path):
    """Two classes of six clips, of which each is of one of three persons."""
    for i, clip in enumerate(sorted(motion_root.glob('videos_train/*.mp4'))[:12]):
        name = 'swim' if i % 2 else 'run'
        place = tmp_path / 'mine' / name / f'{name[0]}_p{i // 2 % 3}'
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, place)
    return tmp_path / 'mine'


def parse(folder, *options):
    parser = cli.ArgumentParser()
    add_data_arguments(parser)
    args = parser.parse_args([str(folder), *map(str, options)])
    args.workers, args.work_dir = 1, folder.parent / 'work'
    check_data_arguments(args)
    return args


def prepare(folder, *options) -> dict:
    """What data.json says."""
    prepared = prepare_data(parse(folder, *options))
    assert len(prepared) == 1
    return json.loads((prepared[0].lists / 'data.json').read_text())


def read(folder, name, lists='work/lists') -> list[str]:
    return (folder.parent / lists / f'{name}.txt').read_text().splitlines()


def test_the_lists_and_what_is_said_of_them(folder, capsys):
    (folder / 'run' / 'broken.mp4').write_text('no video')
    shutil.copy(next(folder.glob('run/*p0/*.mp4')), folder / 'run' / 'r_p0' / 'copy.mp4')
    said = prepare(folder)
    assert said['classes'] == ['run', 'swim'] and said['source'] == str(folder)
    assert said['counts'] == dict(train=[5, 5], val=[1, 1], test=[1, 1])
    assert said['test_is_validation'] and not said['multi_label'] and said['seed'] == 0 and said['group_by'] is None
    assert {Path(left['path']).name for left in said['left_out']} >= {'broken.mp4'} and len(said['left_out']) == 2
    assert said['near_duplicates'] == [] and said['warnings'] == []
    assert len(read(folder, 'train')) == 10 and read(folder, 'test') == read(folder, 'val')
    output = capsys.readouterr().out
    assert '2 classes: run, swim; 10 videos to train, 2 to test\n' in output
    assert 'left out, as it cannot be read' in output and 'left out 1 copies' in output


def test_the_typical_duration_of_the_clips_to_train_on(tmp_path):
    frames = dict(train=(24, 24, 24, 30), val=(30, 30, 30, 30))
    for split, counts in frames.items():
        for i, count in enumerate(counts):
            place = tmp_path / 'mine' / split / ('run', 'swim')[i % 2]
            place.mkdir(parents=True, exist_ok=True)
            write_video(place / f'{i}.mp4', frames=count, crf=str(10 + i))
    assert prepare(tmp_path / 'mine')['clip_seconds'] == 1.0
    image = np.zeros((32, 32, 3), np.uint8)
    for i in range(12):  # images are taken as 25 a second
        place = tmp_path / 'images' / ('run', 'swim')[i % 2] / f'clip {i // 4}'
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image + i).save(place / f'{i}.png')
    assert prepare(tmp_path / 'images')['clip_seconds'] == 0.08


def test_very_many_classes_take_few_lines(motion_root, tmp_path, capsys):
    for number, clip in enumerate(sorted(motion_root.glob('videos_*/*.mp4'))):
        place = tmp_path / 'mine' / (f'class {number}' if number < 21 else 'a\x1b[31m')
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, place)
    said = prepare(tmp_path / 'mine', '--test-share', 0.2)
    output = capsys.readouterr().out
    assert '22 classes: a\\x1b[31m, class 0, class 1, class 10, ' in output and ', class 7 and 2 more; ' in output
    warnings = [line for line in said['warnings'] if 'has one video, which is trained on and not tested' in line]
    assert len(warnings) == len(set(warnings)) == 21
    assert output.count('has one video, which') == 5
    assert 'warning: so it is with 16 more classes; lists/data.json has all\n' in output


def test_a_third_split(folder, capsys):
    said = prepare(folder, '--test-share', 0.3, '--val-share', 0.3)
    assert said['counts'] == dict(train=[2, 2], val=[2, 2], test=[2, 2]) and not said['test_is_validation']
    assert not set(read(folder, 'test')) & set(read(folder, 'val'))
    assert '2 classes: run, swim; 4 videos to train, 4 to validate, 4 to test\n' in capsys.readouterr().out


def test_groups(folder, capsys):
    said = prepare(folder, '--group-by', '_(p.)/')
    assert said['groups'] == 3 and said['group_by'] == '_(p.)/'
    assert len({Path(line).parent.name[-2:] for line in read(folder, 'val')}) == 1
    assert "3 groups by --group-by '_(p.)/'\n" in capsys.readouterr().out
    assert prepare(folder, '--group-by', 'parent')['groups'] == 6


def test_videos_to_validate_and_to_test_on(folder):
    shutil.copytree(folder / 'swim', folder.parent / 'more' / 'swim')
    shutil.rmtree(folder / 'swim' / 's_p0')
    (folder.parent / 'test.csv').write_text(f'{next(folder.glob("run/*p2/*.mp4"))},run\n')
    said = prepare(folder, '--val', folder.parent / 'more', '--test', folder.parent / 'test.csv')
    # what is a copy of a video to validate or to test on is not trained on
    assert said['counts'] == dict(train=[5, 0], val=[0, 6], test=[1, 0])
    with pytest.raises(UserError, match=r'has no videos to train on, but copies of those to validate or to test on$'):
        prepare(folder, '--val', folder)


def test_a_split_that_was_given(folder, capsys):
    root = folder.parent / 'split'
    shutil.copytree(folder, root / 'train', ignore=shutil.ignore_patterns('*p0'))
    shutil.copytree(folder, root / 'test', ignore=shutil.ignore_patterns('*p1', '*p2'))
    said = prepare(root)
    assert said['counts'] == dict(train=[3, 3], val=[1, 1], test=[2, 2])
    (root / 'test').rename(root / 'val')
    assert prepare(root)['counts'] == dict(train=[4, 4], val=[2, 2], test=[2, 2])
    assert len(prepare(root, '--group-by', r'_(p)\d')['warnings']) == 1
    assert 'warning: 1 groups are in several splits, which' in capsys.readouterr().out
    for option in ('--val', '--val-share'):
        with pytest.raises(UserError, match=f"{option} is not needed: .* has a split 'val' itself; leave it out"):
            prepare(root, option, 0.3 if option == '--val-share' else folder)
    with pytest.raises(UserError, match=r'--folds 2 splits videos, but .* is split itself'):
        prepare(root, '--folds', 2)


def test_folds(folder, capsys):
    prepared = prepare_data(parse(folder, '--folds', 3, '--group-by', '_(p.)/'))
    assert [data.train for data in prepared] == [8, 8, 8]
    tested = [line for fold in (1, 2, 3) for line in read(folder, 'val', f'work/fold_{fold}/lists')]
    assert len(tested) == len(set(tested)) == 12
    assert 'fold 2 of 3: 8 videos to train, 4 to test\n' in capsys.readouterr().out
    (one,) = prepare_data(parse(folder, '--folds', 3, '--group-by', '_(p.)/', '--fold', 2))
    assert one == prepared[1] and one.work_dir == folder.parent / 'work' / 'fold_2'


def test_near_duplicates_are_said_and_stay_together(folder, capsys, monkeypatch):
    videos = sorted(folder.glob('run/*/*.mp4'))
    pairs = [(first, second) for i, first in enumerate(videos) for second in videos[i + 1 :]]
    monkeypatch.setattr('mmdualformer.datasets.own_videos.find_near_duplicates', lambda prints: pairs)
    said = prepare(folder)
    assert said['counts']['val'] == [0, 1] and len(said['near_duplicates']) == 15
    output = capsys.readouterr().out
    assert output.count('near-duplicates, kept on one side: /') == 5 and '10 more pairs; lists/data.json' in output
    assert "warning: class 'run' has 6 videos, and none of them to test on\n" in output
    root = folder.parent / 'split'
    shutil.copytree(folder, root / 'train', ignore=shutil.ignore_patterns('*p0'))
    shutil.copytree(folder, root / 'val', ignore=shutil.ignore_patterns('*p1', '*p2'))
    pairs[:] = [(next(root.glob('train/run/*/*')), next(root.glob('val/run/*/*')))]
    assert len(prepare(root)['warnings']) == 1
    assert 'warning: near-duplicates in train and val, as they were given: /' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--val-share', 1.0], '--val-share 1.0 must be between 0 and 1'),
        (['--test-share', 1.0], '--test-share 1.0 must be at least 0, and less than 1'),
        (['--test-share', 0.8], '--val-share and --test-share make 1 together, which must be less than 1'),
        (['--val', 'x', '--val-share', 0.1], '--val gives the videos that --val-share would set aside'),
        (['--fold', 1], '--fold 1 needs --folds'),
        (['--folds', 2, '--fold', 3], '--fold 3 must be 1 to 2, as --folds says'),
        (['--folds', 2, '--test-share', 0.1], '--test-share sets videos aside, but --folds tests on each video once'),
    ],
)
def test_arguments_that_exclude_each_other(folder, options, message):
    with pytest.raises(UserError, match=message):
        parse(folder, *options)


def test_videos_that_all_stay_together(folder):
    with pytest.raises(UserError, match='has videos of each class that all stay together; at least one class must'):
        prepare(folder, '--group-by', r'_(p)\d')
    with pytest.raises(UserError, match='--folds 4 are more than the 3 groups'):
        prepare(folder, '--group-by', '_(p.)/', '--folds', 4)
