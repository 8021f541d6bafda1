import importlib.util
import json
import os
from argparse import Namespace

import pytest
from mmengine.config import Config
from optuna.trial import TrialState

from mmdualformer.errors import UserError
from mmdualformer.finetuning import Run, check_tries, list_models, make_space, models
from mmdualformer.finetuning.tries import Tries
from mmdualformer.finetuning.try_settings import draw_settings, read_settings
from mmdualformer.finetuning.try_table import show_tries
from tests.helpers import REPO

MICRO = ('vmf_micro', 'dualformer_micro', 'vidtr_micro')


def read(model: str) -> Config:
    return Config.fromfile(REPO / f'configs/own_videos/{model}.py')


def write_scores(work_dir, scores, metric='acc/top1') -> None:
    """Write what MMEngine leaves of a training with these validations."""
    folder = work_dir / '20260101_100000'
    (folder / 'vis_data').mkdir(parents=True)
    lines = [dict(loss=1.0, epoch=1, iter=1, step=1)]
    lines += [{metric: score, 'step': epoch} for epoch, score in enumerate(scores, 1)]
    (folder / 'vis_data/scalars.json').write_text('\n'.join(map(json.dumps, lines)))
    (folder / f'{folder.name}.log').write_text('2026/01/01 10:01:30 - mmengine - INFO - last\n')


def small_config(model: str, save_best: str | None) -> Config:
    """Of what a config has what the tries look at."""
    return Config(
        dict(
            default_scope='mmaction',
            name=model,
            optim_wrapper=dict(optimizer=dict(lr=1e-3, weight_decay=0.05)),
            model=dict(cls_head=dict(type='I3DHead', dropout_ratio=0.3, label_smooth_eps=0.1)),
            default_hooks=dict(checkpoint=dict(save_best=save_best)),
        )
    )


class Stop(BaseException):
    """Stands for a kill."""


@pytest.fixture
def begin(tmp_path):
    """Make the tries of a work dir, as a process does that begins or goes on with it."""

    def make(name='work', models=('vmf_micro',), count=4, seed=0, save_best=None):
        path = tmp_path / name
        runs = [Run(path / 'models' / model) for model in models]
        for run in runs:
            run.write_config(small_config(run.path.name, save_best))
        return Tries(path, runs, dict(cfg_options={}, seed=seed, **{'try': count}))

    return make


def train(run) -> int:
    """The fake objective: the score falls with the distance of the learning rate from 0.002."""
    write_scores(run.path, [1 - abs(read_settings(Config.fromfile(run.config))['lr'] - 0.002) * 100])
    return 0


def drawn(tries) -> list[dict]:
    return [trial.params for trial in tries._drawn()]


def test_the_space_is_around_the_recipe_and_holds_it():
    space, defaults = make_space({model: read(model) for model in MICRO})
    bounds = {name: (part.low, part.high, part.log) for name, part in space.items() if name != 'model'}
    assert bounds == {
        'lr_factor': (pytest.approx(1 / 3), 3, True),
        'weight_decay_factor': (pytest.approx(1 / 5), 5, True),
        'label_smoothing': (0, 0.2, False),
        'dropout': (0, 0.6, False),
    }
    assert space['model'].choices == MICRO
    assert [default['model'] for default in defaults] == list(MICRO)
    for default in defaults:
        head = read(default['model']).model.cls_head
        assert default['lr_factor'] == default['weight_decay_factor'] == 1
        assert (default['label_smoothing'], default['dropout']) == (head.label_smooth_eps, head.dropout_ratio)
    assert 'model' not in make_space({'vmf_micro': read('vmf_micro')})[0]


def test_what_the_user_has_given_is_not_drawn():
    cfg = read('vmf_micro')
    cfg.model.cls_head.dropout_ratio = 0.8
    assert make_space({'own': cfg})[0]['dropout'].high == 0.8
    cfg.optim_wrapper.optimizer.weight_decay = 0  # of which there is no multiple
    space, (default,) = make_space({'own': cfg}, ['optim_wrapper.optimizer.lr', 'model.cls_head.label_smooth_eps'])
    assert space.keys() == default.keys() == {'dropout'}
    with pytest.raises(UserError, match='--try has nothing to compare: --cfg-options gives'):
        make_space({'own': cfg}, ['optim_wrapper.optimizer', 'model.cls_head'])


