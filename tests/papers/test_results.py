"""Measured accuracies come from test logs, and only from those of the very config."""

import json
from pathlib import Path

import pytest

from mmdualformer.errors import UserError
from mmdualformer.papers.comparison import compare
from mmdualformer.papers.leaves import named_config
from mmdualformer.papers.published import load_rows
from mmdualformer.papers.results import find_results


@pytest.fixture
def log_test(tmp_path):
    """Leave what a test with MMEngine leaves in ``tmp_path/work/NAME``."""

    def log(config: str, timestamp: str, top1: float, change=lambda cfg: None) -> Path:
        cfg = named_config(config)
        change(cfg)
        work_dir = tmp_path / 'work' / config.replace('/', '_')
        run = work_dir / timestamp
        (run / 'vis_data').mkdir(parents=True)
        for path in (work_dir / f'{Path(config).name}.py', run / 'vis_data' / 'config.py'):
            path.write_text(cfg.pretty_text)
        (run / f'{timestamp}.json').write_text(json.dumps({'acc/top1': top1, 'acc/top5': 0.9, 'time': 1.0}))
        (run / 'vis_data' / f'{timestamp}.json').write_text('{"loss": 1}')  # what training leaves
        return run / f'{timestamp}.json'

    return log


def test_the_latest_test_fills_the_cells(log_test, tmp_path):
    log_test('dualformer_s_k400_in1k', '20260101_000000', 0.5)
    latest = log_test('dualformer_s_k400_in1k', '20260102_000000', 0.801)
    log_test('ablations/dualformer/dualformer_t_k400_no_peg', '20260101_000000', 0.7)
    results, left_out = find_results(tmp_path)
    assert results.keys() == {'dualformer_s_k400_in1k', 'ablations/dualformer/dualformer_t_k400_no_peg'}
    assert results['dualformer_s_k400_in1k'].log == latest and left_out == []

    rows = [row for row in load_rows('dualformer', '9') if row.row.startswith('DualFormer-S')]
    verdicts = {(cell.row.config, cell.name): (cell.here, cell.verdict) for cell in compare(rows, results)}
    assert verdicts == {
        ('dualformer_s_k400_in1k', 'top1'): (pytest.approx(80.1), 'met'),
        ('dualformer_s_k400_in1k', 'top5'): (pytest.approx(90), 'lower'),
        ('dualformer_s_k400_tokenlabel', 'top1'): (None, 'not run'),
        ('dualformer_s_k400_tokenlabel', 'top5'): (None, 'not run'),
    }


@pytest.mark.parametrize(
    'change',
    [
        lambda cfg: cfg.test_pipeline[1].update(num_clips=8),
        lambda cfg: cfg.model.backbone.update(position='none'),
    ],
)
def test_tests_with_other_views_or_models_do_not_count(log_test, tmp_path, change):
    def changed(cfg) -> None:
        change(cfg)
        cfg.test_dataloader.dataset.pipeline = cfg.test_pipeline

    log_test('dualformer_t_k400', '20260101_000000', 0.9, changed)
    results, left_out = find_results(tmp_path)
    assert results == {}
    assert len(left_out) == 1 and 'another model, or other clips or views, than dualformer_t_k400' in left_out[0]


def test_other_data_and_other_initialisations_do_count(log_test, tmp_path):
    """Where the videos lie and what the weights start from are no part of the result."""

    def moved(cfg) -> None:
        cfg.test_dataloader.dataset.data_prefix.video = '/elsewhere'
        cfg.model.backbone.init_cfg = dict(type='Inflated', checkpoint='mine.pth')

    log_test('dualformer_t_k400_in1k', '20260101_000000', 0.79, moved)
    assert find_results(tmp_path)[0].keys() == {'dualformer_t_k400_in1k'}


def test_ensembles_count_if_they_average_what_was_tested(log_test, tmp_path):
    log_test('vidtr_s_k400', '20260101_000000', 0.777)
    log_test('baselines/i3d_r50_8x8_k400', '20260101_000000', 0.75)
    averaged = dict(
        predictions={'a.pkl': {'acc/top1': 0.777}, 'b.pkl': {'acc/top1': 0.75}},
        average={'acc/top1': 0.79, 'acc/top5': 0.95},
    )
    path = tmp_path / 'work/vidtr_s_k400+i3d_r50_8x8_k400.json'
    path.write_text(json.dumps(averaged))
    results, left_out = find_results(tmp_path)
    assert left_out == [] and results[path.stem].log == path
    rows = [row for row in load_rows('vidtr', '2') if row.row in ('VidTr-S', 'En-VidTr-S')]
    here = {(cell.row.row, cell.name): cell.here for cell in compare(rows, results)}
    assert (here['VidTr-S', 'top1'], here['En-VidTr-S', 'top1']) == pytest.approx((77.7, 79))
    assert here['En-VidTr-S', 'gflops'] == pytest.approx(89.71 + 41.57, abs=0.01)

    averaged['predictions']['b.pkl']['acc/top1'] = 0.76
    path.write_text(json.dumps(averaged))
    results, left_out = find_results(tmp_path)
    assert path.stem not in results
    assert 'do not score as the latest test of i3d_r50_8x8_k400 did' in left_out[0]


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(UserError, match=r"--results '.*nowhere' is no folder"):
        find_results(tmp_path / 'nowhere')


def test_a_broken_config_is_left_out(log_test, tmp_path):
    log = log_test('dualformer_t_k400', '20260101_000000', 0.9)
    (log.parent / 'vis_data' / 'config.py').write_text('model = dict(')
    results, left_out = find_results(tmp_path)
    assert results == {} and len(left_out) == 1 and 'line 1' in left_out[0]
