import json
import os
import signal
from functools import partial
from itertools import count

import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine.config import Config

from mmdualformer.checkpoints.recognizer import describe_recognizer
from mmdualformer.recognition.output import Rows
from tests.helpers import REPO, assert_one_line, fork, free_port
from tests.running import be_tool

CONFIG = REPO / 'configs/vmf_micro_motion.py'
TOOL = 'tools/recognize.py'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    weights = init_recognizer(str(CONFIG), device='cpu').state_dict()
    classes = [f'class {number}' for number in range(8)]
    meta = dict(recognizer=describe_recognizer(Config.fromfile(CONFIG)), dataset_meta=dict(classes=classes))
    path = tmp_path_factory.mktemp('model') / 'model.pth'
    torch.save(dict(state_dict=weights, meta=meta), path)
    return path


@pytest.fixture
def folder(motion_root, tmp_path):
    """Six clips and one that is none."""
    (tmp_path / 'clips').mkdir()
    for clip in sorted(motion_root.glob('videos_*/*.mp4'))[:6]:
        os.link(clip, tmp_path / 'clips' / clip.name)
    (tmp_path / 'clips' / 'broken.mp4').write_text('no video')
    return 'clips'


def test_formats_on_stdout_have_the_same_answers(fork_tool, checkpoint, folder):
    text = fork_tool(TOOL, checkpoint, folder, '--topk', 2)
    assert_one_line(text, "error: video 'clips/broken.mp4' cannot be read: ")
    assert len(text.stdout.splitlines()) == 18
    lines = fork_tool(TOOL, checkpoint, folder, '--topk', 2, '--format', 'jsonl')
    assert lines.stderr == text.stderr and lines.returncode == 1
    rows = [json.loads(line) for line in lines.stdout.splitlines()]
    assert len(rows) == 7 and [bool(row['error']) for row in rows] == [False] * 6 + [True]
    printed = ''
    for row in rows[:6]:
        printed += f'{row["source"]}\n'
        for name, score in zip(row['names'], row['scores']):
            printed += f'  {score:7.2%}  {name}\n'
    assert printed == text.stdout
    table = fork_tool(TOOL, checkpoint, folder, '--topk', 2, '--format', 'csv').stdout.splitlines()
    assert table[0] == 'source,seconds,name_1,score_1,name_2,score_2,error,damage' and len(table) == 8
    assert table[1].startswith(
        f'{rows[0]["source"]},{rows[0]["seconds"]},{rows[0]["names"][0]},{rows[0]["scores"][0]},'
    )


def test_output_that_is_piped_is_the_same_in_every_locale(fork_tool, checkpoint, clip_file, tmp_path, monkeypatch):
    names = [os.fsdecode(b'cl\xc3\xa9.mp4'), os.fsdecode(b'b\xff.mp4')]
    for name in names:
        os.link(clip_file, tmp_path / name)
    monkeypatch.setattr('tests.running.open', partial(open, encoding='ascii'), raising=False)  # of the tool's stdout
    outputs = {}
    for output in ('text', 'jsonl', 'csv'):
        result = fork_tool(TOOL, checkpoint, *names, '--topk', 1, '--format', output)
        assert result.returncode == 0, result.stderr
        outputs[output] = result.stdout.splitlines()
    assert [json.loads(line)['source'] for line in outputs['jsonl']] == names
    assert [line.partition(',')[0] for line in outputs['csv']] == ['source', 'clé.mp4', 'b\\udcff.mp4']
    assert outputs['text'][::2] == ['cl\\xe9.mp4', 'b\\udcff.mp4']


def test_a_folder_that_was_killed_is_gone_on_with(fork_tool, checkpoint, folder, tmp_path, monkeypatch):
    said = fork_tool(TOOL, checkpoint, folder, '--out', 'whole.jsonl')
    assert_one_line(said, "video 'clips/broken.mp4' cannot be read")
    assert '\nwhole.jsonl has 7 videos, 1 of them without an answer (' in said.stderr and not said.stdout

    add, calls = Rows.add, count(1)

    def killed(self, row):
        if next(calls) > 3:
            self._file.write(self._output.text(row)[:20])
            self._file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        add(self, row)

    monkeypatch.setattr(Rows, 'add', killed)
    assert fork_tool(TOOL, checkpoint, folder, '--out', 'out.jsonl').returncode == -signal.SIGKILL
    monkeypatch.undo()
    assert len((tmp_path / 'out.jsonl').read_text().splitlines()) == 4

    assert_one_line(fork_tool(TOOL, checkpoint, folder, '--out', 'out.jsonl'), '--resume goes on with it')
    other = torch.load(checkpoint, weights_only=True)
    other['state_dict']['cls_head.fc_cls.bias'] += 1
    torch.save(other, tmp_path / 'other.pth')
    result = fork_tool(TOOL, 'other.pth', folder, '--out', 'out.jsonl', '--resume')
    assert_one_line(result, "'out.jsonl' was written with checkpoint", "not with 'other.pth'")

    scored = tmp_path / 'scored.txt'

    def noted(self, row):
        with open(scored, 'a') as file:
            file.write(f'{row.source}\n')
        add(self, row)

    monkeypatch.setattr(Rows, 'add', noted)
    result = fork_tool(TOOL, checkpoint, folder, '--out', 'out.jsonl', '--resume')
    assert result.returncode == 1 and len(scored.read_text().splitlines()) == 4
    assert (tmp_path / 'out.jsonl').read_bytes() == (tmp_path / 'whole.jsonl').read_bytes()
    again = fork_tool(TOOL, checkpoint, folder, '--out', 'out.jsonl', '--resume')
    assert again.returncode == 1 and len(scored.read_text().splitlines()) == 4  # nothing was left to do


