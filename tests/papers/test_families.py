"""A family is an entry, its file, its configs and its page."""

import shutil
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config
from mmengine.hub import get_config

from mmdualformer.papers import leaves, published
from mmdualformer.papers.blocks import write_blocks
from mmdualformer.papers.costs import model_cost
from mmdualformer.papers.families import FAMILIES, AccuracyFigure, Family, family_of
from mmdualformer.papers.figures import plot_accuracy
from mmdualformer.papers.metafiles import write_metafiles
from mmdualformer.papers.page import write_page
from mmdualformer.papers.published import load_paper, load_rows
from mmdualformer.papers.reproduction import Machine, chain

CONFIG = """
_base_ = 'mmdualformer::dualformer_micro_motion.py'
load_from = 'checkpoints/toy_start.pth'
"""
PAPER = """
title: 'ToyFormer: Attention Is Some of What You Need'
url: https://example.org
counted: backbone
inconsistencies: [It contradicts itself.]
makers: {toy_start: dualformer_micro_motion}
tables:
- table: '9'
  title: Results
  data: Kinetics-400
  gflops_of: view
  views: 1x1
  rows:
  - {row: Toy-T, input: 18x1, gflops: 7.1, top1: 50.1, top5: 80.2, config: toy_t_k400}
  - {row: Elephant, gflops: 900, top1: 40.3}
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with a fourth family, which is the only one of its configs."""
    toy = Family(
        'toy', 'ToyFormer', 'toy_page', ('toy_*',), ('toy_t_k400',), 'none', AccuracyFigure(('9',)), lambda *_: 7e9
    )
    monkeypatch.setitem(FAMILIES, 'toy', toy)
    shutil.copytree(published.DIRECTORY, tmp_path / 'published')
    (tmp_path / 'published/toy.yaml').write_text(PAPER)
    monkeypatch.setattr(published, 'DIRECTORY', tmp_path / 'published')
    (tmp_path / 'configs').mkdir()
    config = tmp_path / 'configs/toy_t_k400.py'
    config.write_text(CONFIG)
    monkeypatch.setattr(
        leaves, 'get_config', lambda name: Config.fromfile(config) if 'toy_t_k400.py' in name else get_config(name)
    )
    load_paper.cache_clear()
    yield tmp_path
    load_paper.cache_clear()


def test_a_fourth_family_has_tables(root, fork_tool):
    result = fork_tool('tools/analysis/paper_tables.py', '--paper', 'toy')
    assert result.returncode == 0, result.stderr
    assert '### ToyFormer, Table 9: Results' in result.stdout
    (line,) = (line for line in result.stdout.splitlines() if 'toy_t_k400' in line and 'GFLOPs' in line)
    assert '| 7.1 | 7.000 | -1.4% |' in line and line.endswith('| met |')


def test_a_fourth_family_is_on_the_page(root):
    page = write_page()
    assert '## ToyFormer: Attention Is Some of What You Need' in page
    assert '![accuracy against GFLOPs](figures/toy_accuracy.png)' in page and '- It contradicts itself.' in page
    (line,) = (line for line in page.splitlines() if line.startswith('| Toy-T |'))
    # a convention of its own: with the true multiply-adds beside it
    macs = model_cost('dualformer_micro_motion', 'backbone').macs
    assert f'| 7.1 a view | 7.000 | {macs:.3f} |' in line


def test_a_fourth_family_has_a_metafile(root):
    files = write_metafiles(root)
    assert Path('configs/toy_page.metafile.yml') in files
    assert 'configs/toy_page.metafile.yml' in yaml.safe_load(files[Path('model-index.yml')])['Import']
    content = yaml.safe_load(files[Path('configs/toy_page.metafile.yml')])
    assert content['Collections'][0]['README'] == 'docs/toy_page.md'
    assert content['Collections'][0]['Metadata'] == {'Checkpoints': 'none'}
    (model,) = content['Models']
    assert model['In Collection'] == 'ToyFormer' and model['Config'] == 'configs/toy_t_k400.py'
    assert model['Metadata']['FLOPs'] == 54_550_000  # a number, as OpenMIM compares them
    assert model['Results'][0]['Metrics'] == {'Top 1 Accuracy (paper)': 50.1, 'Top 5 Accuracy (paper)': 80.2}


def test_a_fourth_family_has_a_figure(root):
    axes = plot_accuracy(FAMILIES['toy']).axes[0]
    assert {line.get_label(): line.get_xydata().tolist() for line in axes.lines} == {
        'ToyFormer': [[7.1, 50.1]],
        'other models': [[900, 40.3]],
    }


def test_a_fourth_family_is_in_the_tables_of_the_docs(root):
    (root / 'README.md').write_text('<!-- generated: models -->\n<!-- end generated -->\n')
    (root / 'docs').mkdir()
    (root / 'docs/toy_page.md').write_text('<!-- generated: costs toy -->\n<!-- end generated -->\n')
    pages = {path.name: text for path, text in write_blocks(root).items()}
    assert '| [ToyFormer](docs/toy_page.md) | [`toy_t_k400`](configs/toy_t_k400.py) |' in pages['README.md']
    assert '| 7.000 x 1 | 7.1 |' in pages['toy_page.md']


def test_a_fourth_family_has_a_chain(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (row,) = (row for row in load_rows('toy') if row.config)
    commands = [step.command for step in chain(row, Machine())]
    assert 'bash tools/dist_train.sh configs/dualformer_micro_motion.py 8' in commands[1]  # the maker of its start
    assert commands[-1] == 'python tools/analysis/paper_tables.py --paper toy --table 9 --results work_dirs'


def test_configs_are_of_the_family_of_their_names():
    names = (
        'dualformer_t_k400',
        'ablations/video_mobile_former/mobile3d_1g_k400_wider',
        'cvidtr_s_k400',
        'baselines/mvit_27g_k400',
    )
    assert [getattr(family_of(name), 'key', None) for name in names] == ['dualformer', 'vmf', 'vidtr', None]