def test_what_is_not_drawn_stays():
    cfg = read('vmf_micro')
    assert draw_settings(cfg, dict(lr_factor=2.0, dropout=0.0)) == {
        'lr': pytest.approx(6e-3),
        'weight decay': 0.05,
        'label smoothing': 0.1,
        'dropout': 0,
    }


def test_a_head_takes_what_the_class_takes_that_it_derives_from():
    cfg = read('vmf_micro')
    del cfg.model.cls_head['label_smooth_eps'], cfg.model.cls_head['dropout_ratio']
    assert {key: value for key, value in read_settings(cfg).items() if ' ' in key or key == 'dropout'} == {
        'weight decay': 0.05, 'label smoothing': 0, 'dropout': 0
    }  # fmt: skip


def test_the_models_are_those_with_weights_if_there_are_any(monkeypatch):
    monkeypatch.setattr(models, 'find_motion_weights', lambda name: None)
    assert list_models() == ['vmf_micro', 'dualformer_micro', 'vidtr_micro']
    monkeypatch.setattr(models, 'find_motion_weights', lambda name: name != 'vmf_micro' or None)
    assert list_models() == ['dualformer_micro', 'vidtr_micro']


def test_the_same_seed_draws_the_same(begin, tmp_path):
    # twelve, as from the eleventh on the results count
    studies = [begin(name, MICRO, count, seed) for name, count, seed in (('a', 12, 1), ('b', 12, 1), ('c', 4, 2))]
    for tries in studies:
        tries.run(train)
    a, b, c = map(drawn, studies)
    assert a == b and a[3] != c[3]
    assert [params['model'] for params in a[:3]] == list(MICRO) and a[:3] == c[:3]  # each by itself first
    assert len({str(params) for params in a}) == 12 and {params['model'] for params in a} == set(MICRO)
    cfg = Config.fromfile(tmp_path / 'a/try_3/config.py')
    assert cfg.work_dir == str(tmp_path / 'a/try_3') and cfg.name == a[2]['model']
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(1e-3 * a[2]['lr_factor'])
    assert cfg.model.cls_head.label_smooth_eps == a[2]['label_smoothing']


def test_more_tries_go_on_with_those_that_there_are(begin, tmp_path):
    begin('grown', count=2).run(train)
    calls = []
    grown = begin('grown', count=5)
    grown.run(lambda run: calls.append(run.path.name) or train(run))
    assert calls == ['try_3', 'try_4', 'try_5'] and len(grown.rank()) == 5
    whole = begin('whole', count=5)
    whole.run(train)
    assert drawn(grown) == drawn(whole)
    for number in range(1, 6):
        assert json.loads((tmp_path / f'grown/try_{number}/lists/data.json').read_text())['tries'] == 5


def test_the_study_goes_on_after_a_kill(begin):
    whole = begin('whole')
    whole.run(train)
    calls = []

    def die_once(run):
        calls.append(run.path.name)
        if calls == ['try_1', 'try_2']:
            raise Stop
        return train(run)

    with pytest.raises(Stop):
        begin().run(die_once)
    tries = begin()
    tries.run(die_once)
    assert calls == ['try_1', 'try_2', 'try_2', 'try_3', 'try_4']
    assert drawn(tries) == drawn(whole)
    assert [one.score for one in tries.rank()] == [one.score for one in whole.rank()]
    begin().run(die_once)
    assert len(calls) == 5  # nothing is left to do


@pytest.mark.parametrize('first', [1, 2])
def test_a_kill_while_settings_are_drawn_changes_no_settings(begin, monkeypatch, first):
    whole = begin('whole')
    whole.run(train)
    write = Run.write_config

    def die(run, cfg):
        if run.path.name == f'try_{first}':
            raise Stop
        write(run, cfg)

    with monkeypatch.context() as patch:
        tries = begin()
        patch.setattr(Run, 'write_config', die)
        with pytest.raises(Stop):
            tries.run(train)
    tries = begin()
    tries.run(train)
    assert drawn(tries) == drawn(whole)
    assert [one.number for one in tries.rank() if one.settings['lr'] == 0.001] == [2 if first == 1 else 1]


