"""What the models of our configs cost."""

import csv
import re

import pytest

from mmdualformer.papers.costs import model_cost
from mmdualformer.papers.families import FAMILIES, family_of
from mmdualformer.papers.leaves import named_config, views_of
from mmdualformer.papers.published import load_paper, load_rows
from tests.helpers import REPO, config_text

COUNTED = {
    config: row.counted
    for paper in FAMILIES
    for row in load_rows(paper)
    for config in (row.config, row.partner)
    if config
}
# what a config's comment says that its model costs: GFLOPs, a view's or a video's, multiply-adds and parameters
HERE = re.compile(
    r"\b[Hh]ere:? (?P<gflops>\d+\.\d+)(?: in the paper's convention, (?P<macs>\d+\.\d+) multiply-adds)?"
    r'(?: GFLOPs)?(?:, which is what its layers cost)?(?:, (?P<params>\d+\.\d+) M)?'
)
SAID = {
    path.relative_to(REPO / 'configs').with_suffix('').as_posix(): said
    for path in sorted((REPO / 'configs').glob('[!_]*/**/*.py')) + sorted((REPO / 'configs').glob('*.py'))
    if (said := HERE.search(config_text(path)))
}


def test_no_cost_moves(cells):
    with open(REPO / 'tests/data/paper_costs.csv') as file:
        expected = {(row['config'], row['counted']): row for row in csv.DictReader(file)}
    counted = {
        (config, cell.row.counted)
        for cell in cells
        if cell.name in ('gflops', 'params') and cell.here
        for config in (cell.row.config, cell.row.partner)
        if config
    }
    assert counted == expected.keys()
    for key, row in expected.items():
        cost = model_cost(*key)
        for name in ('gflops', 'macs', 'params'):
            assert getattr(cost, name) == pytest.approx(float(row[name]), abs=1e-5), key


def test_most_configs_say_what_they_cost():
    assert len(SAID) > 80 and sum(bool(said['params']) for said in SAID.values()) > 10


@pytest.mark.parametrize('config', SAID)
def test_comments_say_what_is_counted(config):
    """To the digits that they have."""
    family = family_of(config)
    counted = COUNTED.get(config) or load_paper(family.key)['counted']
    cost = model_cost(config, counted)
    clips, crops = views_of(named_config(config))
    expected = {
        'gflops': (cost.gflops, clips * crops * cost.gflops),
        'macs': (cost.macs,),
        'params': (cost.params,),
    }
    for name, text in SAID[config].groupdict().items():
        if text is not None:
            tolerance = 0.51 * 10 ** -len(text.partition('.')[2])
            assert any(float(text) == pytest.approx(number, abs=tolerance) for number in expected[name]), (name, text)
