import types
from pathlib import Path

import pytest
from mmengine.config import Config

from mmdualformer.checks import check_classes, check_datasets, check_file, check_model
from mmdualformer.errors import UserError
from tests.helpers import REPO

LOADERS = ('train_dataloader', 'val_dataloader')


@pytest.fixture
def cfg(motion_root):
    cfg = Config.fromfile(REPO / 'configs/dualformer_micro_motion.py')
    for loader in LOADERS:
        cfg[loader].dataset.data_root = str(motion_root)
    return cfg


def test_complete_data_passes(cfg):
    check_datasets(cfg, LOADERS)
    cfg.val_dataloader = None
    check_datasets(cfg, LOADERS)


def test_a_missing_list_is_named_with_the_file_that_sets_it():
    cfg = Config.fromfile(REPO / 'configs/dualformer_t_k400.py')
    with pytest.raises(UserError) as error:
        check_datasets(cfg, LOADERS)
    message = str(error.value)
    assert "train_dataloader.dataset.ann_file='data/kinetics400/kinetics400_train_list_videos.txt'" in message
    assert 'set in ' in message and 'configs/_base_/data/k400.py' in message
    assert str(Path('data/kinetics400').absolute()) in message
    assert '\n' not in message


def test_a_missing_folder_from_the_command_line(cfg):
    options = {'val_dataloader.dataset.data_prefix.video': 'elsewhere'}
    cfg.merge_from_dict(options)
    with pytest.raises(UserError, match=r"data_prefix\.video='elsewhere', set in --cfg-options, does not exist"):
        check_datasets(cfg, LOADERS, options)


def test_a_missing_data_root_is_named_as_such(cfg):
    cfg.train_dataloader.dataset.data_root = '/nowhere'
    with pytest.raises(UserError, match=r"train_dataloader\.dataset\.data_root='/nowhere', set in --cfg-options"):
        check_datasets(cfg, LOADERS, {'train_dataloader.dataset.data_root': '/nowhere'})


def test_who_set_a_path_is_told_apart(cfg):
    """Both loaders have the same value, and the command line set one of them."""
    for loader in LOADERS:
        cfg[loader].dataset.data_root = 'data/nowhere'
    options = {'val_dataloader.dataset.data_root': 'data/nowhere'}
    with pytest.raises(UserError, match=r"train_dataloader\.dataset\.data_root='data/nowhere', set in \S+\.py,"):
        check_datasets(cfg, LOADERS, options)
    with pytest.raises(UserError, match=r"val_dataloader\.dataset\.data_root='data/nowhere', set in --cfg-options,"):
        check_datasets(cfg, LOADERS[1:], options)
    with pytest.raises(UserError, match=r"val_dataloader\.dataset\.data_root='data/nowhere', set in --cfg-options,"):
        check_datasets(cfg, LOADERS[1:], {'val_dataloader.dataset': dict(cfg.val_dataloader.dataset)})


def test_other_lists_and_loaders_are_left_to_their_classes(cfg, tmp_path):
    (tmp_path / 'list.txt').write_text('clip 300 1\n')
    cfg.train_dataloader.dataset.update(type='RawframeDataset', ann_file=str(tmp_path / 'list.txt'))
    cfg.val_dataloader = [cfg.val_dataloader]
    cfg.model.cls_head = None
    check_datasets(cfg, LOADERS)


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('a.mp4 8', "line 2: label '8' must be a number of 0 to 7"),
        ('a.mp4 -1', "label '-1'"),
        ('a.mp4 cat', "'a.mp4 cat' must be a video and its label, a number of"),
        ('two words.mp4 8', "label '8' must"),
        ('a.mp4', "line 2: 'a.mp4' must be a video and its label"),
        ('\n\na.mp4 8', "line 4: label '8' must"),
    ],
)
def test_labels_outside_the_classes(cfg, tmp_path, line, message):
    (tmp_path / 'list.txt').write_text(f'b.mp4 0\n{line}\n')
    cfg.train_dataloader.dataset.ann_file = str(tmp_path / 'list.txt')
    with pytest.raises(UserError, match=message) as error:
        check_datasets(cfg, LOADERS)
    assert 'number of 0 to 7' in str(error.value)


def test_lists_of_derived_data_sets_are_checked_too(cfg, tmp_path):
    (tmp_path / 'list.txt').write_text('a.mp4 8\n')
    cfg.train_dataloader.dataset.update(type='RobustRepeatAugDataset', ann_file=str(tmp_path / 'list.txt'))
    with pytest.raises(UserError, match='number of 0 to 7'):
        check_datasets(cfg, LOADERS)


