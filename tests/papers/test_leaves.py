"""Our configs by name."""

import pytest

from mmdualformer.papers.families import FAMILIES
from mmdualformer.papers.leaves import input_of, is_config, named_config, names_of, views_of
from mmdualformer.papers.published import load_rows


@pytest.mark.parametrize('paper', FAMILIES)
def test_views_and_inputs_are_those_that_the_papers_print(paper):
    rows = [row for row in load_rows(paper) if row.config and row.views and row.data != 'ImageNet-1K']
    assert len(rows) > 10
    for row in rows:
        cfg = named_config(row.config)
        clips, crops = views_of(cfg)
        assert f'{clips}x{crops}' == row.views, row.config
        assert input_of(cfg).startswith(row.input.partition(' ')[0]), row.config
        assert not ('x' in row.input and ' of the video' in input_of(cfg)), row.config


def test_images_have_no_input():
    cfg = named_config('dualformer_t_in1k')
    assert input_of(cfg) == '' and views_of(cfg) == (1, 1)


def test_names_are_found_in_every_folder_of_the_tables():
    (name,) = names_of('dualformer_t_k400_conv')
    assert name.startswith('ablations/') and named_config(name).model.backbone.downsampling == 'conv'
    assert names_of('i3d_r50_8x8_k400') == ['baselines/i3d_r50_8x8_k400']
    assert names_of('dualformer_t_k400') == ['dualformer_t_k400']
    assert names_of('dualformer_t') == names_of('nothing') == []


def test_a_config_is_there_or_not():
    assert is_config('baselines/i3d_r50_8x8_k400') and not is_config('i3d_r50_8x8_k400')
