import copy

import pytest
from mmengine.config import Config

from mmdualformer.finetuning import set_flip
from mmdualformer.finetuning.flip import find_mirrored_names
from mmdualformer.finetuning.labels import set_labels
from tests.helpers import REPO

CONFIGS = [
    'dualformer_micro_motion.py',
    'dualformer_s_k400_tokenlabel_offline.py',
    'dualformer_t_k400.py',
    'dualformer_b_in21k.py',
    'vidtr_l_sthv2.py',
    'vidtr_s_k400.py',
    'vmf_560m_k400.py',
]


def load(name: str) -> Config:
    return Config.fromfile(REPO / 'configs' / name)


def kinds(pipeline: list[dict]) -> list[str]:
    return [step['type'] for step in pipeline]


@pytest.mark.parametrize(
    'name',
    [
        'left',
        'swipe_left',
        'TurnRight',
        'TURN_LEFT',
        'turnLeft2',
        'kick-left',
        'swipeleft',
        'moving something from left to right',
        'anti-clockwise',
        'counterclockwise',
        'CW',
        'hard a-starboard',
        'nach rechts',
        'main gauche',
        'mano izquierda',
        '向左挥手',
        '顺时针',
        'arrow',
        '→',
        'sign language interpreting',
        'ASL_hello',
        'A',
        'b',
        '7',
        'letter_b',
        'digit 7',
        'number three',
    ],
)
def test_names_that_change_when_mirrored(name):
    assert find_mirrored_names(['jump', name]) == [name]


def test_names_that_do_not():
    names = ['leftover', 'copyright', 'bright', 'upright', 'theft', 'cleft', 'signing a contract', 'writing letters']
    names += ['g1', 'class 2', 'check', 'portrait', 'Wright', 'narrow', 'acwellness', 'bank l', '跑步', 'ä']
    assert find_mirrored_names(names[:-1]) == []
    assert find_mirrored_names(names) == ['ä']


def test_numbers_that_count_the_classes_say_nothing():
    assert find_mirrored_names([str(i) for i in range(12)]) == []
    assert find_mirrored_names(['1', '2', '3']) == []
    assert find_mirrored_names(['001', '002']) == []
    digits = [str(i) for i in range(10)]
    assert find_mirrored_names(digits) == digits
    assert find_mirrored_names(['3', '7']) == ['3', '7']


def test_an_l_with_its_r():
    assert find_mirrored_names(['punch_L', 'jump', 'punch_R', 'vitamin l']) == ['punch_L', 'punch_R']


@pytest.mark.parametrize('name', CONFIGS)
def test_every_config_gets_one_flip_or_none(name):
    loaded = load(name)
    for choice, kind in ((True, 'Flip'), (False, None), (None, 'SwitchableFlip')):
        cfg = copy.deepcopy(loaded)
        set_flip(cfg, choice, ['one', 'two'])
        assert cfg.train_pipeline == cfg.train_dataloader.dataset.pipeline
        steps = kinds(cfg.train_pipeline)
        assert [step for step in steps if 'Flip' in step] == ([kind] if kind else [])
        if kind:
            place = steps.index(kind)
            assert max(i for i, step in enumerate(steps) if 'Crop' in step) < place < steps.index('FormatShape')
        assert any(hook.type == 'MirrorHook' for hook in cfg.custom_hooks) == (choice is None)


def test_flips_within_other_data_sets_and_transforms():
    cfg = load('dualformer_t_k400.py')
    steps = list(cfg.train_pipeline)
    place = kinds(steps).index('Flip')
    steps[place] = dict(type='RandomApply', prob=0.5, transforms=[dict(type='Flip', flip_ratio=1.0)])
    data = dict(type='RobustRepeatAugDataset', ann_file='a.txt', pipeline=steps)
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=data)
    set_flip(cfg, None, ['one', 'two'])
    steps = cfg.train_dataloader.dataset.dataset.pipeline
    assert steps[place].transforms == [dict(type='SwitchableFlip', flip_ratio=1.0)]
    assert 'SwitchableFlip' not in kinds(steps)
    set_flip(cfg, False, ['one', 'two'])
    assert cfg.train_dataloader.dataset.dataset.pipeline[place].transforms == []


def test_tests_never_mirror():
    cfg = load('dualformer_t_k400.py')
    whole = list(cfg.test_pipeline)
    for name in ('val', 'test'):
        cfg[f'{name}_dataloader'].dataset.pipeline = [*whole[:-1], dict(type='Flip', flip_ratio=1.0), whole[-1]]
    set_flip(cfg, True, ['one', 'two'])
    for name in ('val', 'test'):
        assert cfg[f'{name}_dataloader'].dataset.pipeline == whole


def test_what_is_said():
    left = ['left', 'right', 'jump']
    loaded = load('dualformer_micro_motion.py')

    def say(choice: bool | None, classes: list[str]) -> str:
        return set_flip(copy.deepcopy(loaded), choice, classes)

    assert say(None, left) == 'clips are not mirrored: `left`, `right` may change when mirrored; if not, give --flip'
    assert say(None, ['up', 'jump']).startswith('clips are not mirrored until training shows')
    assert say(False, ['up', 'jump']) == 'clips are not mirrored, by --no-flip'
    assert say(True, ['up', 'jump']) == 'half of the training clips are mirrored, by --flip'
    assert 'warning: mirrored clips of `left`, `right` may show another class' in say(True, left)
    assert '`e` and 2 more may' in say(None, list('abcdefg'))


@pytest.mark.parametrize('choice', [None, True])
def test_nothing_is_measured_of_clips_with_several_labels(choice):
    cfg = load('own_videos/vmf_micro.py')
    set_labels(cfg, 2, multi_label=True)
    line = set_flip(cfg, choice, ['up', 'jump'])
    assert ('if they do not, give --flip' in line) == (choice is None)
    assert 'MirrorHook' not in str(cfg.get('custom_hooks'))
    assert ('Flip' in kinds(cfg.train_pipeline)) == bool(choice)
