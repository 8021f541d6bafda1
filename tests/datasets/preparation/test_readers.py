"""Miniature copies of each data set as its owners distribute it, read, listed, and read back by the configs."""

import csv
import json

import pytest
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.checks import check_datasets
from mmdualformer.datasets.preparation import READERS, compare_with_published, link_folders, write_lists
from mmdualformer.datasets.preparation.counts import Published
from mmdualformer.datasets.preparation.layout import index_videos
from mmdualformer.errors import UserError
from tests.helpers import REPO, write_video

CONFIGS = dict(
    kinetics400='dualformer_t_k400',
    kinetics600='dualformer_t_k600',
    kinetics700='vidtr_s_k700',
    diving48='dualformer_t_diving48',
    hmdb51='dualformer_t_hmdb51',
    ucf101='dualformer_t_ucf101',
    sthv2='vidtr_m_sthv2',
    charades='vidtr_l_charades',
)
PIPELINE = [
    dict(type='VideoInit'),
    dict(type='SampleFrames', clip_len=2, num_clips=1, test_mode=True),
    dict(type='VideoDecode'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]


def write(path, content='') -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def write_videos(folder, *names, codec='libx264') -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(folder / name, codec, frames=4)


def make_kinetics(root, flat=False):
    """Class names with spaces and commas; one training and one validation video are missing."""
    rows = dict(
        train=[
            ('tai chi', '-abcdefghi1', 3, 13),
            ('"air drumming"', 'bbbbbbbbbb_', 10, 20),
            ('passing, in game', 'cccccccccc2', 120, 130),
            ('tai chi', 'gone_______', 0, 10),
        ],
        val=[('passing, in game', 'dddddddddd3', 0, 10), ('air drumming', 'gone2______', 0, 10)],
    )
    for split, lines in rows.items():
        (root / 'annotations').mkdir(parents=True, exist_ok=True)
        with open(root / 'annotations' / f'{split}.csv', 'w', newline='') as file:
            csv.writer(file).writerows(
                [('label', 'youtube_id', 'time_start', 'time_end', 'split'), *((*line, split) for line in lines)]
            )
        for label, name, start, end in lines:
            if not name.startswith('gone'):
                folder = '' if flat else label.strip('"')
                write_videos(root / split / folder, f'{name}_{start:06d}_{end:06d}.mp4')
    return ['air drumming', 'passing, in game', 'tai chi']


def make_diving48(root):
    write(root / 'Diving48_vocab.json', [['Back', '15som', '05Twis', 'FREE'], ['Inward', 'Dive', 'NoTwis', 'PIKE']])
    for split, names in (('train', ['a_1', 'a_2', 'b_1']), ('test', ['b_2'])):
        write(
            root / f'Diving48_V2_{split}.json',
            [dict(vid_name=name, label=int(name[0] == 'b'), start_frame=0, end_frame=4) for name in names],
        )
        write_videos(root / 'rgb', *(f'{name}.mp4' for name in names))
    return ['Back+15som+05Twis+FREE', 'Inward+Dive+NoTwis+PIKE']


def make_hmdb51(root, folder='hmdb51_org'):
    """Four videos a class: two to train on, one to test, one unused; in split 2 the other way round."""
    for name in ('wave', 'brush_hair'):
        videos = [f'#{i}_{name}!_clip.avi' for i in range(4)]
        write_videos(root / folder / name, *videos, codec='mpeg4')
        for number, marks in ((1, '1120'), (2, '2210'), (3, '0122')):
            write(
                root / 'testTrainMulti_7030_splits' / f'{name}_test_split{number}.txt',
                ''.join(f'{video} {mark} \n' for video, mark in zip(videos, marks)) + '\n',
            )
    return ['brush_hair', 'wave']


def make_ucf101(root):
    """The list of classes is not in the order of their names, and its numbers start at 1."""
    lists = root / 'ucfTrainTestlist'
    write(lists / 'classInd.txt', '1 YoYo\r\n2 ApplyEyeMakeup\r\n')
    for number in (1, 2, 3):
        train = [f'{name}/v_{name}_g0{number}_c0{i}.avi' for name in ('ApplyEyeMakeup', 'YoYo') for i in (1, 2)]
        test = [f'{name}/v_{name}_g0{number}_c03.avi' for name in ('ApplyEyeMakeup', 'YoYo')]
        write(
            lists / f'trainlist0{number}.txt', ''.join(f'{video} {1 if "YoYo" in video else 2}\r\n' for video in train)
        )
        write(lists / f'testlist0{number}.txt', ''.join(f'{video}\r\n' for video in test))
        write_videos(root / 'UCF-101', *train, *test, codec='mpeg4')
    return ['YoYo', 'ApplyEyeMakeup']


def make_sthv2(root):
    classes = ['Holding something next to something', 'Pushing something']
    write(root / 'something-something-v2-labels.json', {classes[1]: '1', classes[0]: '0'})
    entries = dict(
        train=[('78687', 'Holding [something] next to [something]'), ('42326', 'Pushing [something]')],
        validation=[('74225', 'Pushing [something]')],
    )
    for split, videos in entries.items():
        write(
            root / f'something-something-v2-{split}.json',
            [
                dict(id=name, label='holding a cup', template=template, placeholders=['a cup'])
                for name, template in videos
            ],
        )
        write_videos(root / '20bn-something-something-v2', *(f'{name}.webm' for name, _ in videos), codec='libvpx')
    return classes


def make_charades(root):
    """A video of two classes, one of the same twice, and one of none."""
    write(root / 'Charades_v1_classes.txt', 'c000 Holding some clothes\nc001 Opening a door\nc002 Someone is eating\n')
    rows = dict(
        train=[('AAAAA', 'c002 11.90 21.20;c000 0.00 12.60'), ('BBBBB', 'c001 0.00 3.00;c001 5.00 8.00')],
        test=[('CCCCC', ''), ('DDDDD', 'c002 1.00 2.00')],
    )
    for split, lines in rows.items():
        with open(root / f'Charades_v1_{split}.csv', 'w', newline='') as file:
            csv.writer(file).writerows(
                [
                    ('id', 'subject', 'script', 'actions', 'length'),
                    *((name, 'S1', 'A person, walking', actions, '4') for name, actions in lines),
                ]
            )
        write_videos(root / 'Charades_v1_480', *(f'{name}.mp4' for name, _ in lines))
    return ['Holding some clothes', 'Opening a door', 'Someone is eating']


MAKERS = dict(
    kinetics400=make_kinetics,
    kinetics600=lambda root: make_kinetics(root, flat=True),
    kinetics700=make_kinetics,
    diving48=make_diving48,
    hmdb51=make_hmdb51,
    ucf101=make_ucf101,
    sthv2=make_sthv2,
    charades=make_charades,
)


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """Make a data set in data/NAME and prepare it; gives its folder, its classes and its splits by name."""
    monkeypatch.chdir(tmp_path)

    def run(name, **kwargs):
        root = tmp_path / 'data' / name
        root.mkdir(parents=True)
        expected = MAKERS[name](root, **kwargs)
        classes, splits = READERS[name](root)
        assert classes == expected
        link_folders(root, splits)
        write_lists(root, name, classes, splits)
        assert (root / 'label_map.txt').read_text().splitlines() == classes
        return root, {split.name: split for split in splits}

    return run


def read_back(root, name: str, split: str, folder: str, **kwargs) -> dict:
    """What RobustVideoDataset reads: the label, or the classes that are marked, of each file's name."""
    init_default_scope('mmaction')
    dataset = DATASETS.build(
        dict(
            type='RobustVideoDataset',
            ann_file=str(root / f'{name}_{split}_videos.txt'),
            pipeline=PIPELINE,
            data_prefix=dict(video=str(root / folder)),
            test_mode=True,
            **kwargs,
        )
    )
    labels = {}
    for i in range(len(dataset)):
        data = dataset[i]
        assert 'unreadable' not in data['data_samples']
        assert data['inputs'].shape == (1, 3, 2, 64, 64)
        label = data['data_samples'].gt_label
        name = dataset.get_data_info(i)['filename'].rpartition('/')[2]
        labels[name] = label.nonzero().flatten().tolist() if kwargs else label.item()
    return labels


@pytest.mark.parametrize('name', CONFIGS)
def test_the_configs_find_what_is_written(prepare, name):
    root, _ = prepare(name)
    cfg = Config.fromfile(REPO / f'configs/{CONFIGS[name]}.py')
    cfg.model.cls_head.num_classes = len((root / 'label_map.txt').read_text().splitlines())
    check_datasets(cfg, ('train_dataloader', 'val_dataloader', 'test_dataloader'))


@pytest.mark.parametrize('name', ['kinetics400', 'kinetics600', 'kinetics700'])
def test_kinetics(prepare, name):
    root, splits = prepare(name)
    assert (root / 'videos_train').readlink().as_posix() == 'train'
    assert read_back(root, name, 'train_list', 'videos_train') == {
        '-abcdefghi1_000003_000013.mp4': 2,
        'bbbbbbbbbb__000010_000020.mp4': 0,
        'cccccccccc2_000120_000130.mp4': 1,
    }
    assert read_back(root, name, 'val_list', 'videos_val') == {'dddddddddd3_000000_000010.mp4': 1}
    assert splits['train_list'].missing == ['gone________000000_000010.mp4']
    assert splits['val_list'].missing == ['gone2_______000000_000010.mp4']
    assert READERS[name](root)[1][0].samples == splits['train_list'].samples  # again, through the links


def test_diving48(prepare):
    root, _ = prepare('diving48')
    assert read_back(root, 'diving48', 'train_list', 'videos') == {'a_1.mp4': 0, 'a_2.mp4': 0, 'b_1.mp4': 1}
    assert read_back(root, 'diving48', 'val_list', 'videos') == {'b_2.mp4': 1}


@pytest.mark.parametrize('folder', ['hmdb51_org', '.', 'videos'])
def test_hmdb51(prepare, folder):
    root, splits = prepare('hmdb51', folder=folder)
    assert {name: len(split.samples) for name, split in splits.items()} == {
        'train_split_1': 4,
        'val_split_1': 2,
        'train_split_2': 2,
        'val_split_2': 4,
        'train_split_3': 2,
        'val_split_3': 4,
    }
    assert read_back(root, 'hmdb51', 'val_split_1', 'videos') == {'#2_brush_hair!_clip.avi': 0, '#2_wave!_clip.avi': 1}


def test_ucf101(prepare):
    root, splits = prepare('ucf101')
    assert len(splits) == 6
    assert read_back(root, 'ucf101', 'train_split_2', 'videos') == {
        'v_ApplyEyeMakeup_g02_c01.avi': 1,
        'v_ApplyEyeMakeup_g02_c02.avi': 1,
        'v_YoYo_g02_c01.avi': 0,
        'v_YoYo_g02_c02.avi': 0,
    }
    assert read_back(root, 'ucf101', 'val_split_3', 'videos') == {
        'v_ApplyEyeMakeup_g03_c03.avi': 1,
        'v_YoYo_g03_c03.avi': 0,
    }


@pytest.mark.parametrize('later', [False, True])
def test_something_something(prepare, later):
    root, _ = prepare('sthv2')
    if later:  # as Qualcomm distributes it
        (root / 'labels').mkdir()
        for path in root.glob('something-something-v2-*.json'):
            path.rename(root / 'labels' / path.name.removeprefix('something-something-v2-'))
        assert READERS['sthv2'](root)[0] == ['Holding something next to something', 'Pushing something']
    assert read_back(root, 'sthv2', 'train_list', 'videos') == {'78687.webm': 0, '42326.webm': 1}
    assert read_back(root, 'sthv2', 'val_list', 'videos') == {'74225.webm': 1}


def test_charades(prepare):
    root, _ = prepare('charades')
    options = dict(multi_class=True, num_classes=3)
    assert read_back(root, 'charades', 'train_list', 'videos', **options) == {'AAAAA.mp4': [0, 2], 'BBBBB.mp4': [1]}
    assert read_back(root, 'charades', 'val_list', 'videos', **options) == {'CCCCC.mp4': [], 'DDDDD.mp4': [2]}


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r'has no annotations/train\.csv or train\.csv'):
        READERS['kinetics400'](tmp_path)
    make_kinetics(tmp_path)
    (tmp_path / 'annotations/val.csv').write_text('label,video\n')
    (tmp_path / 'annotations/train.csv').write_text('label,video\nyoga,a\n')
    with pytest.raises(UserError, match="has no column 'youtube_id'"):
        READERS['kinetics400'](tmp_path)
    (tmp_path / 'testTrainMulti_7030_splits').mkdir()
    with pytest.raises(UserError, match=r'has no CLASS_test_split1\.txt'):
        READERS['hmdb51'](tmp_path)


