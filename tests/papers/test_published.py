"""The papers' tables as data."""

import pytest
from mmaction.registry import MODELS
from mmengine.hub import get_config

from mmdualformer.errors import UserError
from mmdualformer.papers.families import FAMILIES
from mmdualformer.papers.leaves import data_folder, dataset_of, named_config
from mmdualformer.papers.published import UNITS, find_rows, load_rows, rows_of_configs
from mmdualformer.papers.results import METRICS
from tests.helpers import REPO

TABLES = {
    'dualformer': ['1', '2', '3', '4', '5', '6', '7', '9', 'S1', 'S2'],
    'vmf': [str(number) for number in range(1, 13)],
    'vidtr': ['2', '3', '5a', '5b', '5c', '5d', '5e', '5f', '6', '4.3'],
}
ROWS = [row for paper in FAMILIES for row in load_rows(paper)]
OURS = [row for row in ROWS if row.config]


@pytest.mark.parametrize('paper', FAMILIES)
def test_every_table_is_there_and_every_number_plausible(paper):
    rows = load_rows(paper)
    assert list(dict.fromkeys(row.table for row in rows)) == TABLES[paper]
    for row in rows:
        assert row.published and not row.published.keys() - UNITS.keys()
        assert all(number > 0 for number in row.published.values())
        assert all(0 < row.published.get(name, 1) < 100 for name in METRICS)
        if {'top1', 'top5'} <= row.published.keys():
            assert row.published['top1'] < row.published['top5']
        assert row.data or row.published.keys() <= {'gflops', 'params'}
        assert not (row.config and row.mmaction)
        assert row.reason.keys() <= row.published.keys()


@pytest.mark.parametrize('row', OURS, ids=lambda row: f'{row.paper}/{row.table}/{row.row}/{row.data}')
def test_rows_of_ours_are_tested_as_they_say(row):
    """The views, the frames and the data set of a row are those of its config."""
    path = REPO / f'configs/{row.config}.py'
    assert path.is_file()
    cfg = named_config(row.config)
    sample = next((step for step in cfg.test_pipeline if 'clip_len' in step), None)
    if row.views and row.data != 'ImageNet-1K':
        crops = 3 if any(step.type == 'ThreeCrop' for step in cfg.test_pipeline) else 1
        assert f'{sample.get("num_clips", 1)}x{crops}' == row.views
    if row.input:
        frames, _, interval = row.input.split(' ')[0].partition('x')
        assert sample.clip_len == int(frames)
        assert not interval or sample.frame_interval == int(interval)
    if row.data:
        assert dataset_of(cfg) == row.data
        assert f'data/{data_folder(cfg)}/' in repr(cfg.test_dataloader.dataset.to_dict())


def test_models_of_others_are_configs_of_mmaction():
    paths = {row.mmaction for row in ROWS if row.mmaction}
    assert len(paths) >= 10
    for path in paths:
        cfg = get_config(f'mmaction::recognition/{path}.py')
        assert MODELS.get(cfg.model.type) is not None


def test_a_row_is_found_by_what_tells_it_from_others():
    assert len(find_rows('dualformer', '1', 'DualFormer-B')) == 3
    (row,) = find_rows('dualformer', '1', 'DualFormer-B', 'Kinetics-600')
    assert (row.config, row.num_views) == ('dualformer_b_k600_in21k', 4)
    (row,) = find_rows('dualformer', '1', 'DualFormer-B', pretrain='ImageNet-1K')
    assert row.config == 'dualformer_b_k400_in1k'
    with pytest.raises(UserError, match=r'must be one of .*DualFormer-S'):
        find_rows('dualformer', '1', 'Swin-T')
    with pytest.raises(UserError, match=r"table '8' of dualformer must be one of 1, 2"):
        load_rows('dualformer', '8')


def test_a_config_stands_for_the_row_with_most_of_its_accuracies():
    rows = rows_of_configs('dualformer')
    # top-1 alone in Tables 5 and 6, and only the first of those with both
    assert (rows['dualformer_t_k400_tokenlabel'].table, rows['dualformer_t_k400_in1k'].table) == ('1', '9')
    assert 'dualformer_t_k400' not in rows
    assert rows_of_configs('vidtr')['vidtr_s_k400'].row == 'VidTr-S'  # not the ensemble