def fork_ranks(processes, cwd, *command):
    """Run a tool in forks of this process that have what a launcher sets; gives their statuses, and all they say."""
    pids, port, said = [], free_port(), [cwd / f'said_{rank}.txt' for rank in range(processes)]
    for rank in range(processes):
        pid = fork()
        if pid == 0:
            os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
            os.environ.update(WORLD_SIZE=str(processes), LOCAL_WORLD_SIZE=str(processes))
            file = os.open(said[rank], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            be_tool(cwd, [str(part) for part in command], [file, file])
        pids.append(pid)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    return statuses, ''.join(path.read_text() for path in said)


def test_several_processes_write_what_one_does(fork_tool, checkpoint, folder, tmp_path):
    assert fork_tool(TOOL, checkpoint, folder, '--out', 'one.csv').returncode == 1
    command = (TOOL, checkpoint, folder, '--out', 'two.csv', '--launcher', 'pytorch')
    statuses, said = fork_ranks(2, tmp_path, *command)
    assert sorted(statuses) == [0, 1], said  # the last says that a video has no answer; to the others that is no error
    assert said.count('error: two.csv has 7 videos, 1 of them without an answer\n') == 1
    assert said.count("error: video 'clips/broken.mp4' cannot be read") == 1
    assert (tmp_path / 'two.csv').read_bytes() == (tmp_path / 'one.csv').read_bytes()
    assert sorted(path.name for path in tmp_path.glob('two*')) == ['two.csv', 'two.csv.run.json']
    statuses, said = fork_ranks(2, tmp_path, *command)
    assert statuses == [1, 1] and said.count("there is 'two.csv' of another run") == 2


def test_a_process_that_dies_holds_up_no_other(fork_tool, checkpoint, folder, tmp_path, monkeypatch):
    assert fork_tool(TOOL, checkpoint, folder, '--out', 'one.jsonl').returncode == 1
    add = Rows.add

    def killed(self, row):
        add(self, row)
        if os.environ.get('RANK') == '1':
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(Rows, 'add', killed)
    command = (TOOL, checkpoint, folder, '--out', 'two.jsonl', '--launcher', 'pytorch')
    statuses, said = fork_ranks(2, tmp_path, *command)
    assert statuses == [0, -signal.SIGKILL], said
    parts = sorted(tmp_path.glob('two.jsonl.part-*'))
    assert [len(part.read_text().splitlines()) for part in parts] == [4, 1]
    monkeypatch.undo()
    statuses, said = fork_ranks(2, tmp_path, *command, '--resume')
    assert sorted(statuses) == [0, 1], said
    assert (tmp_path / 'two.jsonl').read_bytes() == (tmp_path / 'one.jsonl').read_bytes()


@pytest.mark.slow
def test_the_launcher_says_once_that_videos_have_no_answer(run_tool, checkpoint, folder, tmp_path):
    launch = ('mmdualformer/launch.py', '--standalone', '--nproc-per-node', 2, REPO / TOOL, '--launcher', 'pytorch')
    result = run_tool(*launch, checkpoint, folder, '--out', 'two.csv', '--device', 'cpu', PYTHONPATH=str(REPO))
    assert result.returncode == 1
    assert result.stderr.count('error: two.csv has 7 videos, 1 of them without an answer\n') == 1
    assert 'see above' not in result.stderr and len((tmp_path / 'two.csv').read_text().splitlines()) == 8


def test_mistakes(fork_tool, checkpoint, tmp_path):
    for arguments, status, part in (
        (('--resume',), 2, '--resume need --out FILE'),
        (('--launcher', 'pytorch'), 2, 'several processes need --out FILE'),
        (('--out', 'a.json'), 1, "--out 'a.json' must end in .txt .jsonl .csv .parquet"),
        (('--format', 'parquet'), 1, '--format parquet needs --out FILE'),
        (('--workers', '0'), 2, '--workers 0 must be at least 1'),
        (('--out', 'a.txt', '--resume'), 1, '--resume needs --format jsonl, csv or parquet'),
    ):
        assert_one_line(fork_tool(TOOL, checkpoint, 'a.mp4', *arguments), part, status=status)
    assert not list(tmp_path.glob('a.*'))
