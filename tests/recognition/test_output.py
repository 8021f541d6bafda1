import json
from multiprocessing import Pool
from types import SimpleNamespace

import pytest

from mmdualformer.errors import UserError
from mmdualformer.recognition.bulk import Listing
from mmdualformer.recognition.output import Count, ResultFile, Rows
from mmdualformer.recognition.writing import Csv, JsonLines, Row, Text, make_format

VIDEOS = ['b.mp4', 'a.mp4', 'b.mp4', 'c\udcff.mp4', 'd\n.mp4']  # one of them twice
WRITER = dict(checkpoint='a.pth', sha256='12' * 32, model='m', classes=['l', 'r'], topk=1, dtype='float32', format='x')


def row(source):
    return Row(source, 1.0, ('l',), (0.5,)) if source != 'a.mp4' else Row(source, error='no')


@pytest.fixture(params=['jsonl', 'csv', 'parquet'])
def output(request):
    if request.param == 'parquet':
        pytest.importorskip('pyarrow')
    return make_format(request.param, 1, several=False)


@pytest.fixture
def run(tmp_path, output):
    """Write the results of some videos, of several processes one after the other; gives what each join says."""

    def write(videos=VIDEOS, processes=1, resume=False, most=(100,) * 8, writer=WRITER):
        file = ResultFile(tmp_path / 'out', output)
        plan = file.plan(Listing(list(videos)), writer, resume, processes)
        said = []
        for rank in range(processes):
            share = plan.share(rank, processes)
            written = Count()
            if share.videos:
                with file.open(plan, rank) as rows:
                    for source in share.videos[: most[rank]]:
                        rows.add(row(source))
                        written += Count(1, source == 'a.mp4')
            if len(share.videos) <= most[rank]:
                said.append(file.finish(plan, rank, written))
        return SimpleNamespace(plan=plan, said=said, path=tmp_path / 'out')

    return write


def read(path, output):
    return [found.source for found, _ in output.read(path)]


@pytest.fixture
def whole(tmp_path, output):
    """The bytes of the file that one process writes of all videos."""
    output.write(tmp_path / 'whole', map(row, VIDEOS))
    return (tmp_path / 'whole').read_bytes()


@pytest.mark.parametrize('processes', [1, 2, 3, 8])
def test_several_processes_write_what_one_does(run, whole, processes):
    result = run(processes=processes)
    assert result.path.read_bytes() == whole
    assert [said for said in result.said if said] == [Count(5, 1)]
    assert {path.name for path in result.path.parent.iterdir()} == {'out', 'out.run.json', 'whole'}


@pytest.mark.parametrize('first', [1, 2, 3])
@pytest.mark.parametrize('second', [1, 2])
def test_a_run_that_was_killed_is_gone_on_with_by_any_number_of_processes(run, whole, tmp_path, output, first, second):
    """Each of the first was killed after a row; the row that it was writing is in the file in part."""
    result = run(processes=first, most=(1,) * 8)
    assert not any(result.said)
    written = sorted(path for path in tmp_path.glob('out*') if path.suffix not in ('.json', '.lock'))
    assert len(written) == first
    for path in written:
        part = (output if path.name == 'out' else JsonLines()).text(row('torn'))[:9]
        path.write_bytes(path.read_bytes() + part.encode())
    with pytest.raises(UserError, match=r'--resume goes on with it'):
        run(processes=second)
    result = run(processes=second, resume=True)
    assert result.plan.done.rows == first and len(result.plan.places) == 5 - first
    assert result.path.read_bytes() == whole
    again = run(processes=second, resume=True)
    assert (
        not again.plan.places and again.said[0] == again.plan.done == Count(5, 1) and result.path.read_bytes() == whole
    )


def test_new_videos_are_added_to_a_file_that_is_complete(run, output):
    run(VIDEOS[:2])
    result = run([*VIDEOS, 'new.mp4'], resume=True, processes=2)
    assert read(result.path, output) == [output.key(source) for source in [*VIDEOS, 'new.mp4']]
    result = run(['0.mp4'], resume=True)  # the others are listed no more, and stay
    assert read(result.path, output) == [output.key(source) for source in [*VIDEOS, 'new.mp4', '0.mp4']]


def test_parts_that_were_joined_and_not_removed_add_nothing(run, whole, monkeypatch):
    """As of a kill between the two."""
    monkeypatch.setattr('pathlib.Path.unlink', lambda self, missing_ok=False: None)
    run(processes=2)
    monkeypatch.undo()
    result = run(processes=2, resume=True)
    assert result.path.read_bytes() == whole
    assert not list(result.path.parent.glob('out.part*'))


def test_what_another_model_has_written_is_not_gone_on_with(run, tmp_path):
    run(VIDEOS[:2])
    before = (tmp_path / 'out').read_bytes()
    for change, message in (
        (
            dict(checkpoint='b.pth', sha256='34' * 32),
            r"with checkpoint 'a.pth' \(sha256 121212121212\), not with 'b.pth'",
        ),
        (dict(model='other'), "with checkpoint 'a.pth'"),
        (dict(topk=2), '--topk 1, not 2'),
        (dict(dtype='float16'), "--dtype 'float32', not 'float16'"),
        (dict(format='csv'), "--format 'x', not 'csv'"),
        (dict(classes=['l', 'x']), r"the names of the classes \['l', 'r'\], not \['l', 'x'\]"),
    ):
        with pytest.raises(UserError, match=message):
            run(resume=True, writer={**WRITER, **change})
    run(VIDEOS[:2], resume=True, writer={**WRITER, 'checkpoint': 'moved/a.pth'})
    for text in ('[]', '[' * 100_000):
        (tmp_path / 'out.run.json').write_text(text)
        with pytest.raises(UserError, match=r"out\.run\.json' does not say what wrote"):
            run(resume=True)
    assert (tmp_path / 'out').read_bytes() == before


def test_text_cannot_be_gone_on_with(tmp_path):
    with pytest.raises(UserError, match='--resume needs --format jsonl, csv or parquet'):
        ResultFile(tmp_path / 'a.txt', Text(False)).plan(Listing(VIDEOS), WRITER, True, 1)


def test_two_runs_do_not_write_one_file(tmp_path):
    """A lock keeps no process out of what it has itself, so another one tries."""
    with Rows(tmp_path / 'out', Csv(1)), Pool(1) as other:
        with pytest.raises(UserError, match=r"out' is being written by another run"):
            other.apply(Rows, (tmp_path / 'out', Csv(1)))
        plan = ResultFile(tmp_path / 'out', Csv(1)).plan
        (tmp_path / 'out.run.json').write_text(json.dumps(WRITER))
        with pytest.raises(UserError, match=r"out' is being written by another run"):
            other.apply(plan, (Listing(VIDEOS), WRITER, True, 1))
