import csv
import io
import json
import os

import numpy as np
import pytest

from mmdualformer.errors import UserError
from mmdualformer.recognition.results import Failure, Recognition
from mmdualformer.recognition.writing import Csv, JsonLines, Parquet, Row, Text, make_format, name_format

ODD = os.fsdecode(b'a,"b"\nc\xff \xc3\xa9=1.mp4')  # a comma, quotes, a new line, and a byte that is no UTF-8
ROWS = [
    Row('a.mp4', 2.5, ('left', 'right'), (0.75, 0.25)),
    Row(ODD, 0.04, ('=SUM(A1)', 'x\ny'), (0.6, 0.4), damage='ends early'),
    Row('no.mp4', error="video 'no.mp4' does not exist (looked in /)"),
    Row('\u2028é.mp4', 1.0, ('left', 'right'), (0.5, 0.5)),
    Row('back\rover.mp4', 1.0, ('left', 'right'), (0.5, 0.5)),
]


def test_a_row_has_what_a_recognition_says():
    scores = np.array([0.1, 0.7, 0.2], np.float32)
    result = Recognition('a.mp4', ('l', 'r', 'u'), scores, 0.0, 2.5004, damage='half\nof it')
    row = Row.of(result, topk=2)
    assert row == Row('a.mp4', 2.5, ('r', 'u'), (0.7, 0.2), damage='half\\nof it')  # not 0.699999988079071
    several = Recognition('a.mp4', ('l', 'r', 'u'), scores + 0.5, 0.0, 2.5, several=True)
    assert Row.of(several, topk=1).names == ('r', 'u', 'l')  # all of at least 50 %
    assert Row.of(Failure('b.mp4', 'why\n'), 5) == Row('b.mp4', error='why\\n')


def test_complaints_name_the_video_once():
    assert Row('a.mp4', error='no frames').complaint == "video 'a.mp4' cannot be read: no frames"
    assert ROWS[2].complaint == ROWS[2].error
    assert Row('a.mp4', damage='ends early').complaint.startswith("video 'a.mp4' is damaged, and read as far as")
    assert ROWS[0].complaint == ''
    assert Row(ODD, error='x').complaint.isprintable()


def test_text_is_for_people():
    output = Text(several=True)
    assert output.text(ROWS[0]) == 'a.mp4\n*  75.00%  left\n   25.00%  right\n'
    assert Text(several=False).text(ROWS[0]) == 'a.mp4\n   75.00%  left\n   25.00%  right\n'
    assert output.text(ROWS[1]).splitlines() == ['a,"b"\\nc\\udcff é=1.mp4', '*  60.00%  =SUM(A1)', '   40.00%  x\\ny']
    assert output.text(ROWS[2]) == ''


def test_json_has_all_of_any_name():
    for row in ROWS:
        line = JsonLines().text(row)
        assert line.encode('utf-8').count(b'\n') == 1 and line.endswith('\n')
        values = json.loads(line)
        assert values['source'] == row.source and values['names'] == list(row.names)
    assert 'é' in JsonLines().text(ROWS[3])  # and is read by people too, where that can be


def test_csv_is_what_other_programs_read():
    output = Csv(topk=2)
    text = output.head + ''.join(map(output.text, ROWS))
    records = list(csv.DictReader(io.StringIO(text.encode('utf-8').decode('utf-8'), newline='')))
    assert [record['source'] for record in records] == [output.key(row.source) for row in ROWS]
    assert records[0] == dict(
        source='a.mp4',
        seconds='2.5',
        name_1='left',
        score_1='0.75',
        name_2='right',
        score_2='0.25',
        error='',
        damage='',
    )
    assert records[1]['name_1'] == '=SUM(A1)' and records[1]['name_2'] == 'x\ny'
    assert records[2]['seconds'] == records[2]['name_1'] == '' and records[2]['error'] == ROWS[2].error
    assert Csv(topk=1).text(ROWS[0]) == 'a.mp4,2.5,left,0.75,,\n'


@pytest.mark.parametrize('output', [JsonLines(), Csv(2)], ids=['jsonl', 'csv'])
def test_what_was_written_is_read_back_wherever_it_breaks_off(tmp_path, output):
    path = tmp_path / 'results'
    output.write(path, ROWS)
    content = path.read_bytes()
    expected = [Row(**{**vars(row), 'source': output.key(row.source)}) for row in ROWS]
    ends = [len(output.head) + len(''.join(map(output.text, ROWS[:n])).encode()) for n in range(1, len(ROWS) + 1)]
    assert [row for row, _ in output.read(path)] == expected and ends[-1] == len(content)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        whole = sum(end <= length for end in ends)
        assert list(output.read(path)) == list(zip(expected[:whole], ends))


@pytest.mark.parametrize('output', [JsonLines(), Csv(2)], ids=['jsonl', 'csv'])
def test_other_content_is_refused(tmp_path, output):
    path = tmp_path / 'results'
    path.write_text(output.head + output.text(ROWS[0]) + 'and this\n' + output.text(ROWS[0]))
    with pytest.raises(UserError, match=r'line [23] is no row of results'):
        list(output.read(path))


@pytest.mark.parametrize(
    ('output', 'line'),
    [
        (JsonLines(), '{"source": [1], "names": [], "scores": []}'),
        (JsonLines(), '{"source": "a", "names": [1], "scores": []}'),
        (JsonLines(), '{"source": "a", "names": [], "scores": ["1"]}'),
        (JsonLines(), '[' * 100_000),
        (Csv(1), 'a.mp4,1,left,much,,'),
    ],
)
def test_tampered_rows_are_refused(tmp_path, output, line):
    path = tmp_path / 'results'
    path.write_text(f'{output.head}{line}\n{output.text(ROWS[0])}')
    with pytest.raises(UserError, match=r'line [12] is no row of results'):
        list(output.read(path))


def test_parquet(tmp_path, monkeypatch):
    parquet = pytest.importorskip('pyarrow.parquet')
    monkeypatch.setattr('mmdualformer.recognition.writing.ROW_GROUP', 3)
    Parquet().write(tmp_path / 'a.parquet', iter(ROWS))
    file = parquet.ParquetFile(tmp_path / 'a.parquet')
    assert file.num_row_groups == 2
    table = file.read().to_pylist()
    assert table[0] == dict(
        source='a.mp4', seconds=2.5, names=['left', 'right'], scores=[0.75, 0.25], error='', damage=''
    )
    assert table[1]['source'] == 'a,"b"\nc\\udcff é=1.mp4' and table[2]['seconds'] is None
    rows = [row for row, _ in Parquet().read(tmp_path / 'a.parquet')]
    assert rows == [Row(**{**vars(row), 'source': Parquet().key(row.source)}) for row in ROWS]
    (tmp_path / 'b.parquet').write_text('no table')
    with pytest.raises(UserError, match='is no table of results'):
        list(Parquet().read(tmp_path / 'b.parquet'))


def test_parquet_without_pyarrow_is_one_hint(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'pyarrow', None)
    with pytest.raises(UserError, match=r'pip install "mmdualformer\[tables\]"'):
        make_format('parquet', 5, several=False)


def test_which_format(tmp_path):
    assert name_format(None, None) == 'text'
    assert name_format('csv', None) == 'csv'
    assert name_format(None, tmp_path / 'a.JSONL') == 'jsonl'
    assert name_format('jsonl', tmp_path / 'a.log') == 'jsonl'
    with pytest.raises(UserError, match=r'must end in .txt .jsonl .csv .parquet'):
        name_format(None, tmp_path / 'a.json')
    with pytest.raises(UserError, match='parquet needs --out'):
        name_format('parquet', None)
