import json

import pytest

from mmdualformer.finetuning import print_folds, summarize_folds


def write_fold(root, fold, top1, stamp='20260101_000000', seed=0):
    work_dir = root / f'fold_{fold}'
    (work_dir / 'lists').mkdir(parents=True, exist_ok=True)
    (work_dir / 'lists/data.json').write_text(json.dumps(dict(seed=seed, folds=3)))
    (work_dir / stamp).mkdir()
    metrics = {'acc/top1': top1, 'acc/mean1': top1 / 2, 'time': 1.5}
    (work_dir / stamp / f'{stamp}.json').write_text(json.dumps(metrics))
    (work_dir / stamp / 'vis_data').mkdir()
    (work_dir / 'report').mkdir(exist_ok=True)
    (work_dir / 'report' / 'report.json').write_text(json.dumps(dict(result=dict(top1=top1))))  # is written last


def test_the_mean_and_the_deviation_of_the_folds(tmp_path, capsys):
    for fold, top1 in ((1, 0.5), (2, 0.7)):
        write_fold(tmp_path, fold, top1)
    assert summarize_folds(tmp_path, 3) is None  # one is missing
    write_fold(tmp_path, 3, 0.9)
    summary = summarize_folds(tmp_path, 3)
    assert list(summary) == ['acc/top1', 'acc/mean1']
    assert summary['acc/top1']['values'] == [0.5, 0.7, 0.9]
    assert summary['acc/top1']['mean'] == pytest.approx(0.7) and summary['acc/top1']['std'] == pytest.approx(0.2)
    assert json.loads((tmp_path / 'folds.json').read_text()) == summary
    print_folds(summary)
    lines = [line.replace('│', ' ').split() for line in capsys.readouterr().out.splitlines()]
    for line in (
        ['2', '0.7000', '0.3500'],
        ['mean', '0.7000', '0.3500'],
        ['standard', 'deviation', '0.2000', '0.1000'],
    ):
        assert line in lines
    write_fold(tmp_path, 3, 0.9, '20260102_000000', seed=1)
    assert summarize_folds(tmp_path, 3) is None  # one is of another split
