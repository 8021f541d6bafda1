"""Bytes that are not those that were written are found."""

import hashlib
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file

from mmdualformer.errors import UserError
from mmdualformer.weights import load_safely, read_progress, write_weights


def flip(data: bytes, place: int, bit: int) -> bytes:
    damaged = bytearray(data)
    damaged[place] ^= 1 << bit
    return bytes(damaged)


def content() -> dict:
    generator = torch.Generator().manual_seed(0)
    return dict(
        meta=dict(epoch=3, iter=7, names=['ant', 'bee']),
        state_dict={'a': torch.randn(40, generator=generator), 'b': torch.arange(5)},
        optimizer=dict(state={0: dict(exp_avg=torch.randn(4, generator=generator))}, param_groups=[]),
        message_hub=dict(log_scalars=dict(loss=HistoryBuffer([1.0], [1])), values=np.arange(3)),
    )


def digest(value: object) -> str:
    """Of all that a checkpoint holds."""
    if isinstance(value, torch.Tensor):
        value = (str(value.dtype), value.shape, value.numpy().tobytes())
    elif isinstance(value, HistoryBuffer):
        value = [digest(part) for part in value.data]
    elif isinstance(value, np.ndarray):
        value = (str(value.dtype), value.shape, value.tobytes())
    elif isinstance(value, dict):
        value = [(key, digest(part)) for key, part in value.items()]
    return hashlib.sha256(repr(value).encode()).hexdigest()


def write(path: Path) -> bytes:
    given = content()
    write_weights(given if path.suffix == '.pth' else dict(meta=given['meta'], state_dict=given['state_dict']), path)
    return path.read_bytes()


@pytest.mark.parametrize('name', ['model.pth', 'model.safetensors'])
def test_a_flipped_bit_is_found_or_changes_nothing(tmp_path, name):
    path = tmp_path / name
    whole = write(path)
    expected = digest(load_safely(str(path)))
    places = range(len(whole)) if path.suffix == '.safetensors' else range(0, len(whole), 9)
    refused = 0
    for place in places:
        path.write_bytes(flip(whole, place, random.Random(place).randrange(8)))
        try:
            assert digest(load_safely(str(path))) == expected, f'byte {place} of {len(whole)}'
        except UserError as error:
            assert '\n' not in str(error)
            refused += 1
    assert refused > len(places) / 10


def test_a_flipped_weight_is_named_damage(tmp_path):
    path = tmp_path / 'model.pth'
    whole = write(path)
    values = content()['state_dict']['a'].numpy().tobytes()
    path.write_bytes(flip(whole, whole.index(values) + 5, 0))
    assert not torch.equal(torch.load(path)['state_dict']['a'], content()['state_dict']['a'])  # and torch takes it
    with pytest.raises(UserError, match=r"is damaged: Bad CRC-32 for file '.*data/0'"):
        load_safely(str(path))
    assert read_progress(path) == dict(epoch=3, iter=7, can_resume=True)  # which does not look at tensors


@pytest.mark.parametrize('name', ['model.pth', 'model.safetensors'])
def test_a_file_that_ends_early(tmp_path, name):
    path = tmp_path / name
    whole = write(path)
    for length in (0, 1, 9, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        for read in (load_safely, read_progress):
            with pytest.raises(UserError, match=r'is damaged|it is no file that torch\.save has written|EOFError'):
                read(str(path))


def test_records_of_the_same_name_are_refused(tmp_path):
    """torch and Python would read another of the two."""
    path = tmp_path / 'model.pth'
    writer = torch._C.PyTorchFileWriter(str(path))
    write(tmp_path / 'whole.pth')
    pickled = b'\x80\x02}q\x00.'
    writer.write_record('data.pkl', pickled, len(pickled))
    writer.write_record('DATA.pkl', pickled, len(pickled))
    writer.write_end_of_file()
    with pytest.raises(UserError, match=r'no file that torch\.save'):
        load_safely(str(path))


def test_files_of_old_torch_are_read(tmp_path):
    torch.save(content(), tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    assert digest(load_safely(str(tmp_path / 'old.pth'))) == digest(content())
    assert read_progress(tmp_path / 'old.pth')['can_resume']


def test_progress_of_what_is_no_training(tmp_path):
    write(tmp_path / 'model.safetensors')
    shutil.copy(tmp_path / 'model.safetensors', tmp_path / 'copy')  # known by its first bytes
    assert read_progress(tmp_path / 'copy') == dict(epoch=3, iter=7, can_resume=False)
    torch.save(dict(a=torch.ones(1)), tmp_path / 'bare.pth')
    assert read_progress(tmp_path / 'bare.pth') == dict(epoch=None, iter=None, can_resume=False)
    with pytest.raises(UserError, match='does not exist'):
        read_progress(tmp_path / 'no.pth')


def test_safetensors_carry_tuples_and_refuse_what_is_no_plain_value(tmp_path):
    path = tmp_path / 'model.safetensors'
    tied = torch.ones(2, 3)
    weights = dict(a=tied, b=tied.t(), c=torch.ones(2, dtype=torch.bfloat16), d=torch.tensor(3))
    write_weights(dict(state_dict=weights, meta=dict(scale=(-1, 256), steps=[(1,)])), path)
    read = load_safely(str(path))
    assert read['meta'] == dict(scale=(-1, 256), steps=[(1,)])
    assert read['state_dict'].keys() == weights.keys()
    assert all(torch.equal(read['state_dict'][name], value) for name, value in weights.items())
    with pytest.raises(UserError, match='a set cannot be written'):
        write_weights(dict(state_dict=weights, meta=dict(a={1})), path)
    assert load_safely(str(path))['meta'] == read['meta']  # what was there stays


def test_safetensors_of_others_are_weights(tmp_path):
    save_file(dict(a=torch.ones(2)), tmp_path / 'model.safetensors')
    assert load_safely(str(tmp_path / 'model.safetensors'))['meta'] == {}
    save_file(dict(a=torch.ones(2)), tmp_path / 'model.safetensors', dict(meta='[' * 100_000))
    with pytest.raises(UserError, match=r'RecursionError|JSONDecodeError'):
        load_safely(str(tmp_path / 'model.safetensors'))
