"""The tables between markers."""

import pytest

from mmdualformer.errors import UserError
from mmdualformer.papers.blocks import write_blocks
from tests.helpers import REPO

PAGE = 'Before.\n\n<!-- generated: {0} -->\n\n| old |\n| --- |\n\n<!-- end generated -->\n\nAfter.\n'


@pytest.fixture
def root(tmp_path):
    """A repository whose only page of its own is docs/deep/page.md."""
    (tmp_path / 'configs').symlink_to(REPO / 'configs')
    (tmp_path / 'README.md').write_text('Nothing generated.\n')
    (tmp_path / 'docs/deep').mkdir(parents=True)
    return tmp_path


def write(root, text: str) -> str:
    (root / 'docs/deep/page.md').write_text(text)
    ((path, written),) = write_blocks(root).items()
    assert path.as_posix() == 'docs/deep/page.md'
    return written


def rows(page: str) -> dict[str, list[str]]:
    """Name of a row's config -> its other cells."""
    lines = [[cell.strip() for cell in line.strip('|').split('|')] for line in page.splitlines() if line[:1] == '|']
    return {line[0].partition('`')[2].partition('`')[0] or line[0]: line[1:] for line in lines}


def test_a_block_is_replaced_and_nothing_else(root):
    page = write(root, PAGE.format('costs vidtr'))
    assert page.startswith('Before.\n\n<!-- generated: costs vidtr -->\n\n| config |')
    assert page.endswith(' |\n\n<!-- end generated -->\n\nAfter.\n') and 'old' not in page
    assert write(root, page) == page
    assert '| [`vidtr_s_k400`](../../configs/vidtr_s_k400.py) |' in page
    table = rows(page)
    assert list(table)[2:5] == ['vidtr_s_k400', 'vidtr_s_vanilla_k400', 'vidtr_m_k400']
    columns = table['config']
    cells = dict(zip(columns, table['vidtr_s_k400']))
    assert cells.pop('parameters of the backbone')[-2:] == ' M'
    assert cells == {
        'data': 'Kinetics-400',
        'input': '8x8',
        'views': '10x3',
        'GFLOPs x views': '89.7 x 30',
        "paper's GFLOPs": '89 a view',
        'true multiply-adds, G': '158.2',
        "paper's top-1 / top-5, %": '77.7 / 93.3',
    }
    assert dict(zip(columns, table['vidtr_l_charades']))["paper's top-1 / top-5, %"] == '43.5 (mAP)'
    assert not [name for name in table if 'motion' in name]


def test_clips_images_and_baselines_have_tables_of_their_own(root):
    page = write(root, ''.join(PAGE.format(f'costs {name}') for name in ('dualformer images', 'vmf', 'vmf baselines')))
    table = rows(page)
    assert {'dualformer_t_in1k', 'dualformer_b_in21k', 'vmf_5g_k400', 'swin_14g_k400', 'mvit_27g_k600'} < set(table)
    assert not {'dualformer_t_k400', 'vidtr_s_k400'} & set(table)
    names = list(table)
    assert names.index('vmf_560m_k400') < names.index('vmf_560m_k600') < names.index('mobile3d_1g_k400')
    assert table['dualformer_t_in1k'] == ['ImageNet-1K', '2.863 x 1', '4.2', '22.2 M', '22 M', '81.9']
    assert table['vmf_1g_k400'] == [
        'Kinetics-400', '64 of the video', '1.428 x 1', '1.43', '4.7 M', '4.7 M', '67.4 / 87.4',
    ]  # fmt: skip


def test_models_of_all_families_in_one_table(root):
    table = write(root, PAGE.format('models'))
    vidtr = '| [VidTr](../../docs/vidtr.md) | [`vidtr_s_k400`](../../configs/vidtr_s_k400.py) |'
    assert f'{vidtr} 87.2 M | 158.2 x 30 | 77.7 % |' in table
    assert '| 60.1 x 4 | 79.0 % |' in table and '| 4.7 M | 0.553 x 1 | 62.6 % |' in table


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (PAGE.format('costs resnet'), r'page.md: <!-- generated: costs resnet --> must name one of models, costs dual'),
        (PAGE.format('models').replace('<!-- end', '<!-- no end'), "page.md must have '<!-- end generated -->' after"),
        (PAGE.format('costs vidtr images'), 'VidTr has no images'),
        (PAGE.format('models') * 2 + '<!-- end generated -->', 'nowhere else'),
        (PAGE.format('models').replace('| old |', '<!-- generated: models -->'), 'nowhere else'),
    ],
)
def test_mistakes_in_markers_are_said(root, text, message):
    with pytest.raises(UserError, match=message):
        write(root, text)
