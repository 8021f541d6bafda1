"""The page of all tables."""

from mmdualformer.papers.families import FAMILIES
from mmdualformer.papers.page import write_page
from mmdualformer.papers.published import load_rows

OURS = [row for paper in FAMILIES for row in load_rows(paper) if row.config]


def test_no_table_of_the_page_has_an_empty_column():
    page = write_page()
    tables_of_page = [block.splitlines() for block in page.split('\n\n') if block.startswith('| row')]
    assert len(tables_of_page) == len({(row.paper, row.table) for row in OURS})
    for lines in tables_of_page:
        columns = list(zip(*([text.strip() for text in line.strip('|').split('|')] for line in lines)))
        assert all(any(column[2:]) for column in columns), lines[0]


def test_the_page_says_what_recounting_did_not_explain():
    page = ' '.join(write_page().split())
    said = page.partition('No reading of a model gives ')[2]
    assert said.startswith(
        '4.2 (DualFormer, Table S1); 351 (VidTr, Table 2); 21 (VidTr, Table 5a); 33 and 34 (VidTr, Table 5f).'
    )
    assert 'tuned' not in page