def test_a_folder_without_the_videos_is_refused(tmp_path):
    make_diving48(tmp_path)
    (tmp_path / 'rgb').rename(tmp_path / 'elsewhere')
    (tmp_path / 'rgb').mkdir()
    with pytest.raises(UserError, match=r'rgb has none of the 3 videos of train_list, such as a_1\.mp4'):
        READERS['diving48'](tmp_path)


def test_a_link_to_nowhere_is_left_for_its_owner(tmp_path):
    make_diving48(tmp_path)
    (tmp_path / 'videos').symlink_to('gone')
    _, splits = READERS['diving48'](tmp_path)
    with pytest.raises(UserError, match='links to gone, which does not exist'):
        link_folders(tmp_path, splits)
    assert (tmp_path / 'videos').is_symlink()


def test_videos_in_linked_folders_are_found(tmp_path):
    write(tmp_path / 'elsewhere' / 'a.mp4')
    (tmp_path / 'train').mkdir()
    (tmp_path / 'train' / 'jump').symlink_to(tmp_path / 'elsewhere')
    assert index_videos(tmp_path / 'train') == {'a': 'jump/a.mp4'}


@pytest.mark.parametrize(
    ('count', 'rounded', 'difference'),
    [
        (230_000, True, ''),
        (220_000, True, ', 20,000 fewer here'),
        (240_001, False, ', 1 more here'),
    ],
)
def test_counts_beside_those_that_are_published(count, rounded, difference):
    """A rounded one is met within 5 %."""
    said = compare_with_published(count, Published(240_000, 'its paper', rounded))
    assert said == f'published: {"about " * rounded}240,000 (its paper){difference}'
