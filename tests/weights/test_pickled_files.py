"""Pickles that torch alone would take too far, and what is said of those that others write."""

import argparse
import collections
import pathlib
import pickle
import zipfile

import numpy as np
import pytest
import torch

from mmdualformer.errors import UserError
from mmdualformer.weights import load_safely


def text(value: str) -> bytes:
    return pickle.BINUNICODE + len(value.encode()).to_bytes(4, 'little') + value.encode()


def call(name: str, *arguments: bytes) -> bytes:
    module, _, last = name.rpartition('.')
    return f'c{module}\n{last}\n('.encode() + b''.join(arguments) + b'tR'


def write(path: pathlib.Path, value: bytes, storage: bytes = bytes(4)) -> str:
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a/data.pkl', b'\x80\x02}' + text('w') + value + b's.')
        for name, data in (('byteorder', b'little'), ('data/0', storage), ('version', b'3\n')):
            archive.writestr(f'a/{name}', data)
    return str(path)


MANY = b'\x8a\x05' + (2**34).to_bytes(5, 'little')
ENCODE = '_codecs.encode'


@pytest.mark.parametrize(
    ('value', 'reason'),
    [
        (call('builtins.bytearray', MANY), 'it would run builtins.bytearray'),
        (call('torch.Tensor', MANY), 'it would run torch.Tensor'),
        (b'ctorch\nTensor\nq\x010h\x01(' + MANY + b'tR', 'torch'),
        (call('torch.storage.UntypedStorage', MANY), 'it would run torch.storage.UntypedStorage'),
        (call('torch.storage.TypedStorage', MANY), 'it would run torch.storage.TypedStorage'),
        (
            call('torch._tensor._rebuild_from_type_v2', b'ctorch\nTensor\nctorch\nTensor\n(' + MANY + b't}'),
            'it would run torch._tensor._rebuild_from_type_v2',
        ),
        (call(ENCODE, text('a'), text('punycode')), 'it would run _codecs.encode'),
        (call(ENCODE, text('a')), 'it would run _codecs.encode'),
        (text('punycode') + b'q\x010' + call(ENCODE, text('a'), b'h\x01'), 'it would run _codecs.encode'),
    ],
)
def test_what_takes_any_time_or_memory_is_not_called(tmp_path, value, reason):
    with pytest.raises(UserError, match=reason):
        load_safely(write(tmp_path / 'model.pth', value))


@pytest.mark.parametrize('key', ['0', '1'])
def test_storages_are_as_long_as_they_say(tmp_path, monkeypatch, key):
    """Whatever torch does with them."""
    monkeypatch.setattr(torch.serialization, 'load', lambda *_, **__: {})
    storage = b'(' + text('storage') + b'ctorch\nFloatStorage\n' + text(key) + text('cpu') + b'K\x02tQ'
    with pytest.raises(UserError, match=f'is damaged: its storage {key} is shorter than it says'):
        load_safely(write(tmp_path / 'model.pth', storage, bytes(4 if key == '0' else 8)))
    assert key == '1' or load_safely(write(tmp_path / 'model.pth', storage, bytes(8))) == {}


def test_bytes_of_others_are_read(tmp_path):
    value = call(ENCODE, text('a\u00e9'), text('latin1'))
    assert load_safely(write(tmp_path / 'model.pth', value)) == {'w': b'a\xe9'}


def test_tensors_of_all_kinds_are_read(tmp_path):
    noted = torch.ones(2)
    noted.note = 'x'
    content = dict(
        noted=noted,
        parameter=torch.nn.Parameter(noted),
        byte=torch.ones(2).to(torch.float8_e4m3fn),
        short=torch.ones(2, dtype=torch.uint16),
        half=torch.ones(2, dtype=torch.bfloat16),
        view=torch.arange(6).view(2, 3).T,
    )
    torch.save(content, tmp_path / 'model.pth')
    loaded = load_safely(str(tmp_path / 'model.pth'))
    for name, value in content.items():
        torch.testing.assert_close(loaded[name].float(), value.detach().float(), rtol=0, atol=0)
        assert loaded[name].dtype == value.dtype


@pytest.mark.skipif(not hasattr(torch, 'float4_e2m1fn_x2'), reason='torch has no numbers of 4 bits')
def test_numbers_of_4_bits_are_refused(tmp_path):
    torch.save(dict(a=torch.zeros(2, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)), tmp_path / 'model.pth')
    with pytest.raises(UserError, match='it holds a tensor of numbers of 4 bits'):
        load_safely(str(tmp_path / 'model.pth'))


def test_a_small_file_holds_no_large_values(tmp_path):
    """Tensors of one element each, expanded to 64 MiB, and arrays of the same bytes."""
    tensors = {str(i): torch.ones(1).expand(2**24) for i in range(2)}
    array = np.zeros(2**20, np.uint8)
    make, arguments, state = array.__reduce__()

    class Shared:
        def __reduce__(self) -> tuple:
            return make, arguments, state

    for content in (tensors, {str(i): Shared() for i in range(80)}):
        torch.save(content, tmp_path / 'model.pth')
        with pytest.raises(UserError, match='larger than the file'):
            load_safely(str(tmp_path / 'model.pth'))


@pytest.mark.parametrize(
    ('value', 'kind'),
    [
        (argparse.Namespace(lr=1), 'Namespace'),
        (pathlib.PurePosixPath('x'), 'PurePosixPath'),
        (collections.defaultdict(int), 'defaultdict'),
        (slice(1), 'slice'),
        (torch.nn.Linear(1, 1), 'Linear'),
    ],
)
def test_data_that_is_not_plain_is_named(tmp_path, value, kind):
    torch.save(dict(state_dict={}, meta=dict(value=value)), tmp_path / 'model.pth')
    with pytest.raises(UserError, match=f'it holds a {kind}, which is no plain data; save its state_dict alone'):
        load_safely(str(tmp_path / 'model.pth'))


def test_later_protocols_and_torchscript_are_named(tmp_path):
    path = str(tmp_path / 'model.pth')
    torch.save(dict(w=torch.ones(1)), path, pickle_protocol=4)
    with pytest.raises(UserError, match='it is a pickle of protocol 4 or later'):
        load_safely(path)
    with zipfile.ZipFile(path, 'w') as archive:  # torch.jit, which writes such, is on its way out
        archive.writestr('a/data.pkl', b'\x80\x02N.')
        archive.writestr('a/constants.pkl', b'\x80\x02).')
    with pytest.raises(UserError, match='it is a TorchScript program'):
        load_safely(path)
