"""Checkpoints that chance makes: each is taken, or refused in one line, and none ends the process."""

import collections
import copy
import io
import logging
import os
import pickle
import random
import struct
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch._weights_only_unpickler import _get_allowed_globals, _get_user_allowed_globals

from mmdualformer.errors import UserError
from tests.helpers import fork
from tests.weights.constructions import DOORS, endless, good_checkpoint, laughs, nested, quantized, sparse, write

BATCH = 20
SLOWEST = 60  # seconds


def _junk(rng: random.Random) -> object:
    makers = (
        lambda: None,
        lambda: -1,
        lambda: 2**70,
        lambda: float('nan'),
        lambda: 'text',
        lambda: b'\x00' * 9,
        lambda: [],
        lambda: {},
        lambda: {'type': 'os.system'},
        lambda: (1, 2),
        lambda: torch.ones(rng.choice([(), (0,), (3,), (2, 2)])),
        lambda: torch.ones(2, dtype=rng.choice([torch.int8, torch.complex64, torch.bool, torch.float16])),
        lambda: np.zeros(rng.randrange(3)),
        lambda: np.float32(rng.random()),
        lambda: {1: torch.ones(1)},
        sparse,
        quantized,
        endless,
        laughs,
        lambda: nested(rng.randrange(200)),
    )
    return rng.choice(makers)()


def _replace(good: dict, rng: random.Random, path: Path) -> None:
    """Another value in up to three places."""
    checkpoint = copy.deepcopy(good)
    for _ in range(rng.randint(1, 3)):
        part = checkpoint
        while True:
            keys = list(part) if isinstance(part, dict) else list(range(len(part)))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(part[key], (dict, list)) and rng.random() < 0.8:
                part = part[key]
                continue
            part[key] = _junk(rng)
            break
    write(checkpoint, path)


def _records(good: dict) -> dict[str, bytes]:
    buffer = io.BytesIO()
    torch.save(dict(good, state_dict=dict(list(good['state_dict'].items())[:2]), optimizer={}), buffer)
    with zipfile.ZipFile(buffer) as archive:
        return {record.partition('/')[2]: archive.read(record) for record in archive.namelist()}


def _pack(records: dict[str, bytes], path: Path) -> None:
    """Write records with the checksums that they have."""
    writer = torch._C.PyTorchFileWriter(str(path))
    for name, data in records.items():
        if not name.startswith(('.', 'version')):
            writer.write_record(name, data, len(data))
    writer.write_end_of_file()


def _change_pickle(good: dict, rng: random.Random, path: Path) -> None:
    """Other bytes in the pickle."""
    records = _records(good)
    pickled = bytearray(records['data.pkl'])
    for _ in range(rng.randint(1, 8)):
        pickled[rng.randrange(len(pickled))] = rng.randrange(256)
    _pack({**records, 'data.pkl': bytes(pickled)}, path)


def _assemble(good: dict, rng: random.Random, path: Path) -> None:
    """Calls of whatever a weights-only pickle may name, with whatever is at hand."""
    names = sorted({*_get_allowed_globals(), *_get_user_allowed_globals()})
    likely = [name for name in names if name.startswith(('numpy', 'mmengine', 'builtins', 'torch._utils', 'torch._t'))]

    def value(depth: int = 0) -> bytes:
        kind = rng.randrange(10 if depth < 5 else 5)
        if kind == 0:
            return pickle.BININT + struct.pack('<i', rng.choice([0, 1, -1, 8, 2**31 - 1]))
        if kind == 1:
            text = rng.choice(['f8', 'O8', 'V8', 'O', '<', 'latin1', 'cpu', 'mean', 'x']).encode()
            return pickle.BINUNICODE + struct.pack('<I', len(text)) + text
        if kind == 2:
            return pickle.SHORT_BINSTRING + b'\x08AAAAAAAA'
        if kind == 3:
            return rng.choice([pickle.NONE, pickle.NEWTRUE, pickle.EMPTY_DICT, pickle.EMPTY_TUPLE, pickle.EMPTY_LIST])
        if kind == 4:
            return storage()
        if kind == 5:
            return pickle.MARK + b''.join(value(depth + 1) for _ in range(rng.randrange(7))) + pickle.TUPLE
        module, _, name = rng.choice(likely if rng.random() < 0.8 else names).rpartition('.')
        arguments = pickle.MARK + b''.join(value(depth + 1) for _ in range(rng.randrange(7))) + pickle.TUPLE
        call = rng.choice([pickle.REDUCE, pickle.NEWOBJ])
        made = pickle.GLOBAL + f'{module}\n{name}\n'.encode() + arguments + call
        return made + (value(depth + 1) + pickle.BUILD if kind > 7 else b'')

    def storage() -> bytes:
        parts = [b'storage', b'0', b'cpu']
        texts = [pickle.BINUNICODE + struct.pack('<I', len(part)) + part for part in parts]
        size = pickle.BININT + struct.pack('<i', rng.choice([2, 2**30, -1]))
        return pickle.MARK + texts[0] + b'ctorch\nFloatStorage\n' + texts[1] + texts[2] + size + b't' + pickle.BINPERSID

    _pack({'data.pkl': b'\x80\x02}X\x01\x00\x00\x00a' + value() + b's.', 'data/0': bytes(8)}, path)