def test_lists_are_read_as_the_data_set_reads_them(cfg, tmp_path):
    """Its delimiter, its kinds of lines, and its folder."""
    (tmp_path / 'list.txt').write_text('run 8 0\n"jump 2" 9 7\n')
    dataset = cfg.train_dataloader.dataset
    dataset.update(ann_file=str(tmp_path / 'list.txt'), rawframes=True)
    check_datasets(cfg, LOADERS)
    dataset.with_offset = True
    with pytest.raises(UserError, match=r"line 1: 'run 8 0' must be a folder, its first frame, its number of frames"):
        check_datasets(cfg, LOADERS)
    dataset.update(rawframes=None, with_offset=False, data_prefix=dict(video=str(tmp_path)))
    (tmp_path / 'run').mkdir()
    with pytest.raises(UserError, match=r"line 1: 'run' is a folder, so 8 may be its number of frames or a label"):
        check_datasets(cfg, LOADERS)
    (tmp_path / 'list.txt').write_text(f'a.mp4,0\n\n{tmp_path}/a.mp4,1\n')
    dataset.delimiter = ','
    with pytest.raises(UserError, match=r"line 3: '.*a\.mp4' has label 1, but in line 1 label 0$"):
        check_datasets(cfg, LOADERS)


def test_videos_that_may_lack_a_label(cfg, tmp_path):
    """Those that show none of many classes, and those that are only to be scored."""
    (tmp_path / 'list.txt').write_text('a.mp4\nb.mp4 0 7\n')
    cfg.train_dataloader.dataset.update(ann_file=str(tmp_path / 'list.txt'), multi_class=True)
    check_datasets(cfg, LOADERS)
    (tmp_path / 'list.txt').write_text('a.mp4,5\nb.mp4\n')
    cfg.test_dataloader.dataset.update(
        ann_file=str(tmp_path / 'list.txt'), delimiter=',', data_root='', data_prefix=dict(video='')
    )
    check_datasets(cfg, ('test_dataloader',))
    (tmp_path / 'list.txt').write_text('a.mp4,8\n')
    with pytest.raises(UserError, match="label '8' must be a number of 0 to 7"):
        check_datasets(cfg, ('test_dataloader',))


def test_files_elsewhere_on_the_network_are_not_looked_for():
    check_file('checkpoint', 'https://example.org/model.pth')
    with pytest.raises(UserError, match=r"checkpoint 'model\.pth' does not exist"):
        check_file('checkpoint', 'model.pth')


def test_classes_that_only_one_side_names_are_left_alone():
    checkpoint = dict(meta=dict(dataset_meta=dict(classes=['ant', 'bee', 'cat'])))
    dataset = types.SimpleNamespace(metainfo=dict(classes=['ant', 'wasp', 'cat']))
    check_classes(dataset, checkpoint, 'a.pth')
    dataset.metainfo['classes'] = ['bee', 'wasp', 'cat']
    with pytest.raises(UserError, match=r"class 'bee' as label 0, .* as label 1"):
        check_classes(dataset, checkpoint, 'a.pth')


def test_names_of_other_classes(cfg, tmp_path):
    (tmp_path / 'list.txt').write_text('a.mp4 0\n')
    (tmp_path / 'label_map.txt').write_text('cat\ndog\n')
    cfg.model.cls_head.num_classes = 1
    cfg.train_dataloader.dataset.ann_file = str(tmp_path / 'list.txt')
    with pytest.raises(UserError, match=r'label_map\.txt names 2 classes, more than model\.cls_head\.num_classes=1'):
        check_datasets(cfg, LOADERS)


def test_files_that_are_no_lists(cfg, tmp_path):
    (tmp_path / 'empty.txt').write_text('')
    (tmp_path / 'binary.txt').write_bytes(b'\xff\xfe')
    for name, message in (('empty.txt', 'is empty'), ('binary.txt', 'is no list'), ('.', 'is no list')):
        cfg.train_dataloader.dataset.ann_file = str(tmp_path / name)
        with pytest.raises(UserError, match=message):
            check_datasets(cfg, LOADERS)


def test_datasets_under_wrappers_are_checked(cfg):
    inner = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = dict(
        type='RepeatDataset', times=2, dataset=dict(type='ConcatDataset', datasets=[inner, dict(inner, ann_file='no')])
    )
    with pytest.raises(UserError, match=r"train_dataloader\.dataset\.dataset\.datasets\.1\.ann_file='no'"):
        check_datasets(cfg, LOADERS)


class TestWarnings:
    def test_complete_data_has_none(self, cfg, motion_root):
        assert check_datasets(cfg, LOADERS) == []

    def test_classes_without_a_clip(self, cfg, tmp_path):
        """In all training lists together; those of the validation may be few."""
        for name, lines in (('a.txt', 'a.mp4 0\nb.mp4 3\n'), ('b.txt', 'c.mp4 7\n'), ('val.txt', 'd.mp4 1\n')):
            (tmp_path / name).write_text(lines)
        inner = dict(cfg.train_dataloader.dataset)
        datasets = [dict(inner, ann_file=str(tmp_path / name)) for name in ('a.txt', 'b.txt')]
        cfg.train_dataloader.dataset = dict(type='ConcatDataset', datasets=datasets)
        cfg.val_dataloader.dataset.ann_file = str(tmp_path / 'val.txt')
        (warning,) = check_datasets(cfg, LOADERS)
        lists = f'{tmp_path}/a.txt, {tmp_path}/b.txt'
        assert warning == f'5 of model.cls_head.num_classes=8 classes have no clip in {lists}: 1, 2, 4, 5, 6'
        cfg.model.cls_head.num_classes = 20
        assert check_datasets(cfg, LOADERS)[0].endswith(': 1, 2, 4, 5, 6, 8, 9, 10, 11, 12 and 7 more')

    def test_labels_that_are_all_the_same(self, cfg, tmp_path):
        (tmp_path / 'list.txt').write_text('a.mp4 3\nb.mp4 3\n')
        cfg.train_dataloader.dataset.ann_file = str(tmp_path / 'list.txt')
        assert check_datasets(cfg, LOADERS) == [
            f'all 2 labels of {tmp_path}/list.txt are 3: there is nothing to tell apart'
        ]


