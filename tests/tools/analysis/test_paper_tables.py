import csv
import io

import pytest

from tests.helpers import assert_one_line

TOOL = 'tools/analysis/paper_tables.py'


def test_a_table_as_csv(fork_tool):
    result = fork_tool(TOOL, '--paper', 'vidtr', '--table', '5b', '--format', 'csv')
    assert result.returncode == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == 8 and {row['table'] for row in rows} == {'vidtr/5b'}
    assert [row['paper'] for row in rows if row['number'] == 'memory, GB'] == ['2.1', '7.6', '2.3', '1.5']
    assert {row['verdict'] for row in rows} == {'not run'}


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--table', '1'), "--table '1' needs --paper, one of dualformer, vmf, vidtr"),
        (('--paper', 'vmf', '--table', '13'), "table '13' of vmf must be one of 1, 2, 3"),
        (('--paper', 'vmf', '--results', 'nowhere'), "--results 'nowhere' is no folder"),
    ],
)
def test_mistakes_are_one_line(fork_tool, arguments, message):
    assert_one_line(fork_tool(TOOL, *arguments), message)