def _damage(good: dict, rng: random.Random, path: Path) -> None:
    """Other bytes in the file, or fewer."""
    write(good, path)
    data = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(len(data)) if rng.random() < 0.5 else rng.randrange(-3000, 0)] ^= 1 << rng.randrange(8)
    path.write_bytes(data[: rng.randrange(len(data))] if rng.random() < 0.2 else data)


MAKERS = (_replace, _change_pickle, _assemble, _damage)


def _try(good: dict, seed: int, folder: Path, more: tuple[str, ...]) -> str:
    """What becomes of the construction of a seed."""
    path = folder / 'model.pth'
    MAKERS[seed % len(MAKERS)](good, random.Random(seed), path)
    outcome = 'refused'
    doors = ['read', 'progress']
    for door in doors:
        started = time.monotonic()
        try:
            DOORS[door](str(path), folder)
        except UserError as error:
            if '\n' in str(error):
                return f'{door} more than a line: {error}'
        except BaseException as error:
            return f'{door} {type(error).__name__}: {error}'
        else:
            if door == 'read':
                outcome = 'loaded'
                doors += more
        if time.monotonic() - started > SLOWEST:
            return f'{door} took {time.monotonic() - started:.0f} s'
    return outcome


def _run(good: dict, seeds: range, folder: Path, more: tuple[str, ...]) -> dict[int, str]:
    """The outcomes of constructions in a process of their own."""
    results = folder / 'results.txt'
    results.unlink(missing_ok=True)
    pid = fork()
    if pid == 0:
        logging.disable(logging.CRITICAL)
        warnings.simplefilter('ignore')
        with open(results, 'w', encoding='utf-8') as file, open(os.devnull, 'w') as nowhere:
            os.dup2(nowhere.fileno(), 1)
            for seed in seeds:
                print(seed, repr(_try(good, seed, folder, more)), file=file, flush=True)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    found = dict(line.split(' ', 1) for line in results.read_text(encoding='utf-8').splitlines())
    outcomes = {int(seed): outcome.strip('\'"') for seed, outcome in found.items()}
    if status:
        outcomes[seeds[len(outcomes)]] = f'the process ended with {os.waitstatus_to_exitcode(status)}'
    return outcomes


@pytest.mark.parametrize(
    ('count', 'more'),
    [
        (60, ('described',)),
        pytest.param(1000, ('described', 'resume', 'mmaction', 'teacher'), marks=pytest.mark.slow),
    ],
)
def test_chance(tmp_path, count, more):
    good = good_checkpoint(tmp_path / 'good')
    outcomes: dict[int, str] = {}
    while len(outcomes) < count:
        outcomes |= _run(good, range(len(outcomes), min(len(outcomes) + BATCH, count)), tmp_path, more)
    print(collections.Counter(outcomes.values()))
    assert set(outcomes.values()) == {'loaded', 'refused'}, {
        seed: outcome for seed, outcome in outcomes.items() if outcome not in ('loaded', 'refused')
    }
