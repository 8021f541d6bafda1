import os

import pytest
import torch
from mmengine.runner import find_latest_checkpoint, runner

from mmdualformer.errors import UserError
from mmdualformer.resuming import find_newest
from tests.helpers import write_state_of_training


@pytest.fixture(autouse=True)
def log(monkeypatch) -> list[str]:
    """What is logged."""
    lines = []
    monkeypatch.setattr('mmdualformer.resuming.print_log', lambda line, *_: lines.append(line))
    return lines


@pytest.fixture
def write(tmp_path):
    """Write a checkpoint of a step into the work dir."""

    def write_checkpoint(name: str, step: int, **content) -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        return write_state_of_training(path, step, **content)

    return write_checkpoint


def damage(path: str) -> None:
    """Flip a bit of a tensor."""
    content = bytearray(open(path, 'rb').read())
    content[content.index(torch.arange(1000.0).numpy().tobytes()) + 402] ^= 1
    open(path, 'wb').write(content)


@pytest.fixture
def point_to(tmp_path):
    """Say which checkpoint is the last, with the times at which some were written."""

    def write_pointer(last: str, **times: int) -> None:
        (tmp_path / 'last_checkpoint').write_text(last)
        for name, when in times.items():
            os.utime(tmp_path / f'{name}.pth', (when, when))

    return write_pointer


def test_last(write, point_to, log, tmp_path):
    """Whatever is best, and whenever a copy of the folder was made; also at another place than before."""
    newest = write('epoch_10.pth', 100)
    write('epoch_9.pth', 90)
    write('best_acc_top1_epoch_11.pth', 110, optimizer=None)
    for last in (newest, '/elsewhere/epoch_10.pth'):
        point_to(last, epoch_10=1000, epoch_9=2000)
        assert find_newest(str(tmp_path)) == newest
    assert log == []


def test_written_before_a_kill(write, point_to, tmp_path):
    """The file is there, and the run was killed before it could say so."""
    last = write('epoch_1.pth', 10)
    newest = write('mid_epoch.pth', 15)
    point_to(last, epoch_1=1000, mid_epoch=2000)
    assert find_newest(str(tmp_path)) == newest


def test_longer_run_before(write, point_to, tmp_path):
    """A run that began anew in the folder of another goes on, and not the other."""
    write('epoch_30.pth', 300)
    older = write('epoch_1.pth', 10)
    last = write('epoch_2.pth', 20)
    point_to(last, epoch_30=1000, epoch_1=2000, epoch_2=3000)
    assert find_newest(str(tmp_path)) == last
    damage(last)
    assert find_newest(str(tmp_path)) == older


@pytest.mark.parametrize('last', ['s3://bucket/epoch_1.pth', 'ckpt.pt', 'folder'])
def test_other_kinds(write, tmp_path, last):
    """An address, a file of another name, and what DeepSpeed writes."""
    path = last if '://' in last else str(tmp_path / last)
    if last == 'ckpt.pt':
        write(last, 10)
    elif last == 'folder':
        (tmp_path / last).mkdir()
    (tmp_path / 'last_checkpoint').write_text(path)
    assert find_newest(str(tmp_path)) == path


@pytest.mark.parametrize('pointer', ['', 'gone.pth', None])
def test_pointer_to_nothing(write, tmp_path, pointer):
    newest = write('epoch_1.pth', 10)
    if pointer is not None:
        (tmp_path / 'last_checkpoint').write_text(pointer)
    assert find_newest(str(tmp_path)) == newest


def test_pointer_elsewhere(write, tmp_path):
    """Checkpoints may be in another folder than the work dir."""
    newest = write('elsewhere/epoch_1.pth', 10)
    (tmp_path / 'last_checkpoint').write_text(newest)
    assert find_newest(str(tmp_path)) == newest


def test_damaged(write, log, tmp_path):
    """A file that is cut off, and one with a flipped bit, are passed over."""
    older = write('epoch_1.pth', 10)
    damage(write('epoch_2.pth', 20))
    cut = write('epoch_3.pth', 30)
    os.truncate(cut, 2000)
    assert find_newest(str(tmp_path)) == older
    assert sorted(reason.split("'")[1].rpartition('/')[2] for reason in log) == ['epoch_2.pth', 'epoch_3.pth']


def test_not_finite(write, log, tmp_path):
    older = write('epoch_1.pth', 10)
    write('epoch_2.pth', 20, state_dict=dict(weight=torch.tensor([1.0, torch.nan])))
    assert find_newest(str(tmp_path)) == older
    assert 'epoch_2.pth' in log[0] and 'NaN' in log[0]


def test_none_loads(write, tmp_path):
    """Then training does not begin anew without a word."""
    damage(write('epoch_2.pth', 20))
    with pytest.raises(UserError, match=r'none of the 1 checkpoints in .*epoch_2\.pth'):
        find_newest(str(tmp_path))


def test_nothing(tmp_path):
    assert find_newest(str(tmp_path)) is None
    assert find_newest(str(tmp_path / 'missing')) is None


def test_mmengine(write, tmp_path):
    """A runner that resumes by itself, as that of MMAction2's own tool, finds the same."""
    newest = write('epoch_1.pth', 10)
    (tmp_path / 'last_checkpoint').write_text('gone.pth')
    assert find_latest_checkpoint(str(tmp_path)) == runner.find_latest_checkpoint(str(tmp_path)) == newest