class TestImageFolder:
    @pytest.fixture
    def cfg(self, tmp_path):
        cfg = Config.fromfile(REPO / 'configs/dualformer_t_in1k.py')
        for loader in LOADERS:
            for name in ('ant', 'bee', 'cat'):
                (tmp_path / loader / name).mkdir(parents=True)
            cfg[loader].dataset.data_prefix.img = str(tmp_path / loader)
        cfg.model.cls_head.num_classes = 3
        return cfg

    def test_a_missing_folder_is_named_with_the_file_that_sets_it(self):
        with pytest.raises(
            UserError,
            match=r"train_dataloader\.dataset\.data_prefix\.img='data/imagenet/train', set "
            r'in .*configs/_base_/data/imagenet1k\.py, does not exist',
        ):
            check_datasets(Config.fromfile(REPO / 'configs/dualformer_s_in1k.py'), LOADERS)

    def test_folders_must_be_the_classes_of_the_head(self, cfg, tmp_path):
        check_datasets(cfg, LOADERS)
        (tmp_path / 'val_dataloader' / 'bee').rmdir()
        with pytest.raises(
            UserError,
            match=r"val_dataloader\.dataset has 2 classes in '.*val_dataloader', but "
            r'model\.cls_head\.num_classes=3',
        ):
            check_datasets(cfg, LOADERS)
        cfg.val_dataloader.dataset.metainfo = dict(classes=['ant', 'bee', 'cat'])
        check_datasets(cfg, LOADERS)
        for name in ('ant', 'cat'):
            (tmp_path / 'val_dataloader' / name).rmdir()
        cfg.val_dataloader.dataset.metainfo = None
        with pytest.raises(UserError, match='has no class folders'):
            check_datasets(cfg, LOADERS)

    def test_labels_of_a_list(self, cfg, tmp_path):
        (tmp_path / 'val.txt').write_text('ant/0.JPEG 0\nbee/0.JPEG 3\n')
        cfg.val_dataloader.dataset.ann_file = str(tmp_path / 'val.txt')
        with pytest.raises(UserError, match=r"val\.txt line 2: label '3' must be a number of 0 to 2"):
            check_datasets(cfg, LOADERS)

    def test_blending_has_the_classes_of_the_head(self, cfg):
        with pytest.raises(
            UserError,
            match=r'model\.data_preprocessor\.blending\.augments\.0\.num_classes=1000 must '
            r'be that of the head, model\.cls_head\.num_classes=3; set it with',
        ):
            check_model(cfg)
        for augment in cfg.model.data_preprocessor.blending.augments:
            augment.num_classes = 3
        check_model(cfg)
        check_model(Config.fromfile(REPO / 'configs/dualformer_b_in21k.py'))


class TestInitialWeights:
    def test_a_missing_file_is_named_with_the_file_that_sets_it(self):
        cfg = Config.fromfile(REPO / 'configs/dualformer_t_ucf101_in1k.py')
        with pytest.raises(UserError) as error:
            check_model(cfg)
        message = str(error.value)
        assert "model.backbone.init_cfg.checkpoint='checkpoints/dualformer_t_in1k.pth'" in message
        assert 'set in ' in message and 'configs/dualformer_t_ucf101_in1k.py' in message
        assert str(Path('checkpoints/dualformer_t_in1k.pth').absolute()) in message
        assert '--cfg-options model.backbone.init_cfg.checkpoint=PATH' in message and '\n' not in message

    def test_files_addresses_and_none_pass(self, tmp_path):
        cfg = Config.fromfile(REPO / 'configs/dualformer_t_k400_in1k.py')
        for path in (tmp_path / 'weights.pth', 'https://example.org/weights.pth'):
            cfg.model.backbone.init_cfg.checkpoint = str(path)
            (tmp_path / 'weights.pth').touch()
            check_model(cfg)
        check_model(Config.fromfile(REPO / 'configs/dualformer_t_k400.py'))

    def test_all_of_several_initialisations_are_looked_at(self, cfg):
        cfg.model.backbone.init_cfg = [
            dict(type='Constant', layer='Linear', val=0),
            dict(type='Pretrained', checkpoint='no'),
        ]
        with pytest.raises(UserError, match=r"model\.backbone\.init_cfg\.1\.checkpoint='no'.* does not exist"):
            check_model(cfg)