def test_what_a_kill_leaves_of_the_study_is_not_in_the_way(begin, tmp_path):
    begin(count=2)
    os.symlink(tmp_path / 'work/study.log', tmp_path / 'work/study.log.lock')
    with open(tmp_path / 'work/study.log', 'a') as log:
        log.write('{"op_code": 4, "wor')
    begin(count=2).run(train)
    assert len(begin(count=2).rank()) == 2


def test_what_fails_is_last_and_not_the_end(begin, tmp_path, capsys):
    scores = {'try_1': [0.9, 0.5], 'try_2': [0.1, 0.75], 'try_4': [0.75], 'try_5': [float('nan')]}

    def train(run):
        if run.path.name == 'try_3':
            return 137
        write_scores(run.path, scores[run.path.name])
        return 0

    models = ('dualformer_micro',)
    begin(models=models, count=5)
    (tmp_path / 'work/lists').mkdir()
    (tmp_path / 'work/lists/data.json').write_text('{"seed": 7, "test_is_validation": true}')
    tries = begin(models=models, count=5)
    tries.run(train)
    ranked = tries.rank()
    assert [one.number for one in ranked] == [2, 4, 1, 3, 5]  # the last epoch counts, and of equals the first
    assert [one.score for one in ranked] == [0.75, 0.75, 0.5, None, None]
    assert [one.status for one in ranked] == [0, 0, 0, 137, 0]
    lists = json.loads((tmp_path / 'work/try_2/lists/data.json').read_text())
    assert lists == dict(seed=7, test_is_validation=True, tries=5)

    capsys.readouterr()
    show_tries(tmp_path / 'work', ranked)
    output = capsys.readouterr().out
    lines = [line.split() for line in output.splitlines() if line.strip()]
    assert [line[0] for line in lines[3:8]] == ['2', '4', '1', '3', '5']
    assert lines[5] == ['1', 'dualformer_micro', '0.001', '0.05', '0.1', '0.3', '0.5000', '1.5']
    assert lines[6][-2:] == ['failed', '0.0']
    assert max(map(len, output.splitlines()[:-2])) <= 80
    assert 'has chosen it, so it is too high' in output and '--test-share 0.2' in output
    rows = json.loads((tmp_path / 'work/tries.json').read_text())
    assert [row['try'] for row in rows] == [2, 4, 1, 3, 5]
    assert rows[0]['metric'] == 'acc/top1' and rows[0]['value'] == 0.75 and rows[0]['work_dir'] == 'try_2'
    assert (
        rows[0]['lr'] == ranked[0].settings['lr']
        and rows[3]['status'] == 'failed'
        and rows[3]['exit_status'] == 137
        and rows[3]['value'] is None
    )

    (tmp_path / 'work/lists/data.json').write_text('{"test_is_validation": false}')
    show_tries(tmp_path / 'work', ranked)
    assert 'too high' not in capsys.readouterr().out


def test_all_fail(begin):
    calls = []
    tries = begin(count=2)
    with pytest.raises(UserError, match=r'all 2 tries failed; their logs are in .*work/try_1'):
        tries.run(lambda run: calls.append(run.path.name) or 1)
    assert calls == ['try_1', 'try_2']
    assert all(trial.state == TrialState.FAIL for trial in tries._drawn())


@pytest.mark.parametrize(
    ('metric', 'save_best', 'expected'),
    [('acc/top1', None, 0.5), ('acc/top1', 'auto', 0.9), ('acc/mean_average_precision', None, 0.5)],
)
def test_the_score_is_that_of_the_epoch_that_is_kept(begin, metric, save_best, expected):
    tries = begin(count=2, save_best=save_best)
    tries.run(lambda run: write_scores(run.path, [0.1, 0.9, 0.5], metric) or 0)
    assert [(one.metric, one.score) for one in tries.rank()] == [(metric, expected)] * 2


def test_what_cannot_be_tried_is_said_first(monkeypatch):
    check_tries(Namespace(folds=None, **{'try': 3}))
    with pytest.raises(UserError, match='--try 3 compares settings on one split, but --folds 5 makes several'):
        check_tries(Namespace(folds=5, **{'try': 3}))
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(UserError, match=r'--try needs the package optuna: pip install "mmdualformer\[tune\]"'):
        check_tries(Namespace(folds=None, **{'try': 3}))
